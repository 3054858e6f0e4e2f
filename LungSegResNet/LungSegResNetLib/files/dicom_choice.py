"""Which series of a folder is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from ..errors import NoCTError, UsageError
from .dicom_headers import Series
from .dicom_kernels import sharpness

WhenInDoubt = Literal["ask", "choose"]

# A second series with this share of the largest one's slices is a choice that is the user's.
_ABOUT_EQUAL = 0.8
# Two reconstructions of one scan may differ by a few slices at its ends.
_SAME_NUMBER = 0.95
# Test and bolus-tracking slices are original, too, and lossy compression makes a whole scan a derived one.
_SIZEABLE = 0.5
_BEYOND_MM = 50.0  # so far a scan of another region reaches at least beyond the chosen one
_MOST_NAMED = 5
_LEFT_ASIDE, _OF_PATIENT, _OF_STUDY = "; left aside: ", " of another patient", " of another study"
_DIGITS_OF_UID = 6  # fewer digits are the number of a series, perhaps that of the archive, and no end of a UID


def choose_series(
    found: Sequence[Series], wanted: str | None, folder: Path, when_in_doubt: WhenInDoubt
) -> tuple[Series, list[str]]:
    """The series ``wanted`` names, else the largest original axial CT series; the second value are warnings.

    Derived series (reformats, lossy compression) count where no original one has at least half as many slices. A
    warning names what was taken and what was left aside where other axial series have at least half its slices, show
    another region, or are of another study, perhaps of another patient.

    Parameters
    ----------
    wanted : number, UID or its end, or a part of the description (see ``reading.read_ct``).
    when_in_doubt : ``ask`` raises UsageError where several series are about equally large; ``choose`` takes the one
        with most slices (5 % fewer count as the same), of those the softest kernel, of those the first.

    Raises
    ------
    UsageError : ``wanted`` names none or several, or several series are about equally large and the user is asked.
    NoCTError : there is no CT series.
    """
    scans = _ct_scans(found, folder) if wanted is None else _named_series(found, wanted.strip(), folder)
    rivals = _about_equal([scan for scan in scans if scan.info.plane == "axial"] or scans)
    if len(rivals) > 1 and when_in_doubt == "ask":
        raise UsageError(
            f"There are {len(rivals)} CT series of about the same size; choose one with --series:\n{_listed(rivals)}"
        )
    chosen = _softest(rivals)
    return chosen, _left_aside(chosen, scans)


def _ct_scans(found: Sequence[Series], folder: Path) -> list[Series]:
    scans = [s for s in found if s.info.modality == "CT" and s.info.kind in ("original", "derived")]
    if not scans:
        modalities = ", ".join(sorted({f"{s.info.modality or 'no modality'} ({s.info.kind})" for s in found}))
        raise NoCTError(f"There is no CT series in {folder}, only {modalities}.")
    return [scan for scan in scans if not scan.headers[0].is_coloured] or scans


def _named_series(found: Sequence[Series], wanted: str, folder: Path) -> list[Series]:
    """The series that ``wanted`` names: one, or the parts of one."""
    matches = [s for s in found if s.info.uid == wanted]
    if not matches and wanted.isdecimal():  # digits such as ² make no number
        matches = [s for s in found if s.info.number == int(wanted)]
    if not matches and wanted and not (wanted.isdecimal() and len(wanted) < _DIGITS_OF_UID):
        text = wanted.casefold()
        matches = [s for s in found if text in s.info.description.casefold() or s.info.uid.endswith(wanted)]
    if len({s.info.uid for s in matches}) == 1:
        return matches
    problem = "names no series" if not matches else f"fits {len(matches)} series"
    raise UsageError(f"'{wanted}' {problem} in {folder}; there are:\n{_listed(matches or found)}")


def _about_equal(scans: list[Series]) -> list[Series]:
    """The largest of the scans that are preferred, and those of about its size."""
    acquired = [scan for scan in scans if not scan.headers[0].is_projection] or scans
    sizeable = _with_share(_SIZEABLE, acquired)
    return _with_share(_ABOUT_EQUAL, [scan for scan in sizeable if scan.info.kind == "original"] or sizeable)


def _with_share(share: float, scans: list[Series]) -> list[Series]:
    """Scans with at least this share of the largest one's slices."""
    most = max(scan.info.slices for scan in scans)
    return [scan for scan in scans if scan.info.slices >= share * most]


def _softest(rivals: list[Series]) -> Series:
    """The scan with the softest kernel of those with most slices, which are the thinnest."""
    return min(_with_share(_SAME_NUMBER, rivals), key=lambda scan: (sharpness(scan.info.kernel), scan.info.number))


def _left_aside(chosen: Series, scans: list[Series]) -> list[str]:
    """A sentence on other parts of the series, and on scans in the same plane as `_is_alike` says."""
    others = [
        f"{scan.info.brief}{_whose(scan, chosen)}"
        for scan in scans
        if scan is not chosen and (scan.info.uid == chosen.info.uid or _is_alike(scan, chosen))
    ]
    if not others:
        return []
    more = f" and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
    return [f"Of several CT series {chosen.info.brief} was taken{_LEFT_ASIDE}{', '.join(others[:_MOST_NAMED])}{more}."]


def names_left_aside(warning: str) -> bool:
    """Whether a warning is that of `choose_series` on series that were left aside."""
    return _LEFT_ASIDE in warning


def names_strangers(warning: str) -> bool:
    """Whether such a warning names a series of another patient or study."""
    return names_left_aside(warning) and any(whose in warning for whose in (_OF_PATIENT, _OF_STUDY))


def _whose(scan: Series, chosen: Series) -> str:
    """That a scan is of another patient or study than the chosen one, in words; empty where it is not known to be."""
    patient, other = (one.headers[0].tags["patient"] for one in (scan, chosen))
    if patient and other and patient != other:
        return _OF_PATIENT
    return _OF_STUDY if _study(scan) != _study(chosen) else ""


def _is_alike(scan: Series, chosen: Series) -> bool:
    """Whether a scan in the same plane is sizeable, of another study, or of another region."""
    if scan.info.plane != chosen.info.plane:
        return False
    is_sizeable = scan.info.slices >= _SIZEABLE * chosen.info.slices
    return is_sizeable or _study(scan) != _study(chosen) or _reaches_beyond(scan, chosen)


def _reaches_beyond(scan: Series, chosen: Series) -> bool:
    """Whether a scan shows more of the patient above or below, as the chest does beside a larger scan of the belly."""
    heights, others = ([place[2] for header in one.headers for place in header.positions] for one in (scan, chosen))
    if not heights or not others:
        return False
    return max(heights) > max(others) + _BEYOND_MM or min(heights) < min(others) - _BEYOND_MM


def _study(scan: Series) -> str:
    return scan.headers[0].tags["study_uid"]


def _listed(found: Sequence[Series]) -> str:
    return "\n".join(f"  {series.info}" for series in found)

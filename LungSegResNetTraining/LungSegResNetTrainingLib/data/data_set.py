"""Checks a data set case by case before anything is trained on it."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.errors import InputError, LungSegError
from LungSegResNetLib.files.dicom_headers import list_series
from LungSegResNetLib.files.dicom_reading import TILTED
from LungSegResNetLib.files.reading import read_ct
from LungSegResNetLib.tables import write_csv

from .case_search import FoundCases, find_cases, without_repetitions
from .cases import CASE_COLUMNS, DOUBTFUL, OK, REFUSED, Case, ListedCase, read_case_list, refuse_divided_patients
from .contact_sheet import draw_row
from .dicom_kinds import MASK, kind_of_file, kind_of_folder
from .mask_files import ReferenceMask, read_reference_mask
from .pair_check import LeftOut, PairVerdict, check_pair

CASE_LIST = "cases.csv"
_COLUMNS = (*CASE_COLUMNS, "right_ml", "left_ml", "mean_hu", "slices", "spacing_mm", "format", "notes")


@dataclass(frozen=True)
class CaseCheck:
    """What was found about one case.

    Attributes
    ----------
    name : of the case, or of the place where one was expected.
    case : its files; None where CT or mask is missing.
    verdict : whether it may be trained on.
    format : of the mask, in words.
    notes : what reading CT and mask had to assume or repair.
    shape, spacing_mm : of the CT, (z, y, x).
    row_png : its row of the contact sheet; empty where it could not be read, or none was asked for.
    """

    name: str
    case: Case | None
    verdict: PairVerdict
    format: str = ""
    notes: tuple[str, ...] = ()
    shape: tuple[int, int, int] | None = None
    spacing_mm: tuple[float, float, float] | None = None
    row_png: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether the case may be trained on."""
        return self.verdict.status == OK


def case_list_of(data_set: str | os.PathLike[str]) -> Path | None:
    """The CSV file that lists a data set; None for a folder tree without one."""
    path = Path(data_set)
    # Functions of os.path say no to a folder that cannot be opened, where methods of Path raise an error.
    return next((place for place in (path, path / CASE_LIST) if os.path.isfile(place)), None)  # noqa: PTH113


def list_data_set(path: str | os.PathLike[str], taken: Collection[str] = (OK,)) -> FoundCases:
    """Cases of a CSV file, of a folder with a ``cases.csv``, or of a folder tree (see ``find_cases``).

    Parameters
    ----------
    taken : of the rows of a list those with one of these statuses, and those that were accepted since a check left
        them out; the others are left out.

    Raises
    ------
    InputError : the path does not exist, the case list is wrong, or the folder holds nothing like a case.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"The data set {path} does not exist.")
    case_list = case_list_of(path)
    if case_list is not None:
        return _found_in_list(read_case_list(case_list), taken)
    found = find_cases(path)
    if not found.cases and not found.problems:
        raise InputError(
            f"No case was found in {path}; it needs pairs like name_ct.nii.gz and name_lungs.nii.gz, a folder for each "
            "case, or a list of cases in CSV."
        )
    return found


def _found_in_list(rows: list[ListedCase], taken: Collection[str]) -> FoundCases:
    """The cases with a status that is ``taken``, and those that were accepted; the others are left out."""
    refuse_divided_patients([row.case for row in rows if row.case is not None and row.is_taken((OK,))])
    cases = [row.case for row in rows if row.case is not None and row.is_taken(taken)]
    left_out = [
        LeftOut(row.name, PairVerdict(row.status, (row.reasons or "The case list says so.",)), row.case)
        for row in rows
        if not row.is_taken(taken)
    ]
    return without_repetitions(FoundCases(cases, [], left_out))


def read_case(case: Case) -> tuple[CTVolume, ReferenceMask]:
    """CT and reference mask of a case on one grid; warnings of the CT lead the mask's notes.

    Of several CT series in a folder, that which a DICOM mask says it was drawn on is read, if it is there; else one is
    chosen as ``segment-folder`` does, and a warning names it.

    Raises
    ------
    InputError : a file cannot be read, or the mask does not belong to the CT.
    """
    in_space = _lies_in_space(case.mask)
    series = _series_drawn_on(case) if in_space and case.ct.is_dir() else None
    ct, warnings = read_ct(case.ct, series, when_in_doubt="choose")
    if in_space and any(TILTED in text for text in warnings):
        # Its slices are stacked upright, but the mask says where they were.
        raise InputError(
            f"The CT was scanned with a tilted gantry, so the DICOM mask {case.mask.name} cannot be laid onto its "
            "slices; save the mask as an image with the slices of the CT."
        )
    mask = read_reference_mask(case.mask, ct)
    return ct, replace(mask, notes=(*warnings, *mask.notes))


def _lies_in_space(mask: Path) -> bool:
    """Whether a mask is DICOM that says where in the scanner it lies, and on which scan."""
    return (kind_of_folder(mask) if mask.is_dir() else kind_of_file(mask)) == MASK


def _series_drawn_on(case: Case) -> str | None:
    """UID of the series in the CT's folder on which the DICOM mask was drawn; None if that cannot be told."""
    # Only data sets with DICOM masks need pydicom.
    from .dicom_labels import referenced_series

    wanted = referenced_series(case.mask)
    there = {series.uid for series in list_series(case.ct) if series.modality == "CT"} & wanted
    return there.pop() if len(there) == 1 else None


def check_data_set(
    path: str | os.PathLike[str],
    on_progress: Callable[[int, int, str], None] | None = None,
    with_pictures: bool = True,
) -> list[CaseCheck]:
    """Read and judge every case of a data set; a broken case is listed with its reason and stops no other.

    What an earlier check doubted or refused is judged anew; a status that no check gives is left as it is.

    Parameters
    ----------
    on_progress : called before each case with the number done, the number of all, and its name.
    with_pictures : draw the rows of a contact sheet.

    Raises
    ------
    InputError : there is no data set at ``path`` (see ``list_data_set``).
    """
    found = list_data_set(path, taken=(OK, DOUBTFUL, REFUSED))
    checks = [CaseCheck(name, None, PairVerdict(REFUSED, (reason,))) for name, reason in found.problems]
    checks += [CaseCheck(item.name, item.case, item.verdict) for item in found.left_out]
    for done, case in enumerate(found.cases):
        if on_progress is not None:
            on_progress(done, len(found.cases), case.name)
        checks.append(check_case(case, with_pictures))
    return checks


def check_case(case: Case, with_picture: bool = True) -> CaseCheck:
    """Read and judge one case; whatever goes wrong becomes a refusal."""
    try:
        ct, mask = read_case(case)
        verdict = check_pair(ct, mask.labels, mask.left_out).after(case.accepted)
        row = _png(draw_row(ct, mask.labels, case.name, verdict)) if with_picture else b""
    except LungSegError as error:
        return CaseCheck(case.name, case, PairVerdict(REFUSED, (str(error),)))
    except Exception as error:
        # Readers of foreign files fail in ways nobody can list; the other cases are still worth checking.
        reason = f"The case could not be read ({type(error).__name__}: {error})."
        return CaseCheck(case.name, case, PairVerdict(REFUSED, (reason,)))
    z, y, x = ct.hu.shape
    return CaseCheck(case.name, case, verdict, mask.format, mask.notes, (z, y, x), ct.spacing_zyx, row)


def write_check_table(path: str | os.PathLike[str], checks: list[CaseCheck], overwrite: bool) -> None:
    """Write the checks as a CSV that is a case list, too: ``read_cases`` takes its rows with the status ``ok``.

    Raises
    ------
    OutputError : the file exists and ``overwrite`` is false, or cannot be written.
    """
    folder = Path(path).resolve().parent
    with write_atomically(path, overwrite) as temporary:
        rows = (_listed(check).cells(lambda file: _relative(file, folder)) for check in checks)
        write_csv(temporary, _COLUMNS, rows)


def spacing_text(spacing_mm: tuple[float, float, float]) -> str:
    """Size of a voxel (z, y, x) in the usual order x, y, z, such as ``0.7 x 0.7 x 5``."""
    return " x ".join(f"{mm:.3g}" for mm in reversed(spacing_mm))


def _listed(check: CaseCheck) -> ListedCase:
    verdict = check.verdict
    found = {"format": check.format, "notes": " ".join(check.notes)}
    if check.shape is not None and check.spacing_mm is not None:
        found["slices"] = str(check.shape[0])
        found["spacing_mm"] = spacing_text(check.spacing_mm)
        found["right_ml"], found["left_ml"] = (f"{ml:.0f}" for ml in verdict.volumes_ml)
        found["mean_hu"] = "" if verdict.mean_hu is None else f"{verdict.mean_hu:.0f}"
    return ListedCase(check.name, check.case, verdict.status, verdict.told, found)


def _relative(path: Path, folder: Path) -> str:
    """Path as the table names it: relative where the file lies below the table's folder."""
    resolved = path.resolve()
    return resolved.relative_to(folder).as_posix() if resolved.is_relative_to(folder) else str(resolved)


def _png(picture: np.ndarray) -> bytes:
    from PIL import Image

    with io.BytesIO() as buffer:
        Image.fromarray(picture).save(buffer, "PNG")
        return buffer.getvalue()

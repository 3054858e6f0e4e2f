"""Checks a data set case by case before anything is trained on it."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.errors import sentence_of
from LungSegResNetLib.tables import write_csv

from .case_check import CaseCheck, spacing_text
from .case_files import failure_of
from .case_reading import read_case
from .cases import CASE_COLUMNS, DOUBTFUL, NO_PAIR, OK, REFUSED, REPEATED, Case, ListedCase
from .contact_sheet import draw_row
from .data_set import list_data_set
from .pair_check import PairVerdict, check_pair

_COLUMNS = (*CASE_COLUMNS, "right_ml", "left_ml", "mean_hu", "slices", "spacing_mm", "format", "notes")


def check_data_set(
    path: str | os.PathLike[str],
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    with_pictures: bool = True,
) -> list[CaseCheck]:
    """Read and judge every case of a data set; a broken case is listed with its reason and stops no other.

    What an earlier check left out is judged anew; a status that no check gives is left as it is.

    Parameters
    ----------
    on_progress : called before each case with the number of cases done and of all.
    with_pictures : draw the rows of a contact sheet.

    Raises
    ------
    InputError : there is no data set at ``path`` (see ``list_data_set``).
    """
    found = list_data_set(path, taken=(OK, DOUBTFUL, REFUSED, NO_PAIR, REPEATED))
    checks = [CaseCheck(item.name, item.case, item.verdict, group=item.group) for item in found.left_out]
    for done, case in enumerate(found.cases):
        on_progress(done, len(found.cases))
        checks.append(check_case(case, with_pictures))
    return checks


def check_case(case: Case, with_picture: bool = True) -> CaseCheck:
    """Read and judge one case; whatever goes wrong becomes a refusal."""
    try:
        ct, mask = read_case(case)
        verdict = check_pair(ct, mask.labels, mask.left_out).after(case.accepted)
        row = _png(draw_row(ct, mask.labels, case.name, verdict)) if with_picture else b""
    except Exception as error:  # the other cases are still worth checking
        reason = sentence_of(error, "The case could not be read")
        return CaseCheck(case.name, case, PairVerdict(failure_of(case), (reason,)))
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


def _listed(check: CaseCheck) -> ListedCase:
    verdict = check.verdict
    found = {"format": check.format, "notes": " ".join(check.notes)}
    if check.shape is not None and check.spacing_mm is not None:
        found["slices"] = str(check.shape[0])
        found["spacing_mm"] = spacing_text(check.spacing_mm)
        found["right_ml"], found["left_ml"] = (f"{ml:.0f}" for ml in verdict.volumes_ml)
        found["mean_hu"] = "" if verdict.mean_hu is None else f"{verdict.mean_hu:.0f}"
    return ListedCase(check.name, check.case, verdict.status, verdict.explanation, found, check.group)


def _relative(path: Path, folder: Path) -> str:
    """Path as the table names it: relative where the file lies below the table's folder."""
    resolved = path.resolve()
    return resolved.relative_to(folder).as_posix() if resolved.is_relative_to(folder) else str(resolved)


def _png(picture: np.ndarray) -> bytes:
    from PIL import Image

    with io.BytesIO() as buffer:
        Image.fromarray(picture).save(buffer, "PNG")
        return buffer.getvalue()

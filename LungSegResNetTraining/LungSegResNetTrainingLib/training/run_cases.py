"""From a data set to the cases of a run: checked, cached, divided by patients, and written down in the run folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.digests import file_digest
from LungSegResNetLib.errors import DeviceError, InputError, OutputError, sentence_of
from LungSegResNetLib.tables import read_rows, write_csv
from LungSegResNetLib.wording import some_of

from ..command_text import quoted
from ..data.case_files import failure_of, mask_files_of
from ..data.cases import (
    CASE_COLUMNS,
    CASE_LIST,
    DOUBTFUL,
    OK,
    Case,
    ListedCase,
    read_cases,
    refuse_divided_patients,
)
from ..data.ct_digests import stored_digests
from ..data.data_set import list_data_set
from ..data.found_cases import LeftOutCase
from ..data.scan_marks import ScanMark, ScanMarks
from ..data.splits import split_left_out
from ..slices.slice_cache import CachedCase, cache_case

_FILES = "files"  # a column that no other case list has


@dataclass(frozen=True)
class PreparedCase:
    """A case of a run, its slices, and what its scan is recognised by."""

    case: Case
    cached: CachedCase
    mark: ScanMark

    def digest(self) -> str:
        """Short digest of what CT and mask hold, wherever they lie."""
        contents = [self.mark.ct, *(file_digest(path) for path in mask_files_of(self.case.mask))]
        return hashlib.sha256(" ".join(contents).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class TrainingCases:
    """The cases of a run, and what is left out."""

    prepared: list[PreparedCase]
    left_out: list[LeftOutCase]

    @property
    def cases(self) -> list[Case]:
        """The cases alone."""
        return [one.case for one in self.prepared]

    @property
    def marks(self) -> dict[str, ScanMark]:
        """Marks of the scans by the names of their cases."""
        return {one.case.name: one.mark for one in self.prepared}

    @property
    def with_lung(self) -> set[str]:
        """Names of the cases that have a slice with lung."""
        return {one.case.name for one in self.prepared if len(one.cached.lung_slices)}

    def of_split(self, split: str) -> list[CachedCase]:
        """Slices of the cases for ``train`` or ``validation``."""
        return [one.cached for one in self.prepared if one.case.split == split]

    def divided(self, cases: Sequence[Case], share: float = 0.0, seed: int = 0) -> TrainingCases:
        """The same cases in the splits that ``cases``, the same in the same order, name.

        What is left out stays in the splits that the data set names, unless ``share`` of the patients was drawn for
        validation; see `split_left_out`.
        """
        prepared = [replace(one, case=case) for one, case in zip(self.prepared, cases, strict=True)]
        left_out = self.left_out
        if share:
            drawn = iter(split_left_out([item.case for item in left_out if item.case], cases, share, seed))
            left_out = [replace(item, case=next(drawn)) if item.case else item for item in left_out]
        return TrainingCases(prepared, left_out)

    def in_order(self, names: Sequence[str]) -> TrainingCases:
        """The same cases in the order of these names, which decides what each step draws."""
        place = {name: number for number, name in enumerate(names)}
        return replace(self, prepared=sorted(self.prepared, key=lambda one: place[one.case.name]))

    def contents(self) -> list[tuple[str, str, str, str]]:
        """Name, patient, split and digest of the files of each case, by which processes know that theirs are one."""
        return [(*_place(one.case), one.digest()) for one in self.prepared]


def prepare_cases(
    data_set: Path,
    cache: Path,
    slice_shape: tuple[int, int],
    *,
    include_doubtful: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> TrainingCases:
    """Read, check and cache the cases of a data set one after the other; those that fail are left out with the reason.

    Parameters
    ----------
    include_doubtful : train on pairs that the check doubts or that the list calls doubtful, too; refused ones are
        left out unless the list accepts them.
    on_progress : called with the number of cases done and of all.

    Raises
    ------
    InputError : there is no data set, none of its cases can be trained on, or a patient is in two splits.
    OutputError : the cache cannot be written.
    DeviceError : there is too little memory for a case.
    """
    taken = (OK, DOUBTFUL) if include_doubtful else (OK,)
    found = list_data_set(data_set, taken)
    refuse_divided_patients(found.cases)
    used: list[tuple[Case, CachedCase]] = []
    left_out = list(found.left_out)
    for done, case in enumerate(found.cases):
        on_progress(done, len(found.cases))
        try:
            cached = cache_case(case, cache, slice_shape)
        except OutputError:
            raise
        except MemoryError as error:
            # No fault of the case: without it the run would be written down as one of other cases.
            raise DeviceError(
                f"There is not enough memory to read case {case.name}; close other programs, use a larger computer, or "
                "leave the case out of the data set."
            ) from error
        except Exception as error:  # the other cases are still worth training on
            reason = sentence_of(error, "The case could not be read")
            left_out.append(LeftOutCase.of(case.name, failure_of(case), reason, case))
            continue
        if cached.verdict.status in taken:
            used.append((case, cached))
        else:
            left_out.append(LeftOutCase(case.name, cached.verdict, case))
    on_progress(len(found.cases), len(found.cases))
    if not used:
        raise InputError(
            f"None of the {found.count} cases can be trained on; look at: lungsegresnet-train check {quoted(data_set)}"
        )
    with stored_digests(cache / "digests.json") as digests:
        marks = ScanMarks(digests)
        prepared = [PreparedCase(case, cached, marks.of(case)) for case, cached in used]
    return TrainingCases(prepared, left_out)


def record_cases(
    run_folder: Path, cases: TrainingCases, on_warning: Callable[[str], None] = lambda text: None
) -> TrainingCases:
    """Write ``cases.csv`` of a run, or make sure that a run that goes on has the same cases; returns them in its order.

    The file is a case list: it names all files, the split of each case, and what was left out and why. ``on_warning``
    is told of cases whose CT or mask is no longer what the run began with.

    Raises
    ------
    InputError : the run in this folder was begun with other cases or another split.
    OutputError : the file cannot be written.
    """
    path = run_folder / CASE_LIST
    if path.is_file():
        before = [_place(case) for case in read_cases(path)]
        now = {_place(one.case) for one in cases.prepared}
        if set(before) != now:
            changed = sorted({name for name, *_ in now.symmetric_difference(before)})
            raise InputError(
                f"{run_folder} holds a run with other cases or another split ({some_of(changed)}); bring the data set "
                "back to what it was, or choose another folder."
            )
        if changed := _changed_files(path, cases):
            on_warning(
                f"CT or mask of {some_of(changed)} changed since the run began; it continues with what they are now."
            )
        return cases.in_order([name for name, *_ in before])
    rows = [
        ListedCase(one.case.name, one.case, OK, one.cached.verdict.explanation, {_FILES: one.digest()})
        for one in cases.prepared
    ]
    rows += [
        ListedCase(item.name, item.case, item.verdict.status, item.reason, group=item.group) for item in cases.left_out
    ]
    with write_atomically(path, overwrite=False) as temporary:
        write_csv(temporary, (*CASE_COLUMNS, _FILES), (row.cells(lambda file: str(file.resolve())) for row in rows))
    return cases


def is_list_of_run(path: Path) -> bool:
    """Whether a case list was written by `record_cases`, and not by a person or the check of a data set."""
    return any(_FILES in row for row in read_rows(path))


def _changed_files(path: Path, cases: TrainingCases) -> list[str]:
    """Names of the cases of which the list of a run has another digest; one that was left out has none."""
    before = {row["case"]: row[_FILES] for row in read_rows(path) if row.get(_FILES)}
    now = {one.case.name: one.digest() for one in cases.prepared}
    return sorted(name for name, digest in now.items() if before.get(name, digest) != digest)


def _place(case: Case) -> tuple[str, str, str]:
    """Where a case is in a run: it may not move while the run goes on."""
    return case.name, case.patient, case.split

"""``lungsegresnet-train check DATASET``."""

from __future__ import annotations

import argparse
import glob
import sys
from typing import TYPE_CHECKING

from LungSegResNetLib.command_line.values import given_path

if TYPE_CHECKING:
    from ..data.case_check import CaseCheck

SUMMARY = "check that CTs and reference masks belong together before training on them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the subcommand."""
    parser.add_argument(
        "dataset", type=given_path, help="folder with CTs and masks, or CSV with the columns case, ct, mask"
    )
    parser.add_argument(
        "--table",
        type=given_path,
        metavar="FILE",
        help="write the table as CSV, which fit takes as data set; never over the list that is checked",
    )
    parser.add_argument("--contact-sheet", type=given_path, metavar="FILE", help="write a picture of all cases (.png)")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace files that are there, all pages of a contact sheet, too"
    )
    parser.add_argument("--progress", choices=("json", "none"), default="none", help="json: on standard error")


def run(options: argparse.Namespace) -> int:
    """Check; prints a line for each case. The exit code tells whether all are fine."""
    from LungSegResNetLib.atomic import refuse_existing
    from LungSegResNetLib.errors import SOME_FAILED_EXIT_CODE, UsageError
    from LungSegResNetLib.files.places import place
    from LungSegResNetLib.jobs.reporting import make_reporter

    from ..data.contact_sheet import write_contact_sheet
    from ..data.data_check import check_data_set, write_check_table
    from ..data.data_set import case_list_of
    from ..data.scan_marks import ScanMarks, repeated_scans

    case_list = case_list_of(options.dataset)
    if options.table and case_list and place(options.table) == place(case_list):
        raise UsageError(
            f"{options.table} is the list that is checked, whose own columns would be lost; give --table another file."
        )
    refuse_existing(options.table, options.contact_sheet, overwrite=options.overwrite)
    if options.contact_sheet:
        further = options.contact_sheet.parent.glob(f"{glob.escape(options.contact_sheet.stem)}_[0-9]*.png")
        refuse_existing(*further, overwrite=options.overwrite)
    reporter = make_reporter(options.progress)
    reporter.stage("check cases")
    with_pictures = options.contact_sheet is not None
    checks = check_data_set(options.dataset, reporter.progress, with_pictures=with_pictures)
    print(_table(checks))
    fine = [check.case for check in checks if check.ok and check.case]
    marks = ScanMarks()
    for text in (*_notes(checks), *repeated_scans((case, marks.of(case)) for case in fine)):
        reporter.warning(text)
    if options.table:
        write_check_table(options.table, checks, options.overwrite)
        print(f"Table: {options.table}")
    if options.contact_sheet:
        for page in write_contact_sheet(options.contact_sheet, checks, options.overwrite):
            print(f"Contact sheet: {page}")
    failed = sum(not check.ok for check in checks)
    if failed:
        print(f"Left out of training: {failed} of {len(checks)} cases, see above.", file=sys.stderr)
    return SOME_FAILED_EXIT_CODE if failed else 0


def _table(checks: list[CaseCheck]) -> str:
    """A line for each case, those that are left out last, and below why."""
    from LungSegResNetLib.tables import aligned

    rows = [("case", "slices", "right ml", "left ml", "mean HU", "status")]
    reasons = []
    for check in sorted(checks, key=lambda check: not check.ok):
        right, left = check.verdict.volumes_ml
        mean_hu = check.verdict.mean_hu
        rows.append(
            (
                check.name,
                str(check.shape[0]) if check.shape else "",
                f"{right:.0f}" if check.shape else "",
                f"{left:.0f}" if check.shape else "",
                "" if mean_hu is None else f"{mean_hu:.0f}",
                check.verdict.status,
            )
        )
        verdict = check.verdict
        reasons += [
            f"  {check.name}: {text}" for text in ([verdict.explanation] if verdict.accepted else verdict.reasons)
        ]
    return "\n".join([aligned(rows), *reasons])


def _notes(checks: list[CaseCheck]) -> list[str]:
    """What reading the files had to assume, each once with the names of its cases."""
    from LungSegResNetLib.wording import some_of

    names: dict[str, list[str]] = {}
    for check in checks:
        for note in check.notes:
            names.setdefault(note, []).append(check.name)
    return [f"{some_of(noted)}: {note}" for note, noted in names.items()]

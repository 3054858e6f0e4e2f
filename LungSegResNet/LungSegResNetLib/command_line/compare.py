"""``lungsegresnet compare CT REFERENCE PREDICTION``."""

from __future__ import annotations

import argparse

from .values import given_path

SUMMARY = "compare two masks of one CT: Dice, surface distances and other metrics"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the subcommand."""
    parser.add_argument("ct", type=given_path, help="the CT, as for segment")
    parser.add_argument("reference", type=given_path, help="reference mask")
    parser.add_argument("prediction", type=given_path, help="mask to evaluate")
    parser.add_argument("--series", help="DICOM series of the CT")
    parser.add_argument("--output", type=given_path, metavar="FILE", help="write .csv or .json")
    parser.add_argument("--overlay", type=given_path, metavar="FILE", help="write a picture with both contours (.png)")
    parser.add_argument("--overwrite", action="store_true", help="replace results that exist")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(options: argparse.Namespace) -> int:
    """Compare and print."""
    import json

    from ..figures.metrics import compare_lungs, comparison_table, comparisons_as_json, write_comparisons
    from ..figures.overlay import write_overlay
    from .masks_on_ct import read_masks

    ct, (reference, prediction) = read_masks(options, options.reference, options.prediction, overlay=options.overlay)
    comparisons = compare_lungs(reference, prediction, ct.steps_zyx, ct.hu)
    if options.output:
        write_comparisons(options.output, comparisons, options.overwrite)
    if options.overlay:
        write_overlay(options.overlay, ct, prediction, options.overwrite, title=ct.source, reference=reference)
    values = comparisons_as_json(comparisons)
    print(json.dumps(values, indent=2) if options.json else comparison_table(comparisons))
    return 0

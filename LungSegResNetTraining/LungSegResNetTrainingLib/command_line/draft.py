"""``lungsegresnet-train draft CT OUT``."""

from __future__ import annotations

import argparse

from LungSegResNetLib.command_line.values import given_path

SUMMARY = "make a draft mask without a network, for a person to correct"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the subcommand."""
    parser.add_argument("ct", type=given_path, help="DICOM folder, .dcm, .nii(.gz), .nrrd, .mha or .mhd")
    parser.add_argument(
        "out", type=given_path, help=".seg.nrrd, which the Segment Editor opens, .nii.gz, .nrrd or .mha"
    )
    parser.add_argument("--series", help="DICOM series: its number in the list, its UID, or a part of its description")
    parser.add_argument("--overwrite", action="store_true", help="replace a mask that is there already")


def run(options: argparse.Namespace) -> int:
    """Draft; prints the volumes, so that a wrong draft is noticed at once."""
    import sys

    from LungSegResNetLib.files.reading import read_ct
    from LungSegResNetLib.files.writing import write_mask
    from LungSegResNetLib.jobs.outputs import Outputs
    from LungSegResNetLib.labels import LUNG_SEGMENTS

    from ..data.draft_mask import draft_lungs

    Outputs(masks=(options.out,)).check(options.ct, options.overwrite)
    ct, warnings = read_ct(options.ct, options.series)
    for text in warnings:
        print(f"warning: {text}", file=sys.stderr)
    labels = draft_lungs(ct)
    write_mask(options.out, labels, ct, overwrite=options.overwrite)
    for segment in LUNG_SEGMENTS:
        print(f"{segment.name}: {(labels == segment.label).sum() * ct.voxel_ml:.0f} ml")
    print(f"Draft: {options.out} (dense disease is not in it; correct it before training on it)")
    return 0

"""``lungsegresnet-train mean NETWORK NETWORK... --out FILE``."""

from __future__ import annotations

import argparse

from LungSegResNetLib.command_line.values import given_path

SUMMARY = "average the weights of networks that were fine-tuned from one another"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the subcommand."""
    parser.add_argument(
        "networks", nargs="+", metavar="NETWORK", help="network file, or 'shipped'; one given twice counts twice"
    )
    parser.add_argument(
        "--out", type=given_path, required=True, metavar="FILE", help="network file to write (.safetensors)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a network that exists")


def run(options: argparse.Namespace) -> int:
    """Write the mean; prints what it is the mean of."""
    from ..training.training_record import TrainingRecord
    from ..training.weight_mean import write_mean

    card = write_mean(options.networks, options.out, overwrite=options.overwrite)
    print(f"Mean of {', '.join(TrainingRecord.of(card).mean_of)}: {options.out}")
    return 0

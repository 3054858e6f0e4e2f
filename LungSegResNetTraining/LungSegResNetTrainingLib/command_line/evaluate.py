"""``lungsegresnet-train evaluate MODEL DATASET --out REPORT``."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "judge a network on the validation cases of a data set, beside plain thresholding"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the subcommand."""
    parser.add_argument("model", type=Path, help="network file, or 'shipped' for the one that comes with the product")
    parser.add_argument("dataset", type=Path, help="CSV as for fit")
    parser.add_argument("--out", type=Path, required=True, metavar="REPORT", help="folder for tables and pictures")
    parser.add_argument("--split", default="validation", help="cases to judge (default: validation)")
    parser.add_argument("--device", choices=("auto", "cuda", "mps", "cpu"), default="auto")
    parser.add_argument("--no-baseline", action="store_true", help="leave out the thresholding beside it")


def run(options: argparse.Namespace) -> int:
    """Evaluate; writes tables and overlays and prints the summary."""
    from LungSegResNetLib.engines import EngineSettings, load_engine

    from ..cases import read_cases
    from ..evaluation import evaluate, summary_markdown, write_tables

    model = None if str(options.model) == "shipped" else options.model
    engine = load_engine(EngineSettings(device=options.device, model=model))
    cases = [case for case in read_cases(options.dataset) if case.split == options.split]
    results = evaluate(
        cases,
        engine.predictor,
        options.out,
        with_baseline=not options.no_baseline,
        on_case=lambda result: print(result.line(), flush=True),
    )
    write_tables(results, options.out)
    print(summary_markdown(results))
    return 0

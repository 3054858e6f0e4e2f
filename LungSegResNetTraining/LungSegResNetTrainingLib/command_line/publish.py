"""``lungsegresnet-train publish NETWORK DATASET --report REPORT --out FILE``."""

from __future__ import annotations

import argparse

from LungSegResNetLib.command_line.values import given_path

SUMMARY = "make a network file to hand on: with its data, figures, licence and model card"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the subcommand."""
    parser.add_argument("network", type=given_path, help="network.safetensors of a finished run")
    parser.add_argument("dataset", type=given_path, help="all cases that it was trained and evaluated on, as for fit")
    parser.add_argument("--report", type=given_path, required=True, help="folder written by evaluate")
    parser.add_argument(
        "--folds-of",
        type=given_path,
        metavar="RUNS",
        help="of a network that was trained on all patients: REPORT is of the cross-validation in this folder, which "
        "fit --folds wrote with the same settings",
    )
    parser.add_argument(
        "--out",
        type=given_path,
        required=True,
        metavar="FILE",
        help="network file to write (.safetensors), with MODEL_CARD.md beside it; a collections.csv in that folder "
        "(columns doi, collection) names the collections of the data, a row without a doi those that have none",
    )
    parser.add_argument("--name", required=True, help="of the network, as users see it")
    parser.add_argument("--version", required=True, help="of the network, such as 1.0.0")
    parser.add_argument("--licence", default="Apache-2.0", help="licence of the weights (default: Apache-2.0)")
    parser.add_argument(
        "--limits",
        type=given_path,
        required=True,
        metavar="FILE",
        help="text with a known failure or a limit of the data (whom it was not trained on) in each line",
    )
    parser.add_argument(
        "--section",
        type=given_path,
        metavar="FILE",
        help="Markdown with its own heading to put into the card, such as a table",
    )
    parser.add_argument(
        "--numbered",
        action="store_true",
        help="numbers instead of the names of cases in network and card; which is which is written into REPORT",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace a network, a model card and a list of numbers that exist"
    )


def run(options: argparse.Namespace) -> int:
    """Write the network and its card."""
    from LungSegResNetLib.atomic import refuse_existing

    from ..data.data_set import list_data_set
    from ..evaluation.case_numbers import key_path
    from ..evaluation.publishing import MODEL_CARD, Publication, publish

    key = key_path(options.report, options.out) if options.numbered else None
    refuse_existing(options.out, options.out.with_name(MODEL_CARD), key, overwrite=options.overwrite)
    publication = Publication(
        options.name,
        options.version,
        options.licence,
        options.limits,
        options.section,
        options.numbered,
        options.folds_of,
    )
    found = list_data_set(options.dataset)
    card = publish(
        options.network,
        found.cases + [item.case for item in found.left_out if item.case],  # a run may have taken doubtful ones
        options.report,
        options.out,
        publication,
        tell=print,
    )
    for figure, value in card.figures.items():
        print(f"{figure}: {value}")
    print(f"Written: {options.out} and {MODEL_CARD} beside it")
    return 0

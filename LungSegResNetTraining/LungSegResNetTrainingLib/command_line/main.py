"""Entry point of ``lungsegresnet-train``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from LungSegResNetLib.command_line.program import Program

PROGRAM = Program(
    name="lungsegresnet-train",
    description="Train and evaluate lung segmentation networks on your own scans. Nothing leaves your computers.",
    package="LungSegResNetTrainingLib.command_line",
    commands={
        "check": "check",
        "draft": "draft",
        "fit": "fit",
        "mean": "mean",
        "evaluate": "evaluate",
        "publish": "publish",
    },
    extra="train",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    return PROGRAM.main(arguments)


if __name__ == "__main__":
    sys.exit(main())

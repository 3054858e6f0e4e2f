"""Entry point of ``lungsegresnet``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from .program import Program

PROGRAM = Program(
    name="lungsegresnet",
    description="Segment lungs in chest CT, measure them, and compare masks. Nothing leaves your computers.",
    package="LungSegResNetLib.command_line",
    commands={
        "segment": "segment",
        "segment-folder": "segment_folder",
        "measure": "measure",
        "compare": "compare",
        "info": "info",
    },
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    return PROGRAM.main(arguments)


if __name__ == "__main__":
    sys.exit(main())

"""Entry point of ``lungsegresnet``: parses, runs one subcommand, turns errors into a sentence and an exit code."""

from __future__ import annotations

import argparse
import importlib
import json
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from .. import __version__
from ..errors import Cancelled, LungSegError

# Imported only when needed, so that --help answers at once; each has SUMMARY, add_arguments and run.
_COMMANDS = {
    "segment": "segment",
    "segment-folder": "segment_folder",
    "measure": "measure",
    "compare": "compare",
    "info": "info",
}

_EPILOG = """exit codes:
  0  done
  1  unexpected problem
  2  wrong options
  3  the input cannot be read or is not a chest CT
  4  the output cannot be written or exists already
  5  the network file cannot be used
  6  the device or engine is not there or has too little memory
  7  segment-folder: some cases failed
130  stopped by the user
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    command = importlib.import_module(f".{_COMMANDS[options.command]}", __package__)
    signal.signal(signal.SIGTERM, _stop)
    try:
        return int(command.run(options))
    except LungSegError as error:
        return _fail(options, str(error), error.exit_code)
    except KeyboardInterrupt:
        return _fail(options, "Stopped; no unfinished file was left behind.", Cancelled.exit_code)
    except MemoryError:
        return _fail(
            options, "There is not enough memory for this scan; close other programs or use a larger computer.", 6
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lungsegresnet",
        description="Segment lungs in chest CT, measure them, and compare masks. Nothing leaves this computer.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"LungSegResNet {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module_name in _COMMANDS.items():
        module = importlib.import_module(f".{module_name}", __package__)
        module.add_arguments(commands.add_parser(name, help=module.SUMMARY, description=module.SUMMARY))
    return parser


def _stop(_signal: int, _frame: FrameType | None) -> None:
    """A termination request ends a run as Ctrl-C does, so that temporary files are removed."""
    raise KeyboardInterrupt


def _fail(options: argparse.Namespace, text: str, exit_code: int) -> int:
    if getattr(options, "progress", None) == "json":
        print(json.dumps({"event": "error", "text": text, "exit_code": exit_code}), file=sys.stderr, flush=True)
    else:
        print(f"lungsegresnet: {text}", file=sys.stderr)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())

"""What every command here shares: subcommands imported when needed, errors as a sentence and an exit code."""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib
import io
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import __version__
from ..errors import (
    EXIT_CODES,
    STOPPED_EXIT_CODE,
    UNEXPECTED_EXIT_CODE,
    DeviceError,
    LungSegError,
    OutputError,
    OutputExistsError,
)
from ..jobs.event_names import ERROR
from ..process_exit import stop_on_signals

_EXIT_CODES = "exit codes:\n" + "".join(f"{code:3}  {meaning}\n" for code, meaning in EXIT_CODES.items())


@dataclass(frozen=True)
class Program:
    """A command with subcommands; each module of ``package`` has SUMMARY, add_arguments(parser) and run(options).

    ``extra`` is that of ``pyproject.toml`` whose packages the subcommands import as if they were always there.
    """

    name: str
    description: str
    package: str
    commands: dict[str, str]
    extra: str = ""

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Run the command line; returns the exit code."""
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:  # closed by whoever started this
                setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  for the whole process
            stream = getattr(sys, name)
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # names of files need not be text everywhere
        options = argparse.Namespace()
        try:
            stop_on_signals()
            options = self._parser().parse_args(arguments)  # which takes a moment, in which Ctrl-C may come
            command = importlib.import_module(f"{self.package}.{self.commands[options.command]}")
            exit_code = int(command.run(options))
            sys.stdout.flush()  # what cannot be written shows here, and not when Python ends
            return exit_code
        except OutputExistsError as error:
            # Panels, which ask for JSON, have their own ways to replace a file.
            hint = " To replace it, give --overwrite." if hasattr(options, "overwrite") and not _json(options) else ""
            return self._fail(options, f"{error}{hint}", error.exit_code)
        except LungSegError as error:
            return self._fail(options, str(error), error.exit_code)
        except KeyboardInterrupt:
            return self._fail(options, "Stopped; no unfinished file was left behind.", STOPPED_EXIT_CODE)
        except ModuleNotFoundError as error:
            if not self.extra:
                raise
            text = f"{error.name} is not installed; install it with: pip install 'lungsegresnet[{self.extra}]'."
            return self._fail(options, text, DeviceError.exit_code)
        except BrokenPipeError:
            _discard_output()
            return STOPPED_EXIT_CODE
        except OSError as error:
            if sys.platform == "win32" and error.errno == errno.EINVAL and not error.filename:
                _discard_output()  # a pipe that was closed has this error there
                return STOPPED_EXIT_CODE
            name = f"{error.filename}: " if error.filename else ""
            is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)  # as what the standard output is sent to
            exit_code = OutputError.exit_code if is_full else UNEXPECTED_EXIT_CODE
            return self._fail(options, f"{name}{error.strerror or error}.", exit_code)
        except MemoryError:
            text = "There is not enough memory; close other programs or use a larger computer."
            return self._fail(options, text, DeviceError.exit_code)

    def _parser(self) -> argparse.ArgumentParser:
        parser = argparse.ArgumentParser(
            prog=self.name,
            description=self.description,
            epilog=_EXIT_CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("--version", action="version", version=f"LungSegResNet {__version__}")
        commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
        for name, module_name in self.commands.items():
            module = importlib.import_module(f"{self.package}.{module_name}")
            module.add_arguments(commands.add_parser(name, help=module.SUMMARY, description=module.SUMMARY))
        return parser

    def _fail(self, options: argparse.Namespace, text: str, exit_code: int) -> int:
        if _json(options):
            print(json.dumps({"event": ERROR, "text": text, "exit_code": exit_code}), file=sys.stderr, flush=True)
        else:
            print(f"{self.name}: {text}", file=sys.stderr)
        return exit_code


def _json(options: argparse.Namespace) -> bool:
    return getattr(options, "progress", None) == "json"


def _discard_output() -> None:
    """Whoever read the output has enough of it; Python would try to write the rest when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # one without a file of the system, as in a test
            os.dup2(nowhere, stream.fileno())

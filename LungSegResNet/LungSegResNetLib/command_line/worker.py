"""The command line as a child of another program: it does one command after another, with what it has loaded.

- A request is a line on standard input: the arguments of a command as a JSON list of texts.
- The answer is JSON lines on standard error: the events of the command (with ``--progress json``) and then
  ``{"event": "end", "exit_code": ..., "output": ...}`` with what the command printed.

The process ends when its standard input is closed, also in the middle of a command. The other program may be stopped
by force, and launchers may lie between the two; a closed pipe reaches this process in all these cases and on every
system, while a signal may end the launcher only. It ends by itself, too, after a time without a request, so that
memory and graphics card are free again, and after a failure that may have left it in an unknown state.
"""

from __future__ import annotations

import _thread
import contextlib
import io
import json
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import NoReturn

from ..errors import STOPPED_EXIT_CODE, UNEXPECTED_EXIT_CODE, DeviceError, UsageError
from ..jobs.event_names import END, ERROR
from ..process_exit import exit_now
from .main import main

_IDLE_SECONDS, _IDLE_SECONDS_ON_WINDOWS = 600.0, 60.0
_GRACE_SECONDS = 0.5
_PEEK_SECONDS = 0.05
# Unexpected, out of memory, stopped: the next command gets a process of its own.
_LAST_EXIT_CODES = (UNEXPECTED_EXIT_CODE, DeviceError.exit_code, STOPPED_EXIT_CODE)


def idle_seconds_on(platform: str) -> float:
    """Time without a request after which the process ends on that ``sys.platform``."""
    # Windows does not let files of loaded libraries be replaced: as long as this process waits, nobody can install
    # PyTorch or OpenVINO anew, as another extension may.
    return _IDLE_SECONDS_ON_WINDOWS if platform == "win32" else _IDLE_SECONDS


def serve(command_line: Callable[[list[str]], int], idle_seconds: float | None = None) -> int:
    """Do the commands that come on standard input; returns 0 when there will be no more.

    Parameters
    ----------
    command_line : does one command, as ``main`` does; returns its exit code.
    idle_seconds : time without a request after which the process ends; None: `idle_seconds_on` this system.
    """
    idle_seconds = idle_seconds_on(sys.platform) if idle_seconds is None else idle_seconds
    requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
    with contextlib.suppress(queue.Empty, KeyboardInterrupt):
        while (request := requests.get(timeout=idle_seconds)) is not None:
            if _answer(command_line, request) in _LAST_EXIT_CODES:
                break
    return 0


def _read_requests(requests: queue.SimpleQueue[bytes | None]) -> None:
    """Pass lines on; interrupt the main thread, and then end the process, once standard input is closed."""
    unfinished = b""
    for part in _parts_of_input():
        *lines, unfinished = (unfinished + part).split(b"\n")
        for line in lines:
            requests.put(line)
    requests.put(None)
    _thread.interrupt_main()
    time.sleep(_GRACE_SECONDS)  # as a rule the command ends by itself
    exit_now(STOPPED_EXIT_CODE)


def _parts_of_input() -> Iterator[bytes]:
    """What comes on standard input until it is closed. Not by sys.stdin: its lock would be held when Python ends."""
    if sys.platform != "win32":
        while part := os.read(0, 65536):
            yield part
        return
    import _winapi
    import msvcrt

    # Windows makes whoever asks for the state of a pipe wait for a read that is under way, and libraries ask as they
    # are loaded (https://github.com/numpy/numpy/issues/24290): only what is there already is read.
    pipe = msvcrt.get_osfhandle(0)
    with contextlib.suppress(OSError):  # the other end was closed
        while True:
            if there := int(_winapi.PeekNamedPipe(pipe, 0)[0]):
                yield os.read(0, there)
            else:
                time.sleep(_PEEK_SECONDS)


def _answer(command_line: Callable[[list[str]], int], request: bytes) -> int:
    output = io.StringIO()
    try:
        with contextlib.redirect_stdout(output):
            exit_code = command_line(_arguments(request))
    except UsageError as error:
        exit_code = error.exit_code
        _send(event=ERROR, text=str(error), exit_code=exit_code)
    except SystemExit as end:  # wrong options, or help
        exit_code = end.code if isinstance(end.code, int) else 0
    except Exception:
        traceback.print_exc()
        exit_code = UNEXPECTED_EXIT_CODE
    _send(event=END, exit_code=exit_code, output=output.getvalue())
    return exit_code


def _arguments(request: bytes) -> list[str]:
    try:
        arguments = json.loads(request)
    except ValueError:
        arguments = None
    if not isinstance(arguments, list) or not all(isinstance(text, str) for text in arguments):
        raise UsageError("A request must be one line with a JSON list of texts, the arguments of a command.")
    return arguments


def _send(**fields: object) -> None:
    # In a line of its own, whatever a library left unfinished before it.
    print(f"\n{json.dumps(fields)}", file=sys.stderr, flush=True)


def serve_and_end(command_line: Callable[[list[str]], int]) -> NoReturn:
    """Do the commands that come on standard input, and end at once when there will be no more.

    Libraries that Python unloads may linger (https://github.com/openvinotoolkit/openvino/issues/32423), when nothing
    is left that would end the process.
    """
    exit_now(serve(command_line))


if __name__ == "__main__":
    serve_and_end(main)

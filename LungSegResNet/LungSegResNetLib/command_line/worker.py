"""The command line as a child of another program: it ends when its standard input is closed.

The other program may be stopped by force, and launchers may lie between the two; a closed pipe reaches this process
in all these cases and on every system, while a signal may end the launcher only.
"""

from __future__ import annotations

import _thread
import os
import sys
import threading
import time

from .main import main

_GRACE_SECONDS = 0.5


def end_with_standard_input() -> None:
    """Interrupt the main thread, and then end the process, once standard input is closed."""

    def watch() -> None:
        # Not sys.stdin: its lock would be held when Python ends.
        while os.read(0, 1024):
            pass
        _thread.interrupt_main()
        time.sleep(_GRACE_SECONDS)  # time to remove unfinished files
        os._exit(130)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    end_with_standard_input()
    sys.exit(main())

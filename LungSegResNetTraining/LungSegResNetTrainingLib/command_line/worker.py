"""``lungsegresnet-train`` as a child of another program: it ends when its standard input is closed."""

from __future__ import annotations

import sys

from LungSegResNetLib.command_line.worker import end_with_standard_input

from .main import main

if __name__ == "__main__":
    end_with_standard_input()
    sys.exit(main())

"""``lungsegresnet-train`` as a child of another program."""

from __future__ import annotations

import sys

from LungSegResNetLib.command_line.worker import serve

from .main import main

if __name__ == "__main__":
    sys.exit(serve(main))

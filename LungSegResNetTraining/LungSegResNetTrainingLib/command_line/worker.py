"""``lungsegresnet-train`` as a child of another program."""

from __future__ import annotations

from LungSegResNetLib.command_line.worker import serve_and_end

from .main import main

if __name__ == "__main__":
    serve_and_end(main)

"""Whether two paths are one file or folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def place(path: Path) -> Path:
    """Equal for names of the same file or folder, also where capital letters make no other one; it need not exist.

    Unlike methods of Path, this raises no error at a link in a circle or a folder that cannot be read.
    """
    real = os.path.realpath(path)
    return Path(real.casefold() if sys.platform in ("win32", "darwin") else real)

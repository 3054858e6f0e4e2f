"""Reload of a module in Slicer's developer mode, which executes the module's own file only."""

from __future__ import annotations

import sys


def forgetPackages(*names: str) -> None:
    """Have the next import of these packages, and of what is in them, read their files again."""
    for loaded in [module for module in sys.modules if module.partition(".")[0] in names]:
        del sys.modules[loaded]

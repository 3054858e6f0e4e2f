"""Shared by all tests: the test-data makers and the packages on the path."""

from __future__ import annotations

import sys
from pathlib import Path

# The packages too, though they are installed: the folders of tests bear their names, and Python takes a folder for
# a package without ``__init__`` where an editable installation comes later in the search than the path.
_HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(_HERE.parent / "LungSegResNet"), str(_HERE.parent / "LungSegResNetTraining"), str(_HERE)]

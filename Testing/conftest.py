"""Shared by all tests: the folder of test-data makers on the path, and one thread per pool (tests run on two cores)."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

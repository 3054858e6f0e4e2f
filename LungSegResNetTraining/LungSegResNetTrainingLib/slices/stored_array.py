"""An array that stays on disk: only what is indexed is read, and nothing stays open or in memory afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class StoredArray:
    """The array of a ``.npy`` file; indexing gives a copy of that part.

    A data set has thousands of them: a mapping kept for each would use up the files a process may hold open, its
    touched pages would count as memory, and a worker process that is not forked would be sent the whole content.
    """

    path: Path
    shape: tuple[int, ...]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        return np.array(np.load(self.path, mmap_mode="r")[index])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[...], dtype=dtype)

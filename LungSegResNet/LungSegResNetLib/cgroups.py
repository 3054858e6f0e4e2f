"""Limits that a container, or the job of a cluster, sets on Linux; elsewhere there are none."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

_OWN_GROUPS = Path("/proc/self/cgroup")
_ALL_GROUPS = Path("/sys/fs/cgroup")


def limits(name: str) -> Iterator[str]:
    """Texts of the files of this name in the groups that this process is in, and in those that hold them.

    Within a container, groups may be named as outside of it; what is its own lies at the top then.
    """
    try:
        lines = _OWN_GROUPS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, _, controllers_and_path = line.partition(":")
        controllers, _, path = controllers_and_path.partition(":")
        top = _ALL_GROUPS / controllers  # of version 2, which names none, all lie in one
        own = top / path.lstrip("/")
        for folder in (own, *own.parents):
            with contextlib.suppress(OSError):
                yield (folder / name).read_text(encoding="utf-8").strip()
            if folder == top:
                break

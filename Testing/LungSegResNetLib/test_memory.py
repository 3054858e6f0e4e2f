"""Cores and memory that a container or a job may use, told by files as Linux has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from LungSegResNetLib import cgroups
from LungSegResNetLib.cores import cores
from LungSegResNetLib.jobs.local_run import LocalRun
from LungSegResNetLib.memory import memory
from LungSegResNetLib.network.engines import EngineSettings

GB = 1_000_000_000
Groups = Callable[[str, dict[str, str]], None]


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Groups:
    """Writes what the system says of the groups of this process, and the files of groups."""
    monkeypatch.setattr(cgroups, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(cgroups, "_ALL_GROUPS", tmp_path / "all")

    def write(own: str, files: dict[str, str]) -> None:
        (tmp_path / "own").write_text(own)
        for name, text in files.items():
            (tmp_path / "all" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "all" / name).write_text(f"{text}\n")

    return write


@pytest.fixture
def without_limits(groups: Groups) -> tuple[int, int]:
    """Cores and bytes of this machine."""
    available = memory()
    assert available is not None
    return cores(), available


def test_the_memory_of_the_machine_is_that_which_the_system_tells(without_limits: tuple[int, int]) -> None:
    assert without_limits[1] == psutil.virtual_memory().total


@pytest.mark.parametrize(
    ("own", "files"),
    [
        ("0::/job/step\n", {"job/step/memory.max": "max", "job/memory.max": "1000000", "memory.max": "2000000"}),
        ("0::/\n", {"memory.max": "1000000"}),
        ("0::/named/as/outside\n", {"memory.max": "1000000"}),
        (
            "5:memory:/slurm/job\n3:cpu,cpuacct:/slurm\n",
            {
                "memory/slurm/job/memory.limit_in_bytes": "1000000",
                "memory/memory.limit_in_bytes": "9223372036854771712",
            },
        ),
    ],
)
def test_the_least_limit_of_all_groups_counts(own: str, files: dict[str, str], groups: Groups) -> None:
    groups(own, files)
    assert memory() == 1_000_000


@pytest.mark.parametrize(("text", "least"), [("max 100000", 0), ("150000 100000", 1), ("20000 100000", 1), ("odd", 0)])
def test_the_quota_of_a_container_limits_the_cores(
    text: str, least: int, groups: Groups, without_limits: tuple[int, int]
) -> None:
    groups("0::/\n", {"cpu.max": text})
    assert cores() == (least or without_limits[0])


@pytest.mark.parametrize(("gigabytes", "processes"), [(1, 1), (5, 1), (7, 2), (1000, 2)])
def test_no_more_cases_at_a_time_than_memory_suffices_for(
    gigabytes: int, processes: int, groups: Groups, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("LungSegResNetLib.jobs.local_run.cores", lambda: 2)
    monkeypatch.setattr("LungSegResNetLib.memory._of_machine", lambda: (64 * GB,))
    groups("0::/\n", {"memory.max": str(gigabytes * GB)})
    assert LocalRun(EngineSettings(device="cpu"))._suitable() == processes

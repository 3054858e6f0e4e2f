"""Cores and memory that a container or a job may use, told by files as Linux has them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import torch

from LungSegResNetLib import cgroups
from LungSegResNetLib.cores import cores, limited_cores
from LungSegResNetLib.jobs.local_run import LocalRun
from LungSegResNetLib.memory import memory
from LungSegResNetLib.network.engines import EngineSettings, load_engine
from LungSegResNetLib.network.openvino_predictor import OpenVinoPredictor

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


def _version_1(quota: str) -> tuple[str, dict[str, str]]:
    folder = "cpu,cpuacct/docker/abc"
    return "5:cpu,cpuacct:/docker/abc\n", {f"{folder}/cpu.cfs_quota_us": quota, f"{folder}/cpu.cfs_period_us": "100000"}


@pytest.mark.parametrize(
    ("own", "files", "limit"),
    [
        ("0::/\n", {"cpu.max": "max 100000"}, None),
        ("0::/\n", {"cpu.max": "350000 100000"}, 3),
        ("0::/\n", {"cpu.max": "20000 100000"}, 1),
        ("0::/\n", {"cpu.max": "odd"}, None),
        ("0::/job\n", {"job/cpu.max": "200000 100000", "cpu.max": "300000 100000"}, 2),
        (*_version_1("200000"), 2),
        (*_version_1("-1"), None),
        (*_version_1("800000"), None),  # all that the process may run on
    ],
)
def test_the_quota_of_a_container_limits_the_cores(
    own: str, files: dict[str, str], limit: int | None, groups: Groups, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    groups(own, files)
    assert limited_cores() == limit
    assert cores() == (limit or 8)


def test_the_network_gets_one_lane_of_one_thread_under_a_quota_of_one_core(groups: Groups, quick_network: Path) -> None:
    groups("0::/\n", {"cpu.max": "100000 100000"})
    predictor = load_engine(EngineSettings("openvino", "cpu", quick_network)).predictor
    assert isinstance(predictor, OpenVinoPredictor)
    (lane,) = predictor._lanes
    assert lane.passes.finest((False, False)).get_property("INFERENCE_NUM_THREADS") == 1


def test_pytorch_gets_the_cores_of_the_quota(
    groups: Groups, quick_network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = torch.get_num_threads()
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1}, raising=False)
    groups("0::/\n", {"cpu.max": "100000 100000"})
    try:
        torch.set_num_threads(2)
        load_engine(EngineSettings("torch", "cpu", quick_network))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("gigabytes", "processes"), [(1, 1), (5, 1), (7, 2), (1000, 2)])
def test_no_more_cases_at_a_time_than_memory_suffices_for(
    gigabytes: int, processes: int, groups: Groups, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("LungSegResNetLib.jobs.local_run.cores", lambda: 2)
    monkeypatch.setattr("LungSegResNetLib.memory._of_machine", lambda: (64 * GB,))
    groups("0::/\n", {"memory.max": str(gigabytes * GB)})
    assert LocalRun(EngineSettings(device="cpu"))._suitable() == processes

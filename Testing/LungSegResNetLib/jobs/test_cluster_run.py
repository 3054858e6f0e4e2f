"""Folder runs on a Dask cluster: two worker processes of this machine."""

from __future__ import annotations

import csv
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dask
import pytest
import SimpleITK as sitk
from archives import Record, killer, write_archive
from distributed import LocalCluster
from synthetic_thorax import Thorax

from LungSegResNetLib.command_line.main import main
from LungSegResNetLib.jobs.cluster_run import ClusterRun
from LungSegResNetLib.jobs.folder_cases import find_cases
from LungSegResNetLib.jobs.folder_job import run_folder
from LungSegResNetLib.jobs.mask_options import MaskOptions
from LungSegResNetLib.network.engines import EngineSettings


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        yield cluster


def test_a_killed_worker_s_case_is_done_by_another_and_each_result_appears_once(
    cluster: LocalCluster, tmp_path: Path, quick_network: Path
) -> None:
    archive, out = write_archive(tmp_path / "in", "abc"), tmp_path / "out"
    (archive / "broken.nii.gz").write_text("this is no image")
    record = Record()
    run = ClusterRun(cluster.scheduler_address, EngineSettings(model=quick_network), out / "results.csv")
    with killer(out, {"a": 1}):
        rows = run_folder(
            find_cases(archive, out), out, run, record, ending=".seg.nrrd", model=quick_network, options=MaskOptions()
        )

    statuses = {row["case"]: row["status"] for row in rows}
    assert statuses == {"a": "done", "b": "done", "c": "done", "broken": "failed"}
    table = list(csv.DictReader((out / "results.csv").open()))
    assert {row["case"]: row["status"] for row in table} == statuses
    assert len(table) == 4
    assert record.statuses("a")[:2] == ["running", "running"]
    ends = [event.case for event in record.events if event.status != "running"]
    assert sorted(ends) == sorted(statuses)
    assert sorted(path.name for path in out.glob("*.seg.nrrd")) == ["a.seg.nrrd", "b.seg.nrrd", "c.seg.nrrd"]


def test_a_case_that_ends_its_worker_each_time_costs_none_of_those_that_were_done_beside_it(
    tmp_path: Path, quick_network: Path
) -> None:
    archive, out = write_archive(tmp_path / "in", "abcdef"), tmp_path / "out"
    image, _ = Thorax().scan((1.0, 1.0, 3.0))
    sitk.WriteImage(image, str(archive / "a.nii.gz"))  # takes longer than the others
    record = Record()
    with (
        LocalCluster(n_workers=1, threads_per_worker=4, processes=True, dashboard_address=None) as cluster,
        killer(out, {"a": 99}, beside="bcd"),
    ):
        run = ClusterRun(cluster.scheduler_address, EngineSettings(model=quick_network), out / "results.csv")
        rows = run_folder(
            find_cases(archive, out), out, run, record, ending=".seg.nrrd", model=quick_network, options=MaskOptions()
        )
    assert {row["case"]: row["status"] for row in rows} == {"a": "failed"} | dict.fromkeys("bcdef", "done")
    assert "begun 3 times" in rows[0]["error"]
    assert record.statuses("b")[:2] == ["running", "running"]  # it was lost with a


def test_cases_that_a_scheduler_gives_up_with_the_first_lost_worker_are_handed_out_again(
    tmp_path: Path, quick_network: Path
) -> None:
    archive, out = write_archive(tmp_path / "in", "abc"), tmp_path / "out"
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        killer(out, {"a": 1}),
    ):
        run = ClusterRun(cluster.scheduler_address, EngineSettings(model=quick_network), out / "results.csv")
        rows = run_folder(
            find_cases(archive, out), out, run, Record(), ending=".seg.nrrd", model=quick_network, options=MaskOptions()
        )
    assert [row["status"] for row in rows] == ["done"] * 3


def test_a_scan_that_a_worker_may_not_look_at_costs_no_other_case(
    cluster: LocalCluster, tmp_path: Path, quick_network: Path
) -> None:
    archive, out = write_archive(tmp_path / "in", "ab"), tmp_path / "out"
    cases = find_cases(archive, out)
    cases[0] = replace(cases[0], path=archive / f"{'m' * 300}.nii.gz")  # the system refuses to look
    run = ClusterRun(cluster.scheduler_address, EngineSettings(model=quick_network), out / "results.csv")
    rows = run_folder(cases, out, run, Record(), ending=".seg.nrrd", model=quick_network, options=MaskOptions())
    assert [row["status"] for row in rows] == ["failed", "done"]
    assert "cannot be seen from the worker" in rows[0]["error"]


def test_the_command_line_hands_the_cases_to_the_cluster_of_a_scheduler(
    cluster: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_archive(tmp_path / "in", "ab")
    monkeypatch.chdir(tmp_path)  # the workers are elsewhere
    assert main(["segment-folder", "in", "out", "--dask", cluster.scheduler_address]) == 0
    printed = capsys.readouterr()
    assert "2 segmented" in printed.out
    assert {line[:10] for line in printed.err.splitlines() if "warning" in line} == {"warning: a", "warning: b"}
    assert main(["segment-folder", "in", "out", "--dask", cluster.scheduler_address]) == 0
    assert "2 already done" in capsys.readouterr().out


def test_a_worker_that_does_not_see_the_output_folder_says_so(cluster: LocalCluster, tmp_path: Path) -> None:
    archive, out = write_archive(tmp_path / "in", "a"), tmp_path / "out"
    elsewhere = tmp_path / "only on the machine of the user" / "results.csv"
    run = ClusterRun(cluster.scheduler_address, EngineSettings(), elsewhere)
    rows = run_folder(
        find_cases(archive, out), out, run, Record(), ending=".seg.nrrd", model=None, options=MaskOptions()
    )
    assert rows[0]["status"] == "failed"
    assert "cannot be seen from the worker" in rows[0]["error"]
    assert [row["error"] for row in csv.DictReader((out / "results.csv").open())] == [rows[0]["error"]]


def test_a_worker_with_another_network_says_so_instead_of_segmenting(cluster: LocalCluster, tmp_path: Path) -> None:
    archive, out = write_archive(tmp_path / "in", "a"), tmp_path / "out"
    (tmp_path / "other.safetensors").write_bytes(b"the network of another version")
    run = ClusterRun(cluster.scheduler_address, EngineSettings(), out / "results.csv")
    (row,) = run_folder(
        find_cases(archive, out),
        out,
        run,
        Record(),
        ending=".seg.nrrd",
        model=tmp_path / "other.safetensors",  # as if this installation shipped it
        options=MaskOptions(),
    )
    assert row["status"] == "failed"
    assert "has a different network file from this run" in row["error"]
    assert list(out.glob("*.seg.nrrd")) == []


def test_a_network_that_no_worker_can_use_ends_the_run(
    cluster: LocalCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = write_archive(tmp_path / "in", "a")
    network = tmp_path / "network.safetensors"
    network.write_text("this is no network")
    options = ["--dask", cluster.scheduler_address, "--model", str(network)]
    assert main(["segment-folder", str(archive), str(tmp_path / "out"), *options]) == 5
    assert "network.safetensors" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "code", "text"),
    [("tcp://127.0.0.1:9", 6, "No Dask scheduler answers"), ("nowhere", 2, "not the address of a Dask scheduler")],
)
def test_a_wrong_address_is_one_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    code: int,
    text: str,
) -> None:
    monkeypatch.setattr("LungSegResNetLib.jobs.cluster_run._CONNECT_SECONDS", 0.5)
    archive = write_archive(tmp_path / "in", "a")
    assert main(["segment-folder", str(archive), str(tmp_path / "out"), "--dask", address]) == code
    error = capsys.readouterr().err
    assert text in error
    assert len(error.splitlines()) == 1


class Ended(Exception):
    """By a user who read what is told."""


def test_a_cluster_without_workers_is_told_before_the_cases_wait_for_one(tmp_path: Path) -> None:
    class Impatient(Record):
        def warning(self, text: str, case: str = "") -> None:
            raise Ended(text)

    archive, out = write_archive(tmp_path / "in", "a"), tmp_path / "out"
    with LocalCluster(n_workers=0, processes=True, dashboard_address=None) as empty:
        run = ClusterRun(empty.scheduler_address, EngineSettings(), out / "results.csv")
        cases, options = find_cases(archive, out), MaskOptions()
        first_worker = threading.Timer(20, empty.scale, [1])  # so that a run that waits for it ends some time
        first_worker.start()
        try:
            with pytest.raises(Ended, match="no worker yet"):
                run_folder(cases, out, run, Impatient(), ending=".seg.nrrd", model=None, options=options)
        finally:
            first_worker.cancel()


def test_without_dask_the_option_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = write_archive(tmp_path / "in", "a")
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["segment-folder", str(archive), str(tmp_path / "out"), "--dask", "tcp://host:1"]) == 6
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "lungsegresnet[cluster]" in error

"""A case of a folder run that is begun again, and masks that are somebody's."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from archives import write_archive
from predictors import Fixed

from LungSegResNetLib.errors import DeviceError, OutputError
from LungSegResNetLib.jobs.earlier_result import made_from
from LungSegResNetLib.jobs.engine_cache import cached_engine
from LungSegResNetLib.jobs.folder_task import FolderTask
from LungSegResNetLib.jobs.mask_options import MaskOptions
from LungSegResNetLib.jobs.reporting import NullReporter
from LungSegResNetLib.jobs.summary_file import Row
from LungSegResNetLib.jobs.task_run import do_task
from LungSegResNetLib.network.engines import EngineSettings, LoadedEngine


@pytest.fixture
def task(tmp_path: Path) -> FolderTask:
    source = write_archive(tmp_path / "in", "a") / "a.nii.gz"
    origin = made_from("a.nii.gz", "digest of the file", "digest of the network", MaskOptions())
    return FolderTask(
        "run", "a", 1, 1, source, tmp_path / "a.seg.nrrd", tmp_path / "a.summary.json", origin, MaskOptions()
    )


@pytest.fixture(scope="module")
def engine(quick_network: Path) -> LoadedEngine:
    return cached_engine(EngineSettings(model=quick_network))


def test_a_mask_that_no_run_has_begun_is_kept(task: FolderTask, engine: LoadedEngine) -> None:
    task.mask.write_text("corrected by hand")
    for _ in range(2):
        row = do_task(task, engine, NullReporter())
        assert row["status"] == "failed"
        assert "exists already" in row["error"]
    assert task.mask.read_text() == "corrected by hand"


def test_a_mask_whose_process_was_killed_before_it_said_so_is_taken(task: FolderTask, engine: LoadedEngine) -> None:
    first = do_task(task, engine, NullReporter())
    left = task.mask.stat().st_mtime_ns
    task.write_summary(task.started(1))
    row = do_task(task, engine, NullReporter())
    assert row["status"] == "done"
    assert row["measurements"] == first["measurements"]
    assert row["outputs"] == [str(task.mask)]
    assert task.mask.stat().st_mtime_ns == left
    assert sorted(path.name for path in task.mask.parent.iterdir()) == ["a.seg.nrrd", "a.summary.json", "in"]


def test_a_result_begun_on_windows_is_gone_on_with_elsewhere(task: FolderTask, engine: LoadedEngine) -> None:
    row = do_task(task, engine, NullReporter())
    task.write_summary({**row, "outputs": [r"D:\results\a.seg.nrrd"]})
    settled = dataclasses.replace(task, run="next").settled()
    assert settled is not None
    assert settled["outputs"] == [str(task.mask)]


def test_a_result_that_does_not_say_what_it_was_made_from_is_that_of_another_scan(task: FolderTask) -> None:
    task.mask.write_text("of another program")
    task.write_summary({"case": "a", "status": "done", "input": str(task.source), "outputs": [str(task.mask)]})
    settled = task.settled()
    assert settled is not None
    assert "from another scan" in settled["error"]


def test_a_mask_put_where_a_killed_process_had_begun_is_kept(task: FolderTask, engine: LoadedEngine) -> None:
    task.write_summary(task.started(1))
    task.mask.write_text("drawn by hand while nothing ran")
    row = do_task(task, engine, NullReporter())
    assert row["status"] == "failed"
    assert "exists already" in row["error"]
    assert task.mask.read_text() == "drawn by hand while nothing ran"
    replacing = dataclasses.replace(task, options=MaskOptions(overwrite=True))
    assert do_task(replacing, engine, NullReporter())["status"] == "done"


@pytest.mark.parametrize(
    "content",
    [
        {"status": "done", "outputs": None},
        {"status": "done", "outputs": [1]},
        {"status": "done", "outputs": ["a.seg.nrrd"], "made_from": {}},
        {"status": "done", "outputs": ["a.seg.nrrd"], "made_from": {"smoothing_mm": 0.0}},
        {"status": "done", "outputs": ["a.seg.nrrd"], "input": 7},
        {"status": "started", "starts": "x"},
        {"status": "started", "process": "x"},
        {"status": ["started"]},
        [["status", "done"]],
    ],
)
def test_a_file_that_only_has_the_name_of_a_summary_fails_its_case_and_is_kept(
    content: object, task: FolderTask, engine: LoadedEngine
) -> None:
    task.summary.write_text(json.dumps(content))
    assert task.starts() == 0
    assert task.settled() is None
    assert "a.summary.json exists already" in do_task(task, engine, NullReporter())["error"]
    assert json.loads(task.summary.read_text()) == content


@pytest.mark.parametrize("by_a_run", [True, False])
def test_a_mask_that_comes_while_its_case_is_done_is_kept(
    task: FolderTask, engine: LoadedEngine, by_a_run: bool
) -> None:
    class Meanwhile(NullReporter):
        def stage(self, name: str) -> None:
            if name == "write":
                task.mask.write_text("another's")
                if by_a_run:
                    done = {"case": "a", "status": "done", "slices": 99, "outputs": [str(task.mask)]}
                    task.write_summary(done | {"made_from": task.made_from})

    row = do_task(task, engine, Meanwhile())
    assert row["status"] == ("done" if by_a_run else "failed")
    assert row.get("slices") == (99 if by_a_run else None)
    assert task.mask.read_text() == "another's"


def test_a_case_that_was_begun_three_times_is_given_up_and_begun_anew_when_the_command_is_run_again(
    task: FolderTask, engine: LoadedEngine
) -> None:
    task.write_summary(task.started(3))
    later = dataclasses.replace(task, run="next")
    assert "begun 3 times" in do_task(later, engine, NullReporter())["error"]
    assert do_task(dataclasses.replace(task, run="last"), engine, NullReporter())["status"] == "done"


@pytest.mark.parametrize(("has_ended", "status"), [(False, "done"), (True, "failed")])
def test_a_case_that_other_runs_are_at_on_this_machine_is_not_given_up(
    task: FolderTask, engine: LoadedEngine, has_ended: bool, status: str
) -> None:
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        if has_ended:
            other.communicate()
        task.write_summary({**task.started(3), "process": other.pid})
        assert do_task(dataclasses.replace(task, run="next"), engine, NullReporter())["status"] == status
    finally:
        other.communicate()


def test_a_process_of_another_machine_is_not_looked_for_on_this_one(task: FolderTask, engine: LoadedEngine) -> None:
    task.write_summary({**task.started(3), "machine": "another", "process": os.getppid()})
    assert "begun 3 times" in do_task(dataclasses.replace(task, run="next"), engine, NullReporter())["error"]


def test_the_own_run_gives_a_case_up_though_the_process_that_began_it_is_still_there(
    task: FolderTask, engine: LoadedEngine
) -> None:
    task.write_summary({**task.started(3), "process": os.getppid()})
    assert do_task(task, engine, NullReporter())["status"] == "failed"


def test_a_stopped_case_leaves_the_summary_of_before(task: FolderTask, engine: LoadedEngine) -> None:
    class Stop(NullReporter):
        def progress(self, done: int, total: int) -> None:
            raise KeyboardInterrupt

    for earlier in ({}, task.failed("before")):
        if earlier:
            task.write_summary(earlier)
        with pytest.raises(KeyboardInterrupt):
            do_task(task, engine, Stop())
        assert task.read_summary() == earlier
        assert not task.mask.exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_case_stopped_after_its_mask_was_written_is_finished_by_the_next_run(
    task: FolderTask, engine: LoadedEngine, overwrite: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the moment in which the summary is to be written."""
    if overwrite:
        do_task(dataclasses.replace(task, made_from=task.made_from | {"network": "another"}), engine, NullReporter())
    write_summary = FolderTask.write_summary

    def stop(self: FolderTask, row: Row) -> None:
        if row["status"] == "done":
            raise KeyboardInterrupt
        write_summary(self, row)

    monkeypatch.setattr(FolderTask, "write_summary", stop)
    with pytest.raises(KeyboardInterrupt):
        do_task(dataclasses.replace(task, options=MaskOptions(overwrite=overwrite)), engine, NullReporter())
    monkeypatch.undo()
    assert task.mask.is_file()
    assert do_task(task, engine, NullReporter())["status"] == "done"
    assert task.read_summary()["made_from"] == task.made_from


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, None])
def test_a_disk_that_takes_nothing_ends_the_run_and_leaves_the_summary_of_before(
    task: FolderTask, monkeypatch: pytest.MonkeyPatch, reason: int | None
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OutputError("The disk takes nothing.") from (OSError(reason, os.strerror(reason)) if reason else None)

    monkeypatch.setattr("LungSegResNetLib.jobs.case_job.write_mask_into", refuse)
    if not reason:  # then it is the folder of all results that is forbidden
        monkeypatch.setattr("LungSegResNetLib.jobs.folder_task.is_writable", lambda folder: folder != task.mask.parent)
    with pytest.raises(OutputError, match="takes nothing"):
        do_task(task, LoadedEngine(Fixed(), "cpu", ""), NullReporter())
    assert task.read_summary() == {}


@pytest.mark.parametrize(
    "trouble",
    [OutputError("The mask cannot be written in this format."), MemoryError(), DeviceError("No memory on the card.")],
)
def test_trouble_of_one_case_fails_it_alone(
    task: FolderTask, engine: LoadedEngine, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise trouble

    monkeypatch.setattr("LungSegResNetLib.jobs.case_job.write_mask_into", fail)
    assert do_task(task, engine, NullReporter())["status"] == "failed"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_case_that_fails_leaves_what_is_told_of_an_earlier_result(
    task: FolderTask, engine: LoadedEngine, monkeypatch: pytest.MonkeyPatch, overwrite: bool
) -> None:
    first = do_task(task, engine, NullReporter())
    again = dataclasses.replace(task, options=MaskOptions(overwrite=True))
    if not overwrite:
        again = dataclasses.replace(task, mask=task.mask.with_name("a.nii.gz"))

    def fail(*arguments: object, **options: object) -> None:
        raise OutputError("The mask cannot be written in this format.")

    monkeypatch.setattr("LungSegResNetLib.jobs.case_job.write_mask_into", fail)
    assert do_task(again, engine, NullReporter())["status"] == "failed"
    monkeypatch.undo()
    assert task.read_summary() == first
    assert task.settled() == first


def test_a_problem_that_nobody_foresaw_fails_the_case_only(task: FolderTask, engine: LoadedEngine) -> None:
    class Odd(NullReporter):
        def progress(self, done: int, total: int) -> None:
            raise RuntimeError("out of luck")

    row = do_task(task, engine, Odd())
    assert row["status"] == "failed"
    assert "RuntimeError: out of luck" in row["error"]

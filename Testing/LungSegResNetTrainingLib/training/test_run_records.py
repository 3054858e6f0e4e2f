"""What a run writes down; other programs may hold its files open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from LungSegResNetLib.errors import InputError, OutputError
from LungSegResNetTrainingLib.training.progress import LoggedStep, Progress, ProgressLog
from LungSegResNetTrainingLib.training.run_files import CURVES, LOG
from LungSegResNetTrainingLib.training.run_records import RunRecords


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Callable[[], AbstractContextManager[object]]:
    """A context in which a spreadsheet on Windows refuses others the log; here opening it fails in the same way."""
    real_open = Path.open

    def refused(self: Path, mode: str = "r", *arguments, **options):
        if self.name == LOG and "r" not in mode:
            raise PermissionError(13, "Permission denied", str(self))
        return real_open(self, mode, *arguments, **options)

    @contextmanager
    def holding() -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "open", refused)
            yield

    return holding


def _stored(folder: Path) -> list[LoggedStep]:
    return ProgressLog(folder / LOG).steps


def _write_log(folder: Path) -> bytes:
    """The log of a run of four steps."""
    with RunRecords(folder, 0, lambda text: None) as records:
        for step, dice in ((1, None), (2, 0.9), (3, None), (4, 0.95)):
            records.add(Progress(step, 4, 0.5, 2.0, dice))
    return (folder / LOG).read_bytes()


def test_lines_wait_while_another_program_holds_the_file(tmp_path: Path, held) -> None:
    warnings: list[str] = []
    with RunRecords(tmp_path, 0, warnings.append) as records:
        warnings.clear()
        records.add(Progress(1, 4, 0.5, 2.0))
        with held():
            records.add(Progress(2, 4, 0.4, 2.0))
            records.add(Progress(3, 4, 0.3, 2.0))
        assert [logged.step for logged in _stored(tmp_path)] == [1]
        records.add(Progress(4, 4, 0.2, 2.0, 0.9))
        assert _stored(tmp_path) == [(1, 0.5, 2.0, None), (2, 0.4, 2.0, None), (3, 0.3, 2.0, None), (4, 0.2, 2.0, 0.9)]
    assert len(warnings) == 1
    assert warnings[0].startswith("progress.csv cannot be written; is it open in another program?")


def test_a_run_goes_on_while_another_program_holds_its_log(tmp_path: Path, held) -> None:
    before = _write_log(tmp_path)
    warnings: list[str] = []
    with held():
        records = RunRecords(tmp_path, 2, warnings.append)
        records.add(Progress(3, 4, 0.4, 2.0))
    assert sum(text.startswith(LOG) for text in warnings) == 1
    assert (tmp_path / LOG).read_bytes() == before
    assert records.log.steps == [(1, 0.5, 2.0, None), (2, 0.5, 2.0, 0.9), (3, 0.4, 2.0, None)]
    with records:
        records.add(Progress(4, 4, 0.3, 2.0))
    assert _stored(tmp_path) == records.log.steps


def test_the_curves_of_a_log_that_is_held_from_the_first_step_are_drawn(tmp_path: Path, held) -> None:
    (tmp_path / LOG).write_text("step,loss,slices_per_second,validation_dice\n", encoding="utf-8")
    with held(), RunRecords(tmp_path, 0, lambda text: None) as records:
        records.add(Progress(1, 4, 0.5, 2.0, 0.8))
    assert (tmp_path / CURVES).is_file()


def test_a_log_that_is_spoiled_while_a_run_writes_it_ends_no_training(tmp_path: Path) -> None:
    with RunRecords(tmp_path, 0, lambda text: None) as records:
        records.add(Progress(1, 4, 0.5, 2.0))
        (tmp_path / LOG).write_bytes(b"notes\n\xff\xfe\nof mine\n")
        records.add(Progress(2, 4, 0.4, 2.0, 0.8))
        assert records.log.steps == [(1, 0.5, 2.0, None), (2, 0.4, 2.0, 0.8)]


@pytest.mark.parametrize("decimals", [b".", b","])
def test_a_log_that_a_spreadsheet_saved_with_semicolons_is_kept(tmp_path: Path, decimals: bytes) -> None:
    before = _write_log(tmp_path)
    rows = _stored(tmp_path)
    saved = before.replace(b",", b";").replace(b".", decimals)
    assert saved != before
    (tmp_path / LOG).write_bytes(saved)
    with RunRecords(tmp_path, 4, lambda text: None) as records:
        assert records.log.steps == rows
    assert (tmp_path / LOG).read_bytes() == before


@pytest.mark.parametrize(
    ("line", "changed"),
    [(3, b"my,best,step,so far"), (3, b"2,0.5,\xff\xfe,"), (2, b"1\t0.5\t2.0\t"), (4, b"")],
    ids=["words", "no UTF-8", "tabs", "nothing"],
)
def test_a_log_that_is_not_as_a_run_writes_it_is_named_and_left_as_it_is(
    tmp_path: Path, line: int, changed: bytes
) -> None:
    lines = _write_log(tmp_path).splitlines(keepends=True)
    lines[line - 1] = changed + b"\r\n"
    (tmp_path / LOG).write_bytes(b"".join(lines))
    with pytest.raises(InputError, match=rf"{LOG} cannot be used: line {line} is not as a run writes it"):
        RunRecords(tmp_path, 4, lambda text: None)
    assert (tmp_path / LOG).read_bytes() == b"".join(lines)


@pytest.mark.parametrize("torn", [b"5", b"5,0.4,\xff", b"\0" * 200])
def test_a_torn_last_line_is_dropped_whatever_it_holds(tmp_path: Path, torn: bytes) -> None:
    before = _write_log(tmp_path)
    (tmp_path / LOG).write_bytes(before + torn)
    RunRecords(tmp_path, 4, lambda text: None).__exit__(None, None, None)
    assert (tmp_path / LOG).read_bytes() == before


def test_a_picture_that_cannot_be_replaced_is_a_warning(tmp_path: Path) -> None:
    warnings: list[str] = []
    (tmp_path / CURVES).mkdir()
    (tmp_path / CURVES / "something").touch()
    with RunRecords(tmp_path, 0, warnings.append) as records:
        warnings.clear()
        for step in (1, 2):
            records.add(Progress(step, 2, 0.5, 2.0, 0.8))
        assert len(records.log.steps) == 2
    (warning,) = warnings
    assert CURVES in warning
    assert "another program" not in warning
    assert warning.endswith("Training continues and tries again.")


def test_a_disk_that_is_full_from_the_beginning_ends_a_run_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(folder: str, purge_step: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("torch.utils.tensorboard.SummaryWriter", refused)
    with pytest.raises(OutputError, match="No space left on device"):
        RunRecords(tmp_path, 0, lambda text: None)

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.errors import OutputError, OutputInUseError

_KILLED_WHILE_WRITING = """
import os, sys
from LungSegResNetLib.atomic import write_atomically
with write_atomically(sys.argv[1], overwrite=True) as temporary:
    temporary.write_text("half of the new res")
    os._exit(9)
"""

_ENDED_WHILE_WRITING = """
import sys, time
from threading import Thread
from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.process_exit import exit_now
with write_atomically(sys.argv[1], overwrite=True) as temporary:
    temporary.write_text("half of the new res")
    Thread(target=exit_now, args=(9,)).start()
    time.sleep(60)
"""

_ENDED_WHILE_MAKING_THE_FILE_ANEW = """
import sys, time
from threading import Thread
from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.process_exit import exit_now
with write_atomically(sys.argv[1], overwrite=True) as temporary:
    temporary.touch()
    Thread(target=exit_now, args=(9,)).start()
    while temporary.exists():
        pass
    temporary.write_text("half of the new res")
    time.sleep(60)
"""

_BEGUN_AFTER_THE_END = """
import sys, time
from threading import Thread
from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.process_exit import exit_now, undone_on_exit
with undone_on_exit(lambda: time.sleep(1)):  # longer than the end waits
    Thread(target=exit_now, args=(9,)).start()
    time.sleep(0.1)
    with write_atomically(sys.argv[1], overwrite=True) as temporary:
        temporary.write_text("half of the new res")
        time.sleep(60)
"""


def test_a_new_file_appears_with_its_folder_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "results" / "lungs.nii.gz"
    with write_atomically(target, overwrite=False) as temporary:
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


@pytest.mark.parametrize("name", ["lungs.seg.nrrd", "lungs.nii.gz", "LUNGS.NII.GZ", "L.MHA", "t.csv", "n.safetensors"])
def test_the_temporary_file_has_the_ending_that_writers_look_at(tmp_path: Path, name: str) -> None:
    with write_atomically(tmp_path / name, overwrite=False) as temporary:
        temporary.write_text("new")
        assert temporary.parent == tmp_path
        assert temporary.name.endswith(name[name.index(".") :].lower())


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, ValueError])
def test_an_interrupted_write_leaves_the_old_file_and_no_temporary_one(
    tmp_path: Path, interruption: type[BaseException]
) -> None:
    target = tmp_path / "lungs.csv"
    target.write_text("old")

    def write_half() -> None:
        with write_atomically(target, overwrite=True) as temporary:
            temporary.write_text("half of the n")
            raise interruption

    with pytest.raises(interruption):
        write_half()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_process_that_dies_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "lungs.csv"
    target.write_text("old")
    assert subprocess.run([sys.executable, "-c", _KILLED_WHILE_WRITING, str(target)], check=False).returncode == 9
    assert target.read_text() == "old"


@pytest.mark.parametrize("script", [_ENDED_WHILE_MAKING_THE_FILE_ANEW] * 8 + [_BEGUN_AFTER_THE_END])
def test_what_another_thread_makes_while_a_process_ends_itself_does_not_stay(tmp_path: Path, script: str) -> None:
    target = tmp_path / "lungs.csv"
    assert subprocess.run([sys.executable, "-c", script, str(target)], check=False).returncode == 9
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_ends_itself_while_writing_leaves_no_temporary_file(tmp_path: Path) -> None:
    target = tmp_path / "lungs.csv"
    target.write_text("old")
    assert subprocess.run([sys.executable, "-c", _ENDED_WHILE_WRITING, str(target)], check=False).returncode == 9
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_existing_file_is_refused_unless_it_may_be_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "lungs.csv"
    target.write_text("old")
    with pytest.raises(OutputError, match=r"lungs\.csv exists already"), write_atomically(target, overwrite=False):
        pytest.fail("the writer must not even start")
    assert target.read_text() == "old"
    with write_atomically(target, overwrite=True) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"


def test_a_file_that_came_while_another_was_written_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "lungs.csv"

    def write_while_another_does() -> None:
        with write_atomically(target, overwrite=False) as temporary:
            temporary.write_text("new")
            target.write_text("another's")

    with pytest.raises(OutputError, match=r"lungs\.csv exists already"):
        write_while_another_does()
    assert target.read_text() == "another's"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    target = tmp_path / "results" / "lungs.csv"
    with pytest.raises(OutputError, match="could not be written") as caught, write_atomically(target, overwrite=True):
        pytest.fail("the writer must not even start")
    assert str(target) in str(caught.value)


def test_a_writer_that_writes_nothing_is_an_error_and_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "lungs.csv"
    target.write_text("old")
    with pytest.raises(OutputError), write_atomically(target, overwrite=True):
        pass
    assert target.read_text() == "old"


def test_a_file_that_another_process_reads_just_now_is_replaced_a_moment_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, where that is refused; this machine need not be one."""
    target = tmp_path / "lungs.csv"
    target.write_text("old")
    replace, refused = Path.replace, iter([True, True])

    def refusing(path: Path, to: Path) -> Path:
        if next(refused, False):
            raise PermissionError(13, "used by another process")
        return replace(path, to)

    monkeypatch.setattr(Path, "replace", refusing)
    with write_atomically(target, overwrite=True) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"


def test_a_file_that_another_program_keeps_open_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, where it cannot be replaced then; this machine need not be one."""
    target = tmp_path / "lungs.csv"
    target.write_text("old")

    def refuse(path: Path, to: Path) -> Path:
        raise PermissionError(13, "used by another process")

    monkeypatch.setattr(Path, "replace", refuse)
    with (
        pytest.raises(OutputInUseError, match="open in another program"),
        write_atomically(target, overwrite=True) as temporary,
    ):
        temporary.write_text("new")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_name_that_is_too_long_is_one_sentence(tmp_path: Path) -> None:
    target = tmp_path / f"{'x' * 300}.csv"
    with pytest.raises(OutputError, match="could not be written"), write_atomically(target, overwrite=False):
        pytest.fail("the writer must not even start")


def test_a_full_disk_is_told_where_a_library_does_not_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As NumPy does, whose error has no number."""

    def fail() -> None:
        with write_atomically(tmp_path / "array.npy", overwrite=False):
            raise OSError("160000 requested and 53184 written")

    with pytest.raises(OutputError, match="160000 requested"):
        fail()
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=4096))
    with pytest.raises(OutputError, match="The disk is full"):
        fail()

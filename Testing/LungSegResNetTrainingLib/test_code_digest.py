"""Stored results know the code that they were made with."""

from __future__ import annotations

from pathlib import Path

from LungSegResNetTrainingLib.code_digest import code_digest


def package(folder: Path, code: bytes = b"LEAST_ML = 1.0\nRIGHT = 1\n", name: str = "cleaning.py") -> Path:
    """Folder of a package with a module in a package below it."""
    (folder / "Lib" / "lungs").mkdir(parents=True)
    (folder / "Lib" / "__init__.py").touch()
    (folder / "Lib" / "lungs" / name).write_bytes(code)
    return folder / "Lib"


def test_the_digest_changes_with_code_and_with_names_of_modules(tmp_path: Path) -> None:
    packages = [
        package(tmp_path / "before"),
        package(tmp_path / "other value", b"LEAST_ML = 2.0\nRIGHT = 1\n"),
        package(tmp_path / "other name", name="washing.py"),
    ]
    assert len({code_digest([folder]) for folder in packages}) == len(packages)


def test_place_line_endings_and_compiled_files_leave_the_digest_as_it_is(tmp_path: Path) -> None:
    before, after = package(tmp_path / "here"), package(tmp_path / "there", b"LEAST_ML = 1.0\r\nRIGHT = 1\r\n")
    (after / "lungs" / "__pycache__").mkdir()
    (after / "lungs" / "__pycache__" / "cleaning.cpython-312.pyc").write_bytes(b"compiled")
    assert code_digest([before]) == code_digest([after])

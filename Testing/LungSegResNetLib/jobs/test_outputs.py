"""Where results may be written, found out before any work."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import pytest
from archives import write_archive
from dicom_files import write_series
from synthetic_thorax import Thorax

from LungSegResNetLib.command_line.main import main
from LungSegResNetLib.errors import OutputError, UsageError
from LungSegResNetLib.jobs.case_job import run_case
from LungSegResNetLib.jobs.mask_options import MaskOptions
from LungSegResNetLib.jobs.outputs import Outputs
from LungSegResNetLib.jobs.reporting import NullReporter


def test_the_ct_is_never_replaced_by_its_mask(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "in", "a") / "a.nii.gz"
    before = source.read_bytes()
    same = tmp_path / "in" / ".." / "in" / "a.nii.gz"
    with pytest.raises(UsageError, match="is the CT itself"):
        run_case(source, Outputs.at(same), MaskOptions(overwrite=True), pytest.fail, NullReporter())
    assert source.read_bytes() == before


@pytest.mark.parametrize(
    ("outputs", "part"),
    [
        (Outputs(masks=(Path("q.nii.gz"),), overlay=Path("q.nii.gz")), "written as .png"),
        (Outputs(masks=(Path("q.nrrd"), Path("in/../q.nrrd"))), "Two results"),
        (Outputs(measurements=(Path("m.csv"), Path("m.json"), Path("m.csv"))), "Two results"),
    ],
)
def test_no_result_replaces_another_of_the_same_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outputs: Outputs, part: str
) -> None:
    write_archive(tmp_path / "in", "a")
    monkeypatch.chdir(tmp_path)
    for path in outputs.paths():
        path.write_text("of yesterday")
    with pytest.raises(UsageError, match=part):
        run_case(tmp_path / "in" / "a.nii.gz", outputs, MaskOptions(overwrite=True), pytest.fail, NullReporter())
    assert {path.read_text() for path in outputs.paths()} == {"of yesterday"}


def test_names_that_differ_by_capital_letters_are_one_file_where_the_system_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = Outputs(masks=(tmp_path / "lungs.nrrd", tmp_path / "Lungs.nrrd"))
    for platform, refused in (("linux", False), ("win32", True)):
        monkeypatch.setattr(sys, "platform", platform)
        with pytest.raises(UsageError, match="Two results") if refused else contextlib.nullcontext():
            twice.check(tmp_path / "ct.nrrd", overwrite=False)


def test_a_link_to_the_ct_is_the_ct(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "in", "a") / "a.nii.gz"
    (tmp_path / "lungs.nii.gz").hardlink_to(source)
    with pytest.raises(UsageError, match="is the CT itself"):
        Outputs.at(tmp_path / "lungs.nii.gz").check(source, overwrite=True)


def test_a_name_that_is_too_long_is_an_output_error(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "in", "a") / "a.nii.gz"
    with pytest.raises(OutputError, match="could not be written"):
        run_case(source, Outputs.at(tmp_path / f"{'m' * 300}.nii.gz"), MaskOptions(), pytest.fail, NullReporter())


def test_no_slice_of_the_ct_is_replaced_and_another_file_beside_them_may_be(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    image = Thorax().scan((8.0, 8.0, 60.0))[0]
    for place in (folder, folder / "deep"):
        first = write_series(place, image)[0]
        first.rename(first.with_suffix(".nrrd"))
    for name in ("IM0000.nrrd", "deep/IM0000.nrrd"):
        with pytest.raises(UsageError, match="one of the files of the CT"):
            Outputs(masks=(folder / name,)).check(folder, overwrite=True)
    for name in ("lungs.csv", "results/lungs.csv"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("of yesterday")
        Outputs(masks=(folder / "new.nrrd",), measurements=(folder / name,)).check(folder, overwrite=True)


def test_voxels_beside_their_header_are_never_replaced(tmp_path: Path) -> None:
    header, voxels = tmp_path / "ct.nhdr", tmp_path / "voxels.mha"
    header.write_text("NRRD0004\ndimension: 3\nsizes: 2 2 2\ntype: short\ndata file: voxels.mha\n")
    voxels.write_bytes(b"voxels")
    with pytest.raises(UsageError, match="one of the files of the CT"):
        Outputs.at(voxels).check(header, overwrite=True)
    with pytest.raises(UsageError, match="a mask that is read"):
        Outputs.at(voxels).check(tmp_path / "other.nii", overwrite=True, masks_read=[header])


def test_a_name_that_could_not_be_read_again_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="mixed upper and lower case"):
        Outputs.at(tmp_path / "lungs.nii.GZ")


@pytest.mark.parametrize(
    ("command", "victim"),
    [("measure", "ct.csv"), ("measure", "mask.csv"), ("compare", "mask.csv"), ("compare", "ct.png")],
)
def test_no_result_of_measuring_and_comparing_replaces_what_is_read(
    tmp_path: Path, command: str, victim: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Endings are no proof: links have any."""
    source = write_archive(tmp_path / "in", "a") / "a.nii.gz"
    mask = tmp_path / "in" / "mask.nii.gz"
    mask.write_bytes(b"a mask")
    place = tmp_path / victim
    place.hardlink_to(source if victim.startswith("ct") else mask)
    before = place.read_bytes()
    masks = [str(mask)] * (2 if command == "compare" else 1)
    option = "--overlay" if victim.endswith(".png") else "--output"
    assert main([command, str(source), *masks, option, str(place), "--overwrite"]) == 2
    assert ("the CT itself" if victim.startswith("ct") else "a mask that is read") in capsys.readouterr().err
    assert place.read_bytes() == before


def test_the_picture_of_a_comparison_is_a_png_and_never_the_ct(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_archive(tmp_path / "in", "a") / "a.nii.gz"
    before = source.read_bytes()
    assert main(["compare", *[str(source)] * 3, "--overlay", str(source), "--overwrite"]) == 2
    assert "written as .png" in capsys.readouterr().err
    assert source.read_bytes() == before


def test_a_new_folder_may_be_called_by_a_dicom_identifier(tmp_path: Path) -> None:
    folder = tmp_path / "1.2.840.113619.2.55"
    assert {path.parent for path in Outputs.at(folder).paths()} == {folder}
    with pytest.raises(UsageError, match=r"cannot be written as '\.STL'"):
        Outputs.at(tmp_path / "lungs.STL")


def test_a_folder_in_the_place_of_a_file_and_a_file_in_that_of_a_folder_are_told_before_any_work(
    tmp_path: Path,
) -> None:
    (tmp_path / "lungs.nrrd").mkdir()
    (tmp_path / "notes").write_text("notes")
    for target, part in (("lungs.nrrd", "it is a folder"), ("notes/deep/lungs.nrrd", "notes is not a folder")):
        with pytest.raises(OutputError, match=part):
            Outputs.at(tmp_path / target).check(tmp_path / "ct.nrrd", overwrite=True)


def test_a_folder_that_cannot_be_written_is_told_before_any_work(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    if os.access(closed, os.W_OK):
        pytest.skip("nothing is forbidden to this user")
    with pytest.raises(OutputError, match="no permission"):
        Outputs.at(closed / "new" / "lungs.nrrd").check(tmp_path / "ct.nrrd", overwrite=True)


@pytest.mark.skipif(sys.platform == "win32", reason="links are forbidden to most users")
def test_a_link_in_a_circle_is_named_as_ct_and_as_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_archive(tmp_path / "in", "a") / "a.nii.gz"
    circle = tmp_path / "circle.nii.gz"
    circle.symlink_to(circle)
    assert main(["segment", str(circle), str(tmp_path / "lungs.nrrd")]) == 3
    assert main(["segment", str(source), str(circle / "lungs.nrrd")]) == 4
    errors = capsys.readouterr().err.strip().splitlines()
    assert ["circle.nii.gz" in error for error in errors] == [True, True]

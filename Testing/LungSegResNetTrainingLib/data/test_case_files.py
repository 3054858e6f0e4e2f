from __future__ import annotations

from pathlib import Path

import ptk_files
import pytest
import SimpleITK as sitk
from dicom_files import write_series
from synthetic_thorax import Thorax

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.files.reading import read_ct
from LungSegResNetTrainingLib.data.case_files import files_of, mask_files_of
from LungSegResNetTrainingLib.data.cases import Case
from LungSegResNetTrainingLib.data.dicom_kinds import CT, kind_of_folder
from LungSegResNetTrainingLib.data.mask_files import read_reference_mask
from LungSegResNetTrainingLib.data.scan_marks import ScanMarks


@pytest.fixture
def thorax() -> tuple[sitk.Image, sitk.Image]:
    """A small scan and its lungs."""
    return Thorax().scan((10.0, 10.0, 20.0))


@pytest.mark.parametrize("name", [".DS_Store", "._lungs0.dcm", "Thumbs.db", "desktop.ini"])
def test_what_a_system_adds_to_the_folders_of_a_case_is_no_file_of_it(
    thorax: tuple[sitk.Image, sitk.Image], tmp_path: Path, name: str
) -> None:
    image, mask = thorax
    write_series(tmp_path / "ct", image)
    ct = CTVolume.from_sitk(image, "ct")
    ptk_files.write_color_dicom(tmp_path / "lungs", sitk.GetArrayFromImage(mask), ct)
    picture = tmp_path / "lungs" / "lungs0.dcm"
    before = files_of(tmp_path / "ct"), mask_files_of(tmp_path / "lungs"), mask_files_of(picture)
    for folder in ("ct", "lungs"):
        (tmp_path / folder / name).write_bytes(b"opened by a person")
    assert (files_of(tmp_path / "ct"), mask_files_of(tmp_path / "lungs"), mask_files_of(picture)) == before


def test_slices_behind_a_link_are_files_of_their_scan_and_hidden_ones_are_not(
    thorax: tuple[sitk.Image, sitk.Image], tmp_path: Path
) -> None:
    image, _ = thorax
    files = write_series(tmp_path / "disk", image)
    write_series(tmp_path / "ct" / ".Trash", image)
    link = tmp_path / "ct" / "series"
    try:
        link.symlink_to(tmp_path / "disk", target_is_directory=True)
    except OSError:
        pytest.skip("links are forbidden to this user")
    assert len(read_ct(tmp_path / "ct")[0].hu) == len(files)
    assert files_of(tmp_path / "ct") == [link / file.name for file in files]
    assert kind_of_folder(tmp_path / "ct") == CT
    marks = [ScanMarks().of(Case("a", tmp_path / folder, tmp_path, "train", "a")) for folder in ("ct", "disk")]
    assert marks[0].ct == marks[1].ct != ""


@pytest.mark.parametrize("name", ["1.2.840.{}", "IM{}"])
def test_pictures_of_a_mask_are_found_whatever_they_are_called(
    thorax: tuple[sitk.Image, sitk.Image], tmp_path: Path, name: str
) -> None:
    image, mask = thorax
    ct, labels = CTVolume.from_sitk(image, "ct"), sitk.GetArrayFromImage(mask)
    ptk_files.write_color_dicom(tmp_path, labels, ct)
    pictures = sorted(
        file.rename(tmp_path / name.format(1000 + n)) for n, file in enumerate(sorted(tmp_path.iterdir()))
    )
    write_series(tmp_path, image)
    assert mask_files_of(pictures[1]) == pictures
    assert (read_reference_mask(pictures[1], ct).labels == labels).all()

"""Names for SimpleITK, which on Windows are of plain letters; the rule itself can be asked for on every system."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from synthetic_thorax import Thorax

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.files.library_paths import UnusableNameError, library_path
from LungSegResNetLib.files.reading import read_ct
from LungSegResNetLib.files.writing import write_mask


def test_plain_names_are_used_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "scan.nrrd"
    assert library_path(path, only_plain_letters=True) == str(path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows may have a short name for the folder")
@pytest.mark.parametrize("name", ["Müller/scan.nrrd", "胸.nrrd"])
def test_where_only_plain_letters_will_do_other_names_are_refused_with_what_to_do(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnusableNameError, match="rename the file and its folders"):
        library_path(tmp_path / name, only_plain_letters=True)
    assert library_path(tmp_path / name, only_plain_letters=False) == str(tmp_path / name)


def test_scans_and_masks_in_a_folder_with_an_umlaut_are_read_and_written(tmp_path: Path) -> None:
    """On Windows by way of the folder's short name, where its disk keeps such."""
    folder = tmp_path / "Müller"
    folder.mkdir()
    image, labels = Thorax().scan((8.0, 8.0, 20.0))
    ct = CTVolume.from_sitk(image, "thorax")
    try:
        library_path(folder / "lungs.nii.gz")
    except UnusableNameError:
        pytest.skip("this disk keeps no short names")
    write_mask(folder / "lungs.nii.gz", CTVolume.from_sitk(labels, "lungs").hu, ct, overwrite=False)
    assert (folder / "lungs.nii.gz").stat().st_size > 0
    write_mask(folder / "scan.nrrd", ct.hu, ct, overwrite=False)
    assert (read_ct(folder / "scan.nrrd")[0].hu == ct.hu).all()

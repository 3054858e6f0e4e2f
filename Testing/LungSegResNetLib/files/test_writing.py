"""Masks on disk: the right grid, the header 3D Slicer expects, and never half a file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from synthetic_thorax import Thorax

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.errors import OutputError, UsageError
from LungSegResNetLib.files.mask_reading import mask_on_ct, read_mask_file
from LungSegResNetLib.files.writing import MASK_ENDINGS, has_mask_ending, write_mask
from LungSegResNetLib.labels import LUNG_SEGMENTS


@pytest.fixture(scope="module")
def ct() -> CTVolume:
    """A scan stored feet first and turned, so that native and LPS order differ."""
    image = Thorax().scan(spacing=(5.0, 6.0, 10.0))[0]
    return CTVolume.from_sitk(sitk.Flip(sitk.PermuteAxes(image, (2, 0, 1)), (True, False, True)), "turned.nrrd")


@pytest.fixture(scope="module")
def mask() -> np.ndarray:
    return sitk.GetArrayFromImage(Thorax().scan(spacing=(5.0, 6.0, 10.0))[1])


@pytest.mark.parametrize("ending", MASK_ENDINGS)
def test_a_written_mask_lies_on_the_grid_of_the_file_and_reads_back_the_same(ending, ct, mask, tmp_path):
    path = tmp_path / "new folder" / f"lungs{ending}"
    assert write_mask(path, mask, ct, overwrite=False) == path
    image = sitk.ReadImage(str(path))
    assert image.GetSize() == ct.native.size
    assert image.GetPixelID() == sitk.sitkUInt8
    np.testing.assert_allclose(image.GetOrigin(), ct.native.origin, atol=1e-3)
    np.testing.assert_allclose(image.GetDirection(), ct.native.direction, atol=1e-6)
    values, warnings = mask_on_ct(read_mask_file(path).labels, ct)
    np.testing.assert_array_equal(values, mask)
    assert warnings == []
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_segmentation_file_carries_names_colours_and_terminology(ct, mask, tmp_path):
    path = write_mask(tmp_path / "lungs.seg.nrrd", mask, ct, overwrite=False)
    header = path.read_bytes().split(b"\n\n", 1)[0].decode().splitlines()
    assert "encoding: gzip" in header
    assert "space: left-posterior-superior" in header
    fields = dict(line.split(":=", 1) for line in header if ":=" in line)
    assert fields["Segmentation_MasterRepresentation"] == "Binary labelmap"
    assert fields["Segmentation_ContainedRepresentationNames"] == "Binary labelmap|"
    assert fields["Segmentation_ReferenceImageExtentOffset"] == "0 0 0"
    for number, segment in enumerate(LUNG_SEGMENTS):
        assert fields[f"Segment{number}_Name"] == segment.name
        assert int(fields[f"Segment{number}_LabelValue"]) == segment.label
        assert fields[f"Segment{number}_Layer"] == "0"
        assert tuple(map(float, fields[f"Segment{number}_Color"].split())) == segment.color
        assert fields[f"Segment{number}_Extent"] == " ".join(f"0 {n - 1}" for n in ct.native.size)
        assert fields[f"Segment{number}_Tags"] == f"TerminologyEntry:{segment.terminology}|"
    assert len({fields[f"Segment{number}_ID"] for number in range(2)}) == 2


@pytest.mark.parametrize("name", ["lungs.png", "lungs", "lungs.dcm", "lungs.gz"])
def test_other_endings_are_refused_with_the_allowed_ones(name, ct, mask, tmp_path):
    assert not has_mask_ending(name)
    with pytest.raises(UsageError, match=r"\.seg\.nrrd, \.nii\.gz"):
        write_mask(tmp_path / name, mask, ct, overwrite=False)


def test_an_existing_file_is_replaced_only_on_request(ct, mask, tmp_path):
    path = tmp_path / "lungs.nii.gz"
    path.write_text("precious")
    with pytest.raises(OutputError, match="exists already"):
        write_mask(path, mask, ct, overwrite=False)
    assert path.read_text() == "precious"
    write_mask(path, mask, ct, overwrite=True)
    np.testing.assert_array_equal(mask_on_ct(read_mask_file(path).labels, ct)[0], mask)


def test_a_folder_that_is_a_file_is_an_output_error(ct, mask, tmp_path):
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(OutputError, match="could not be written"):
        write_mask(tmp_path / "folder" / "lungs.nrrd", mask, ct, overwrite=False)


@pytest.mark.parametrize("ending", MASK_ENDINGS)
def test_a_mask_on_a_sheared_grid_is_written_where_it_lies_or_not_at_all(ending, ct, mask, tmp_path):
    image = ct.to_native(mask)
    image.SetDirection((1.0, 0.0, 0.0, 0.0, 1.0, 0.2, 0.0, 0.0, np.sqrt(0.96)))
    sheared = CTVolume.from_sitk(image, "sheared.nrrd")
    path = tmp_path / f"lungs{ending}"
    if ending in (".nii", ".nii.gz"):
        with pytest.raises(OutputError, match=r"not at right angles; write the mask as \.seg\.nrrd"):
            write_mask(path, sheared.hu, sheared, overwrite=False)
        assert list(tmp_path.iterdir()) == []
    else:
        write_mask(path, sheared.hu, sheared, overwrite=False)
        np.testing.assert_array_equal(mask_on_ct(read_mask_file(path).labels, sheared)[0], sheared.hu)


_WITH_LITTLE_MEMORY = """
import resource, sys
import numpy as np
import SimpleITK as sitk
from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.files.mask_reading import read_mask_file
from LungSegResNetLib.files.writing import write_mask

_, path, act = sys.argv
size = (200, 512, 512) if act == "write" else (1, 1, 1)
ct = CTVolume.from_sitk(sitk.GetImageFromArray(np.zeros(size, np.uint8)), "zeros")
with open("/proc/self/statm") as file:
    taken = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + (30 << 20), -1))
try:
    read_mask_file(path) if act == "read" else write_mask(path, ct.hu, ct, overwrite=False)
except MemoryError:
    print("out of memory")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited in another way on this system")
@pytest.mark.parametrize("act", ["read", "write"])
def test_too_little_memory_is_no_damage_of_a_file(act, tmp_path):
    path = tmp_path / "lungs.nrrd"
    if act == "read":
        zeros = sitk.GetImageFromArray(np.zeros((200, 512, 512), np.uint8))
        sitk.WriteImage(zeros, str(path), useCompression=True)
    command = [sys.executable, "-c", _WITH_LITTLE_MEMORY, str(path), act]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.stdout == "out of memory\n", run.stderr
    assert list(tmp_path.iterdir()) == ([path] if act == "read" else [])


_WRITE_WITH_LITTLE_SPACE = """
import resource, sys
import numpy as np
import SimpleITK as sitk
from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.errors import OutputError
from LungSegResNetLib.files.writing import write_mask

noise = np.random.default_rng(0).integers(0, 3, (40, 60, 60)).astype(np.uint8)
ct = CTVolume.from_sitk(sitk.GetImageFromArray(noise), "noise")
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    write_mask(sys.argv[1], noise, ct, overwrite=True)
except OutputError as error:
    print(f"refused: {error}")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit for file sizes")
@pytest.mark.parametrize("ending", MASK_ENDINGS)
def test_a_file_that_cannot_grow_leaves_the_old_result(ending, tmp_path):
    """The system refuses to write more than 10 kB, as on a full disk."""
    path: Path = tmp_path / f"lungs{ending}"
    path.write_text("old result")
    command = [sys.executable, "-c", _WRITE_WITH_LITTLE_SPACE, str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("refused:"), run.stdout
    assert "could not be written" in run.stdout
    assert path.read_text() == "old result"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit for file sizes")
def test_a_file_that_cannot_grow_because_the_disk_is_full_says_so(tmp_path):
    is_full = "import LungSegResNetLib.files.writing\nLungSegResNetLib.files.writing.is_full = lambda folder: True\n"
    command = [sys.executable, "-c", is_full + _WRITE_WITH_LITTLE_SPACE, str(tmp_path / "lungs.seg.nrrd")]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.startswith("refused: The disk is full"), run.stdout


_WRITE_WITHOUT_THE_END = """
import resource, sys
import numpy as np
import SimpleITK as sitk
from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.errors import OutputError
from LungSegResNetLib.files.writing import write_mask

noise = np.random.default_rng(0).integers(0, 3, (40, 60, 60)).astype(np.uint8)
ct = CTVolume.from_sitk(sitk.GetImageFromArray(noise), "noise")
size = write_mask("whole" + sys.argv[1], noise, ct, overwrite=False).stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size - 100, size - 100))
try:
    write_mask("cut" + sys.argv[1], noise, ct, overwrite=False)
except OutputError as error:
    print(f"refused: {error}")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit for file sizes")
@pytest.mark.parametrize("ending", MASK_ENDINGS)
def test_a_file_of_which_only_the_last_bytes_are_missing_is_refused(ending, tmp_path):
    """They are written when the file is closed, where libraries do not look at errors."""
    command = [sys.executable, "-c", _WRITE_WITHOUT_THE_END, ending]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert run.stdout.startswith("refused:"), run.stdout + run.stderr
    assert [path.name for path in tmp_path.iterdir()] == [f"whole{ending}"]

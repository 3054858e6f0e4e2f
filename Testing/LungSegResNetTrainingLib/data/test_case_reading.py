from __future__ import annotations

from pathlib import Path

import dicom_files
import numpy as np
import ptk_files
import pytest
import SimpleITK as sitk
from synthetic_thorax import Thorax

from LungSegResNetLib.errors import InputError
from LungSegResNetLib.files.reading import read_ct
from LungSegResNetTrainingLib.data.case_reading import read_case
from LungSegResNetTrainingLib.data.cases import Case


@pytest.mark.parametrize("kind", ["segmentation", "contours", "contours on a scan that is not there"])
def test_a_dicom_mask_is_laid_onto_the_series_that_it_was_drawn_on(tmp_path: Path, kind: str) -> None:
    image, mask = Thorax().scan((6.0, 6.0, 20.0))
    files = {
        kernel: dicom_files.write_series(
            tmp_path / "ct" / kernel, image + number, ConvolutionKernel=kernel, SeriesInstanceUID=f"1.2.{number}",
            FrameOfReferenceUID="1.2.3", StudyID="", SeriesNumber=1, PatientBirthDate="", PatientSex="", StudyDate="",
            StudyTime="", AccessionNumber="", ReferringPhysicianName="",
        )
        for number, kernel in enumerate(("B70f", "B30f"))
    }  # fmt: skip
    labels, names = sitk.GetArrayFromImage(mask), {1: "right lung", 2: "left lung"}
    if kind == "segmentation":
        ptk_files.write_segmentation(tmp_path / "mask.dcm", labels, files["B70f"], names)
    else:
        series = "1.2.0" if kind == "contours" else "1.2.9"
        ct = read_ct(tmp_path / "ct" / "B70f")[0]
        ptk_files.write_structure_set(tmp_path / "mask.dcm", labels, ct, names, series)
    ct, reference = read_case(Case("a", tmp_path / "ct", tmp_path / "mask.dcm", "train", "a"))
    softer = kind.endswith("not there")
    np.testing.assert_array_equal(ct.hu, sitk.GetArrayFromImage(image) + softer)
    assert any("left aside" in note for note in reference.notes) == softer
    assert reference.labels.any()


@pytest.mark.parametrize("kind", ["contours", "label map"])
def test_a_dicom_mask_is_not_laid_onto_a_ct_of_a_tilted_gantry(tmp_path: Path, kind: str) -> None:
    image, mask = Thorax().scan((6.0, 6.0, 20.0))
    axes = image.GetDirection()
    y, z = np.cos(np.deg2rad(8.0)), np.sin(np.deg2rad(8.0))
    dicom_files.write_series(tmp_path / "ct", image, ImageOrientationPatient=[*axes[:3], "0", f"{y:.6f}", f"{z:.6f}"])
    ct, warnings = read_ct(tmp_path / "ct")
    assert any("tilted" in text for text in warnings)
    labels = sitk.GetArrayFromImage(mask)
    if kind == "contours":
        ptk_files.write_structure_set(tmp_path / "mask.dcm", labels, ct, {1: "Lung_R", 2: "Lung_L"})
        with pytest.raises(InputError, match=r"tilted gantry, so the DICOM mask mask\.dcm cannot be laid"):
            read_case(Case("a", tmp_path / "ct", tmp_path / "mask.dcm", "train", "a"))
    else:
        ptk_files.write_mat(tmp_path / "mask.mat", labels)
        assert read_case(Case("a", tmp_path / "ct", tmp_path / "mask.mat", "train", "a"))[1].labels.any()

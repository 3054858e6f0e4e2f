from __future__ import annotations

import sys
from pathlib import Path

import dicom_files
import ptk_files
import pytest
import SimpleITK as sitk
from synthetic_thorax import Thorax

from LungSegResNetLib.errors import InputError
from LungSegResNetLib.files.reading import read_ct
from LungSegResNetTrainingLib.data.dicom_labels import read_dicom_mask


def test_a_dicom_segmentation_where_highdicom_is_missing_says_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, mask = Thorax(noise=0.0).scan((4.0, 5.0, 20.0))
    files = dicom_files.write_series(
        tmp_path / "ct", image, FrameOfReferenceUID="1.2.3", StudyID="", SeriesNumber=1, PatientBirthDate="",
        PatientSex="", StudyDate="", StudyTime="", AccessionNumber="", ReferringPhysicianName="",
    )  # fmt: skip
    labels = sitk.GetArrayFromImage(mask)
    ptk_files.write_segmentation(tmp_path / "seg.dcm", labels, files, {1: "right lung", 2: "left lung"})
    ct, _ = read_ct(tmp_path / "ct")
    monkeypatch.setitem(sys.modules, "highdicom.seg", None)
    with pytest.raises(InputError, match=r"seg\.dcm needs the package highdicom; in Slicer, use Slicer 5\.12 or newer"):
        read_dicom_mask(tmp_path / "seg.dcm", ct)

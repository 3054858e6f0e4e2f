"""Real DICOM files from a SimpleITK image, one file per slice or one enhanced multi-frame file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    KeyObjectSelectionDocumentStorage,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    RTStructureSetStorage,
    SecondaryCaptureImageStorage,
    XRayRadiationDoseSRStorage,
    generate_uid,
)

_STORAGE = {"CT": CTImageStorage, "MR": MRImageStorage, "PT": PositronEmissionTomographyImageStorage}


def write_series(
    folder: Path, image: sitk.Image, *, skip: tuple[int, ...] = (), prefix: str = "IM", **tags: Any
) -> list[Path]:
    """Write an int16 image as one single-frame file per slice of its third axis; return the files in slice order.

    Parameters
    ----------
    skip : slice numbers that are left out.
    tags : DICOM keywords that replace or extend the defaults. A callable gets the slice number; None removes the tag.
    """
    folder.mkdir(parents=True, exist_ok=True)
    common: dict[str, Any] = {"Modality": "CT", "SeriesInstanceUID": generate_uid(), "StudyInstanceUID": generate_uid()}
    common.update(tags)
    files = []
    for number in range(image.GetDepth()):
        if number in skip:
            continue
        section = image[:, :, number]
        data = _base(_value(common["Modality"], number))
        data.ImagePositionPatient = _decimals(image.TransformIndexToPhysicalPoint((0, 0, number)))
        data.ImageOrientationPatient = _decimals(_row_and_column(image))
        data.PixelSpacing = _decimals((image.GetSpacing()[1], image.GetSpacing()[0]))
        data.SliceThickness = f"{image.GetSpacing()[2]:.4g}"
        data.InstanceNumber = number + 1
        data.RescaleIntercept, data.RescaleSlope = "-1024", "1"
        for keyword, value in common.items():
            value = _value(value, number)
            if value is None:
                delattr(data, keyword)
            else:
                setattr(data, keyword, value)
        _set_pixels(data, sitk.GetArrayFromImage(section))
        files.append(_save(folder / f"{prefix}{number:04d}.dcm", data))
    return files


def write_localizer(folder: Path, image: sitk.Image, **tags: Any) -> list[Path]:
    """A frontal scout of the scan: one coronal projection in a series of its own."""
    scout = sitk.Cast(sitk.MeanProjection(image, 1), sitk.sitkInt16)
    turned = sitk.PermuteAxes(scout, (0, 2, 1))
    return write_series(folder, turned, prefix="SCOUT", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], **tags)


def write_screenshot(folder: Path) -> Path:
    """A secondary capture: a grey picture without geometry."""
    data = _base("OT")
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    data.SeriesInstanceUID = generate_uid()
    folder.mkdir(parents=True, exist_ok=True)
    _set_pixels(data, np.zeros((300, 400), np.int16))
    return _save(folder / "screenshot.dcm", data)


def write_referring_object(file: Path, kind: str, images: list[Path]) -> Path:
    """A file without pixels that refers to images: contours, a presentation state, a key object or a dose report."""
    classes = {
        "RTSTRUCT": RTStructureSetStorage,
        "PR": GrayscaleSoftcopyPresentationStateStorage,
        "KO": KeyObjectSelectionDocumentStorage,
        "SR": XRayRadiationDoseSRStorage,
    }
    first = dcmread(images[0], stop_before_pixels=True)
    data = _base(kind)
    del data.ImageType
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = classes[kind]
    data.StudyInstanceUID, data.SeriesInstanceUID = first.StudyInstanceUID, generate_uid()
    series = Dataset()
    series.SeriesInstanceUID = first.SeriesInstanceUID
    series.ReferencedSOPSequence = Sequence([_reference(image) for image in images])
    study = Dataset()
    study.StudyInstanceUID, study.ReferencedSeriesSequence = first.StudyInstanceUID, Sequence([series])
    if kind == "RTSTRUCT":
        frame, referenced = Dataset(), Dataset()
        series.ContourImageSequence = series.pop("ReferencedSOPSequence").value
        referenced.RTReferencedSeriesSequence = Sequence([series])
        frame.RTReferencedStudySequence = Sequence([referenced])
        data.ReferencedFrameOfReferenceSequence = Sequence([frame])
    elif kind == "PR":
        series.ReferencedImageSequence = series.pop("ReferencedSOPSequence").value
        data.ReferencedSeriesSequence = Sequence([series])
    else:
        data.CurrentRequestedProcedureEvidenceSequence = Sequence([study])
    file.parent.mkdir(parents=True, exist_ok=True)
    return _save(file, data)


def compress_as_jpeg(file: Path) -> None:
    """Compress the pixels of a file as JPEG Lossless, as many archives do."""
    data, compressed = dcmread(file), file.with_name("compressed.dcm")
    writer = sitk.ImageFileWriter()
    writer.SetFileName(compressed)
    writer.SetUseCompression(True)
    writer.SetCompressor("JPEG")
    writer.Execute(sitk.GetImageFromArray(data.pixel_array[np.newaxis]))
    source = dcmread(compressed)
    compressed.unlink()
    data.file_meta.TransferSyntaxUID = source.file_meta.TransferSyntaxUID
    data.PixelData = source.PixelData
    data["PixelData"].VR, data["PixelData"].is_undefined_length = "OB", True
    _save(file, data)


def make_colour_picture(file: Path) -> None:
    """Replace the pixels of a file by those of a black picture in colour."""
    data = dcmread(file)
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PlanarConfiguration = 3, "RGB", 0
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
    length = data.Rows * data.Columns * 3
    data.PixelData = bytes(length + length % 2)
    del data.RescaleSlope, data.RescaleIntercept
    data.save_as(file)


def write_enhanced_ct(
    path: Path, image: sitk.Image, *, top_first: bool = False, skip: tuple[int, ...] = (), **tags: Any
) -> Path:
    """The whole int16 image as one enhanced CT file; ``top_first`` stores the last slice as the first frame."""
    frames = [number for number in range(image.GetDepth()) if number not in skip]
    if top_first:
        frames.reverse()
    data = _base("CT")
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    data.SeriesInstanceUID, data.StudyInstanceUID = generate_uid(), generate_uid()
    data.update(tags)
    measures = Dataset()
    measures.PixelSpacing = _decimals((image.GetSpacing()[1], image.GetSpacing()[0]))
    measures.SliceThickness = f"{image.GetSpacing()[2]:.4g}"
    plane = Dataset()
    plane.ImageOrientationPatient = _decimals(_row_and_column(image))
    rescale = Dataset()
    rescale.RescaleIntercept, rescale.RescaleSlope, rescale.RescaleType = "-1024", "1", "HU"
    shared = Dataset()
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([plane])
    shared.PixelValueTransformationSequence = Sequence([rescale])
    data.SharedFunctionalGroupsSequence = Sequence([shared])
    data.PerFrameFunctionalGroupsSequence = Sequence([_frame(image, number) for number in frames])
    data.NumberOfFrames = len(frames)
    data.RescaleIntercept, data.RescaleSlope = "-1024", "1"
    _set_pixels(data, sitk.GetArrayViewFromImage(image)[frames])
    del data.RescaleIntercept, data.RescaleSlope
    path.parent.mkdir(parents=True, exist_ok=True)
    return _save(path, data)


def _reference(image: Path) -> Dataset:
    data = Dataset()
    data.ReferencedSOPClassUID = CTImageStorage
    data.ReferencedSOPInstanceUID = dcmread(image, stop_before_pixels=True).SOPInstanceUID
    return data


def _frame(image: sitk.Image, number: int) -> Dataset:
    position = Dataset()
    position.ImagePositionPatient = _decimals(image.TransformIndexToPhysicalPoint((0, 0, number)))
    frame = Dataset()
    frame.PlanePositionSequence = Sequence([position])
    return frame


def _base(modality: str) -> Dataset:
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = _STORAGE.get(modality, CTImageStorage)
    data.SOPInstanceUID = generate_uid()
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.Modality = modality
    data.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.PatientName, data.PatientID = "Phantom^Thorax", "0"
    return data


def _set_pixels(data: Dataset, stored_hu: np.ndarray) -> None:
    """Store values so that the rescale of ``data`` gives ``stored_hu`` back (unchanged where there is no rescale)."""
    slope, intercept = float(data.get("RescaleSlope", 1)), float(data.get("RescaleIntercept", 0))
    data.Rows, data.Columns = stored_hu.shape[-2:]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 1
    data.PixelData = np.rint((stored_hu - intercept) / slope).astype("<i2").tobytes()


def _save(path: Path, data: Dataset) -> Path:
    data.save_as(path, enforce_file_format=True)
    return path


def _row_and_column(image: sitk.Image) -> list[float]:
    axes = np.array(image.GetDirection()).reshape(3, 3)
    return [*axes[:, 0], *axes[:, 1]]


def _decimals(values: Any) -> list[str]:
    return [f"{float(value):.8f}"[:16] for value in values]


def _value(value: Any, number: int) -> Any:
    return value(number) if callable(value) else value

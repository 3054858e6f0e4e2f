"""Mask files byte for byte as the Pulmonary Toolkit (PTK) exports them, and clinical DICOM masks, for reader tests.

PTK keeps a scan as a MATLAB array (rows, columns, slices) whose first slice is the most superior one; MATLAB writes
arrays column-major, the first index fastest.
"""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from scipy.io import savemat
from skimage.measure import find_contours

from LungSegResNetLib.ct_volume import CTVolume

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"
_OLD_MATLAB_COLORS = {1: (0, 0, 255), 2: (0, 127, 0), 4: (0, 191, 191), 5: (191, 0, 191), 6: (191, 191, 0)}


def matlab_array(labels: np.ndarray) -> np.ndarray:
    """PTK's raw image (rows, columns, slices from the top) of labels in LPS order (z, y, x)."""
    return labels[::-1].transpose(1, 2, 0)


def write_mhd(
    path: Path, labels: np.ndarray, ct: CTVolume, offset: str = "0.0000 0.0000 0.0000", bits: int = 8
) -> None:
    """The .mhd/.raw pair of PTK's axial branch."""
    rows, columns, slices = matlab_array(labels).shape
    dz, dy, dx = ct.spacing_zyx
    _write_header(path, "0 1 0 1 0 0 0 0 1", offset, "RAI", (dy, dx, dz), (rows, columns, slices), bits)
    stored = np.flip(matlab_array(labels), 2).astype("<u1" if bits == 8 else "<u2")
    path.with_suffix(".raw").write_bytes(stored.tobytes(order="F"))


def write_coronal_mhd(path: Path, labels: np.ndarray, ct: CTVolume) -> None:
    """The pair PTK writes where voxels are longest from front to back; its sizes do not fit the order of its voxels."""
    rows, columns, slices = matlab_array(labels).shape
    dz, dy, dx = ct.spacing_zyx
    _write_header(path, "1 0 0 0 0 -1 0 1 0", "0.0000 0.0000 0.0000", "RSA", (dz, dx, dy), (slices, columns, rows), 8)
    stored = matlab_array(labels).transpose(1, 2, 0).astype("<u1")
    path.with_suffix(".raw").write_bytes(stored.tobytes(order="F"))


def write_nii(path: Path, labels: np.ndarray, ct: CTVolume, order: str = "RAS") -> None:
    """A NIfTI with qform_code = sform_code = 0; ``order`` LPS is what a branch of PTK writes."""
    data = np.flip(matlab_array(labels).transpose(1, 0, 2), 2)
    if order == "RAS":
        data = np.flip(data, (0, 1))
    image = nibabel.Nifti1Image(np.ascontiguousarray(data), None)
    image.header.set_zooms(ct.geometry.spacing)
    image.header["qform_code"] = image.header["sform_code"] = 0
    nibabel.save(image, path)


def write_mat(path: Path, labels: np.ndarray) -> None:
    """The MATLAB export: version 7 (compressed), one variable ``image``."""
    savemat(path, {"image": matlab_array(labels)}, do_compression=True)


def write_color_dicom(folder: Path, labels: np.ndarray, ct: CTVolume, name: str = "lungs") -> None:
    """RGB secondary captures ``name0.dcm`` (the most superior slice), ``name1.dcm``, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    series = generate_uid()
    z0 = np.array(ct.geometry.origin)
    axes = np.array(ct.geometry.direction).reshape(3, 3)
    for number, section in enumerate(labels[::-1]):
        data = _dicom(SECONDARY_CAPTURE, "OT")
        data.SeriesInstanceUID = series
        data.ConversionType = "WSD"
        data.ImageType = ["DERIVED", "SECONDARY"]
        data.InstanceNumber = number + 1
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        position = z0 + axes[:, 2] * ct.geometry.spacing[2] * (len(labels) - 1 - number)
        data.ImagePositionPatient = [f"{v:.6f}" for v in position]
        data.SliceLocation = f"{position[2]:.6f}"
        data.PixelSpacing = [f"{ct.geometry.spacing[1]:.6f}", f"{ct.geometry.spacing[0]:.6f}"]
        data.SliceThickness = data.SpacingBetweenSlices = f"{ct.geometry.spacing[2]:.6f}"
        data.Rows, data.Columns = section.shape
        data.SamplesPerPixel, data.PhotometricInterpretation, data.PlanarConfiguration = 3, "RGB", 0
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
        rgb = np.zeros((*section.shape, 3), np.uint8)
        for label, color in _OLD_MATLAB_COLORS.items():
            rgb[section == label] = color
        data.PixelData = rgb.tobytes() + b"\0" * (rgb.size % 2)
        data.save_as(folder / f"{name}{number}.dcm", enforce_file_format=True)


def write_structure_set(
    path: Path, labels: np.ndarray, ct: CTVolume, names: dict[int, str], series_uid: str = ""
) -> None:
    """An RTSTRUCT with the contours of each label, drawn slice by slice, which may name the series of the CT."""
    data = _dicom(RTSTRUCT, "RTSTRUCT")
    if series_uid:
        frame, study, series = Dataset(), Dataset(), Dataset()
        series.SeriesInstanceUID = series_uid
        study.RTReferencedSeriesSequence = [series]
        frame.RTReferencedStudySequence = [study]
        data.ReferencedFrameOfReferenceSequence = [frame]
    data.StructureSetROISequence, data.ROIContourSequence = [], []
    axes = np.array(ct.geometry.direction).reshape(3, 3)
    for number, (label, name) in enumerate(names.items(), start=1):
        roi, drawn = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName = number, name
        drawn.ReferencedROINumber = number
        drawn.ContourSequence = []
        for z, section in enumerate(labels == label):
            for line in find_contours(np.pad(section, 1).astype(float), 0.5):
                y, x = (line - 1).T
                index = np.stack([x, y, np.full(len(x), z)], axis=1)
                points = np.array(ct.geometry.origin) + (index * ct.geometry.spacing) @ axes.T
                contour = Dataset()
                contour.ContourGeometricType = "CLOSED_PLANAR"
                contour.NumberOfContourPoints = len(points) - 1
                contour.ContourData = [f"{v:.3f}" for v in points[:-1].ravel()]
                drawn.ContourSequence.append(contour)
        data.StructureSetROISequence.append(roi)
        data.ROIContourSequence.append(drawn)
    data.save_as(path, enforce_file_format=True)


def write_segmentation(path: Path, labels: np.ndarray, ct_files: list[Path], names: dict[int, str]) -> None:
    """A binary DICOM SEG on the slices of a DICOM CT (``ct_files`` from the lowest up), without empty frames."""
    import highdicom as hd
    import pydicom
    from pydicom.sr.codedict import codes

    lung = hd.sr.CodedConcept("39607008", "SCT", "Lung")
    tissue = codes.SCT.AnatomicalStructure
    descriptions = [
        hd.seg.SegmentDescription(n, name, tissue, lung, hd.seg.SegmentAlgorithmTypeValues.MANUAL)
        for n, name in enumerate(names.values(), start=1)
    ]
    stack = np.stack([labels == label for label in names], axis=-1)
    segmentation = hd.seg.Segmentation(
        [pydicom.dcmread(file) for file in ct_files], stack, "BINARY", descriptions, generate_uid(), 1,
        generate_uid(), 1, "maker", "maker", "1", "1",
    )  # fmt: skip
    segmentation.save_as(path)


def write_label_map(path: Path, labels: np.ndarray, ct: CTVolume) -> None:
    """A label map with full geometry on the CT's own (native) grid."""
    sitk.WriteImage(ct.to_native(labels), str(path))


def _dicom(storage: str, modality: str) -> Dataset:
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = storage
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.SeriesInstanceUID, data.StudyInstanceUID = generate_uid(), generate_uid()
    data.Modality = modality
    data.PatientName, data.PatientID = "Phantom^Thorax", "0"
    return data


def _write_header(
    path: Path,
    matrix: str,
    offset: str,
    orientation: str,
    spacing: tuple[float, ...],
    size: tuple[int, ...],
    bits: int,
) -> None:
    lines = (
        "ObjectType = Image",
        "NDims = 3",
        "BinaryData = True",
        "BinaryDataByteOrderMSB = False",
        f"TransformMatrix = {matrix}",
        f"Offset = {offset}",
        "CenterOfRotation = 0 0 0",
        f"AnatomicalOrientation = {orientation}",
        "ElementSpacing = " + " ".join(f"{s:.7f}" for s in spacing),
        "DimSize = " + " ".join(str(n) for n in size),
        f"ElementType = {'MET_UCHAR' if bits == 8 else 'MET_USHORT'}",
        f"ElementDataFile = {path.with_suffix('.raw').name}",
    )
    path.write_bytes(("\n".join(lines) + "\n").encode())

"""Training cases in the scene: read from files and shown, and written as files from a volume and a segmentation."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from LungSegResNetWidgets.ct_of_lungs import whyNotTogether
from LungSegResNetWidgets.lung_measurement import ctAndLungs, otherSegmentsOf
from LungSegResNetWidgets.lung_segments import hasSides
from LungSegResNetWidgets.shown_cases import addCase, caseInScene, filesInScene, removeOtherCases, showAlone
from LungSegResNetWidgets.slice_views import jumpToPoint
from LungSegResNetWidgets.volume_nodes import ijkToRas
from slicer.i18n import tr as _

from LungSegResNetTrainingLib.data.cases import CASE_LIST

if TYPE_CHECKING:
    import numpy as np

    from LungSegResNetLib.ct_volume import CTVolume
    from LungSegResNetLib.files.other_segments import OtherSegments
    from LungSegResNetTrainingLib.data.cases import Case
    from LungSegResNetTrainingLib.data.mask_files import ReferenceMask

_IN_DATA_SET = "LungSegResNet.caseInDataSet"  # attribute of the CT of a case
_LONGEST_NAME = 60  # characters; no disk takes files whose names have more than 255 bytes


@dataclass(frozen=True)
class ReadCase:
    """A case as it was read; ``files`` as of `addCase`, ``ctAndMask`` None where the case was in the scene already."""

    case: Case
    files: str
    ctAndMask: tuple[CTVolume, ReferenceMask] | None


def readerOfCase(case: Case) -> Callable[[], ReadCase]:
    """A function that reads CT and mask of a case, unless they are in the scene as they are on disk; any thread may
    call it.

    It raises LungSegError where a file cannot be read, or the mask does not belong to the CT.
    """
    inScene = filesInScene()

    def read() -> ReadCase:
        from LungSegResNetTrainingLib.data.case_reading import read_case

        files = _stateOfFiles(case)
        # Not Slicer's own readers: training sees the case like this, whatever the format of its files is.
        return ReadCase(case, files, None if files in inScene else read_case(case))

    return read


def showCase(read: ReadCase) -> Any:
    """Show CT and mask of a case in the slice views; returns the volume node.

    The case before leaves the scene, see `removeOtherCases`.

    Raises
    ------
    LungSegError : the case was in the scene when it was read, and has left it since.
    """
    volumeNode = caseInScene(read.files)
    if volumeNode is None:
        volumeNode = _add(read)
    showAlone(volumeNode)
    removeOtherCases(volumeNode)
    return volumeNode


def newAmong(volumeNodes: Sequence[Any]) -> Any:
    """The first of these volumes that is no case of a data set yet; None where there is none."""
    return next((node for node in volumeNodes if not node.GetAttribute(_IN_DATA_SET)), None)


def jumpToSlice(volumeNode: Any, index: int) -> None:
    """Show slice ``index`` (0 is the lowest) of a volume of `showCase` in all slice views."""
    columns, rows, _slices = volumeNode.GetImageData().GetDimensions()
    middle = ijkToRas(volumeNode) @ [(columns - 1) / 2, (rows - 1) / 2, index, 1.0]
    jumpToPoint(volumeNode, middle[:3])


def writeCase(volumeNode: Any, segmentationNode: Any, dataSet: str, name: str) -> str:
    """`writerOfCase`, and wait until it is written; returns the case's name."""
    return writerOfCase(volumeNode, segmentationNode, dataSet, name)()


def writerOfCase(volumeNode: Any, segmentationNode: Any, dataSet: str, name: str) -> Callable[[], str]:
    """A function that writes ``<name>_ct.nrrd`` and ``<name>_lungs.seg.nrrd`` into the folder of a data set.

    It returns the case's name, and has copies of what it needs, so that any thread may call it.

    Raises
    ------
    LungSegError : by this or by the function: what is missing, that a file is there already or cannot be written;
        nothing was written.
    """
    from LungSegResNetLib.errors import InputError, OutputError

    if reason := whyNoFolder(dataSet) or whyNoCase(volumeNode, segmentationNode):
        raise InputError(reason)
    name = re.sub(r"[^\w.-]+", "_", name.strip() or volumeNode.GetName())[:_LONGEST_NAME].strip("._") or "case"
    ctFile, maskFile = (Path(dataSet) / f"{name}{ending}" for ending in ("_ct.nrrd", "_lungs.seg.nrrd"))
    for path in (ctFile, maskFile):
        if path.exists():
            text = _('"{name}" is a case already, so the CT "{ct}" was not written; choose another CT or another name.')
            raise OutputError(text.format(name=name, ct=volumeNode.GetName()))
    ct, labels = ctAndLungs(volumeNode, segmentationNode)
    if not labels.any():
        raise InputError(_("The lungs of the segmentation lie outside the CT; choose those that belong together."))
    others = otherSegmentsOf(volumeNode, segmentationNode)
    ct = replace(ct, hu=ct.hu.copy())  # or it would be written with what becomes of it meanwhile

    # Translated here, as Slicer is for the main thread.
    texts = (
        _("{reason} If it is not lung, move it into another segmentation."),
        _("{path} could not be written ({reason}); check whether the disk is full."),
    )

    def write() -> str:
        _write(ct, labels, others(), ctFile, maskFile, *texts)
        return name

    return write


def _write(
    ct: CTVolume, labels: np.ndarray, others: OtherSegments, ctFile: Path, maskFile: Path, left: str, failed: str
) -> None:
    """Write both files; ``left`` is told of disease that was left out, ``failed`` of a CT that cannot be written."""
    import SimpleITK as sitk

    from LungSegResNetLib.atomic import write_atomically
    from LungSegResNetLib.errors import InputError, OutputError
    from LungSegResNetLib.files.library_errors import reason_of
    from LungSegResNetLib.files.library_paths import UnusableNameError, library_path
    from LungSegResNetLib.files.writing import write_mask
    from LungSegResNetTrainingLib.data.disease_in_other_segments import disease_left_out

    # In the files there are the lungs alone, so that no check could find it.
    if disease := disease_left_out(ct, labels > 0, others):
        raise InputError(left.format(reason=" ".join(disease)))
    with write_atomically(ctFile, overwrite=False) as temporary:
        temporary.touch()  # no permission shows here, as an OSError with its reason
        try:
            sitk.WriteImage(ct.to_native(ct.hu), library_path(temporary), useCompression=True)
        except (RuntimeError, UnusableNameError) as error:
            raise OutputError(failed.format(path=ctFile, reason=reason_of(error))) from error
        # A CT without its mask is no case, so the CT gets its name after the mask.
        write_mask(maskFile, labels, ct, overwrite=False)


def whyNoFolder(dataSet: str) -> str:
    """A sentence if cases cannot be added to the data set; empty if they can."""
    if not dataSet or not Path(dataSet).is_dir():
        return _("Choose the folder of the data set first; cases cannot be added to a list in CSV.")
    if (Path(dataSet) / CASE_LIST).exists():
        return _("The folder has a list of its cases (cases.csv), which a new case would not be in.")
    return ""


def whyNoCase(volumeNode: Any, segmentationNode: Any) -> str:
    """A sentence that says why CT and lungs are no new case; empty if they are."""
    if volumeNode is None or volumeNode.GetImageData() is None:
        return _("Choose the CT of the new case.")
    if volumeNode.GetClassName() != "vtkMRMLScalarVolumeNode":
        return _('"{name}" is not a CT; choose a volume with one value in each voxel.').format(
            name=volumeNode.GetName()
        )
    if segmentationNode is None or not hasSides(segmentationNode):
        return _("Choose a segmentation with the segments right lung and left lung.")
    if reason := whyNotTogether(volumeNode, segmentationNode):
        return reason
    if segmentationNode.GetTransformNodeID() != volumeNode.GetTransformNodeID():
        return _("The segmentation is under a different transform from the CT.")
    return ""


def _stateOfFiles(case: Case) -> str:
    """Is another text for another CT or mask, and after one of their files was changed; empty if one cannot be read."""
    from LungSegResNetLib.digests import file_digest
    from LungSegResNetTrainingLib.data.case_files import files_of_case

    try:
        files = files_of_case(case)
        parts = [str(case.ct), str(case.mask), *(f"{path} {file_digest(path)}" for path in files)]
    except OSError:
        return ""  # which reading the case explains better
    return hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()


def _add(read: ReadCase) -> Any:
    from LungSegResNetLib.errors import InputError

    name = read.case.name
    if read.ctAndMask is None:
        raise InputError(_("{name} was removed from the scene just now; show it again.").format(name=name))
    ct, mask = read.ctAndMask
    volumeNode = addCase(read.files, ct, mask.labels, name, _("{name} reference").format(name=name))
    volumeNode.SetAttribute(_IN_DATA_SET, "1")
    return volumeNode

"""Training cases in the scene: read from files and shown, and written as files from a volume and a segmentation."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from LungSegResNetWidgets.ct_of_lungs import whyNotTogether
from LungSegResNetWidgets.lung_measurement import ctAndLungs, otherSegmentsOf
from LungSegResNetWidgets.lung_segments import hasSides
from LungSegResNetWidgets.shown_cases import addCase, caseInScene, removeOtherCases, showAlone
from LungSegResNetWidgets.slice_views import jumpToPoint
from LungSegResNetWidgets.volume_nodes import ijkToRas
from slicer.i18n import tr as _

from LungSegResNetTrainingLib.data.cases import CASE_LIST

if TYPE_CHECKING:
    import numpy as np

    from LungSegResNetLib.ct_volume import CTVolume
    from LungSegResNetLib.files.other_segments import OtherSegments
    from LungSegResNetTrainingLib.data.cases import Case

_IN_DATA_SET = "LungSegResNet.caseInDataSet"  # attribute of the CT of a case
_LONGEST_NAME = 60  # characters; no disk takes files whose names have more than 255 bytes


def showCase(case: Case) -> Any:
    """Show CT and mask of a case in the slice views; returns the volume node.

    They are loaded unless they are in the scene as they are on disk now; the case before leaves the scene, see
    `removeOtherCases`.

    Raises
    ------
    LungSegError : a file cannot be read, or the mask does not belong to the CT.
    """
    files = _stateOfFiles(case)
    volumeNode = caseInScene(files) or _load(case, files)
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

    def write() -> str:
        _write(ct, labels, others(), ctFile, maskFile)
        return name

    return write


def _write(ct: CTVolume, labels: np.ndarray, others: OtherSegments, ctFile: Path, maskFile: Path) -> None:
    import SimpleITK as sitk

    from LungSegResNetLib.atomic import write_atomically
    from LungSegResNetLib.errors import InputError, OutputError
    from LungSegResNetLib.files.library_errors import reason_of
    from LungSegResNetLib.files.library_paths import UnusableNameError, library_path
    from LungSegResNetLib.files.writing import write_mask
    from LungSegResNetTrainingLib.data.disease_in_other_segments import disease_left_out

    # In the files there are the lungs alone, so that no check could find it.
    if disease := disease_left_out(ct, labels > 0, others):
        raise InputError(
            _("{reason} If it is not lung, move it into another segmentation.").format(reason=" ".join(disease))
        )
    with write_atomically(ctFile, overwrite=False) as temporary:
        temporary.touch()  # no permission shows here, as an OSError with its reason
        try:
            sitk.WriteImage(ct.to_native(ct.hu), library_path(temporary), useCompression=True)
        except (RuntimeError, UnusableNameError) as error:
            text = _("{path} could not be written ({reason}); check whether the disk is full.")
            raise OutputError(text.format(path=ctFile, reason=reason_of(error))) from error
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


def _load(case: Case, files: str) -> Any:
    from LungSegResNetTrainingLib.data.case_reading import read_case

    # Not Slicer's own readers: training sees the case like this, whatever the format of its files is.
    ct, mask = read_case(case)
    volumeNode = addCase(files, ct, mask.labels, case.name, _("{name} reference").format(name=case.name))
    volumeNode.SetAttribute(_IN_DATA_SET, "1")
    return volumeNode

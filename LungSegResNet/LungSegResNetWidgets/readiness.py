"""What a run takes, why it cannot start, and what a network file is, in words for the panel."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from LungSegResNetLib.network.devices import may_have_graphics_card

from .ct_of_lungs import whyNotTogether
from .dependencies import hasTorchExtension
from .labelmaps import BINARY_LABELMAP
from .slice_views import backgroundVolumes


def firstScan() -> Any:
    """The volume that the slice views show, else the first one, that may be a CT; None where there is none."""
    return next(iter(scans()), None)


def scans() -> list[Any]:
    """Volumes that may be a CT, as label maps are not; those that the slice views show come first, and once more."""
    return [*shownScans(), *_scansAmong(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"))]


def shownScans() -> list[Any]:
    """The volumes that the slice views show and that may be a CT."""
    return _scansAmong(backgroundVolumes())


def _scansAmong(nodes: Sequence[Any]) -> list[Any]:
    found = (node for node in nodes if node.GetClassName() == "vtkMRMLScalarVolumeNode")
    return [node for node in found if not node.GetHideFromEditors()]


def whyNoNetwork(modelFile: str) -> str:
    """A sentence if the chosen network file is not there; empty if it is, or none was chosen."""
    if modelFile and not Path(modelFile).is_file():
        return _("There is no network file at {path}.").format(path=modelFile)
    return ""


def whyNotReady(volumeNode: Any, segmentationNode: Any) -> str:
    """A sentence that says what is missing for a run besides the network; empty if nothing is."""
    if volumeNode is None:
        return _("Choose a CT volume; load one first if the list is empty.")
    if volumeNode.GetImageData() is None:
        return _('The volume "{name}" contains no image; choose another one.').format(name=volumeNode.GetName())
    if segmentationNode is not None and segmentationNode.GetSegmentation().GetNumberOfSegments() > 0:
        name = segmentationNode.GetName()
        if segmentationNode.GetSegmentation().GetSourceRepresentationName() != BINARY_LABELMAP:
            return _(
                'The segmentation "{name}" is kept as surfaces; choose another or a new one, or make a binary labelmap '
                "of it in the module Segmentations."
            ).format(name=name)
        if segmentationNode.GetParentTransformNode() is not volumeNode.GetParentTransformNode():
            return _(
                'The segmentation "{name}" is under a different transform from the CT; choose another or a new one.'
            ).format(name=name)
    return whyNotTogether(volumeNode, segmentationNode)


def modelToolTip(modelFile: str) -> str:
    """What a network file says about itself; its problem in a sentence if it cannot be read."""
    try:
        from LungSegResNetLib.errors import ModelError
        from LungSegResNetLib.network.model_file import default_model_path, read_card
    except ImportError:
        # The package that reads network files is installed with the first run.
        return modelFile or _("The network that is shipped with the extension.")
    try:
        card = read_card(modelFile or default_model_path())
    except ModelError as error:
        return str(error)
    lines = [f"{card.name} {card.version}", card.description]
    if card.limits:
        lines += [_("Known failures and limits:"), *(f"- {text}" for text in card.limits)]
    lines.append(_("Licence: {name}").format(name=card.licence))
    if card.is_unfinished:
        lines.insert(1, _("Its training has not finished."))
    lines += [f"{key}: {value}" for key, value in card.figures.items() if not isinstance(value, (dict, list))]
    return "\n".join(line for line in lines if line)


def whatRuns(engine: str, device: str) -> str:
    """What is known of engine and device before the first run, told from drivers and packages without loading any."""
    if device != "auto":
        return _("After a run: which engine and device were used, and why.")
    if engine == "openvino":
        return _("Automatic means here: OpenVINO on the CPU.")
    processor = _("PyTorch on the CPU") if engine == "torch" else _("OpenVINO on the CPU")
    text = _("Automatic means here: PyTorch on the GPU, or {processor} if it cannot be used.")
    if not may_have_graphics_card():
        text = _("Automatic means here: {processor}, since no GPU for PyTorch was found.")
    elif importlib.util.find_spec("torch") is None and not hasTorchExtension():
        text = _("Automatic means here: {processor}; to use the GPU, install the extension PyTorch.")
    return text.format(processor=processor)

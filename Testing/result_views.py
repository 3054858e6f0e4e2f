"""Picture of the sample CT with the lungs that the module finds, in slice views and in 3D.

``python Testing/result_views.py CACHE FOLDER``: CACHE keeps the sample CT, FOLDER gets ``result_views.png``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ["QT_QPA_PLATFORM"] = "offscreen"
REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY / "LungSegResNet"), str(REPOSITORY / "Testing")]

import numpy as np  # noqa: E402
import SimpleITK as sitk  # noqa: E402
import slicer_host  # noqa: E402
from fetch_sample import fetch_sample  # noqa: E402
from mrml_data import add_volume, segment_array  # noqa: E402
from PIL import Image  # noqa: E402

_SIZE = 420  # pixels of a view
_GAP = 4
_LUNG_WINDOW = (1400, -500)  # HU: width, centre


def main(cache: Path, folder: Path) -> None:
    """Segment the sample CT with the module's logic, and draw the scene as Slicer's layout Four-Up shows it."""
    host = slicer_host.start()
    from LungSegResNetWidgets.worker_process import endKeptProcesses
    from scene_views import SliceView, ThreeDView

    volume = add_volume(host, sitk.ReadImage(str(fetch_sample(cache))), "CT thorax")
    set_window(host.slicer, volume)
    logic = host.loadModule("LungSegResNet").LungSegResNetLogic()
    segmentation = logic.process(volume).segmentationNode
    endKeptProcesses()
    segmentation.CreateClosedSurfaceRepresentation()
    segmentation.GetDisplayNode().SetVisibility2DFill(False)  # or the lung below cannot be seen
    middle = middle_of(segment_array(host, segmentation, "right_lung", volume), volume)
    application = host.slicer.modules.applicationLogic.logic()
    views: list[Any] = [
        SliceView(host.slicer.mrmlScene, application, orientation, (_SIZE, _SIZE))
        for orientation in ("Axial", "Coronal", "Sagittal")
    ]
    for view in views:
        view.show(volume, middle)
    views.insert(1, ThreeDView(host.slicer.mrmlScene, application, (_SIZE, _SIZE)))
    views[1].show()
    side = 2 * _SIZE + _GAP
    picture = Image.new("RGB", (side, side))
    for index, view in enumerate(views):
        row, column = divmod(index, 2)
        picture.paste(Image.fromarray(view.pixels()), (column * (_SIZE + _GAP), row * (_SIZE + _GAP)))
    folder.mkdir(parents=True, exist_ok=True)
    picture.quantize(256).save(folder / "result_views.png", optimize=True)
    print(folder / "result_views.png")


def set_window(slicer: Any, volume: Any) -> None:
    """Show the volume in grey, in a window for lungs."""
    grey = slicer.vtkMRMLColorTableNode()
    grey.SetTypeToGrey()
    slicer.mrmlScene.AddNode(grey)
    volume.CreateDefaultDisplayNodes()
    display = volume.GetDisplayNode()
    display.SetAndObserveColorNodeID(grey.GetID())
    display.AutoWindowLevelOff()
    display.SetWindowLevel(*_LUNG_WINDOW)


def middle_of(mask: np.ndarray, volume: Any) -> list[float]:
    """Middle of the voxels in a mask (k, j, i), as a point (RAS, mm)."""
    import vtk

    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    k, j, i = np.argwhere(mask).mean(axis=0)
    return list(matrix.MultiplyPoint((i, j, k, 1))[:3])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

"""Pictures of both modules in a real Slicer; runs inside it:

Slicer --testing --additional-module-paths LungSegResNet LungSegResNetTraining --python-script THIS FOLDER
"""

import sys
from pathlib import Path

import slicer
from LungSegResNetWidgets.drawn_thorax import makeThorax


def grab(folder, name):
    """Save the main window as it is."""
    slicer.util.forceRenderAllViews()
    slicer.app.processEvents()
    slicer.util.mainWindow().grab().save(str(folder / f"{name}.png"))


def main(folder):
    """Open both modules, and segment the thorax that the self-test draws."""
    folder.mkdir(parents=True, exist_ok=True)
    slicer.util.selectModule("LungSegResNet")
    grab(folder, "LungSegResNet_empty")
    volume, _drawn = makeThorax()
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    panel = slicer.modules.lungsegresnet.widgetRepresentation().self()
    panel.ui.segmentButton.click()
    while not panel.ui.segmentButton.visible:
        slicer.app.processEvents()
    panel.ui.show3DButton.checked = True
    slicer.app.layoutManager().threeDWidget(0).threeDView().resetFocalPoint()
    grab(folder, "LungSegResNet_done")
    slicer.util.selectModule("LungSegResNetTraining")
    grab(folder, "LungSegResNetTraining_empty")


main(Path(sys.argv[1]))

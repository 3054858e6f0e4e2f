"""Pictures of both modules in a real Slicer; runs inside it, and fails where the run does or a picture is not saved:

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
    if not slicer.util.mainWindow().grab().save(str(folder / f"{name}.png")):
        raise RuntimeError(f"{name}.png could not be saved.")


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
    if not panel.ui.statusLabel.text.startswith("Done: "):
        raise RuntimeError(f"The run failed: {panel.ui.statusLabel.text}")
    panel.ui.show3DButton.checked = True
    slicer.app.layoutManager().threeDWidget(0).threeDView().resetFocalPoint()
    grab(folder, "LungSegResNet_done")
    slicer.util.selectModule("LungSegResNetTraining")
    grab(folder, "LungSegResNetTraining_empty")


main(Path(sys.argv[1]))

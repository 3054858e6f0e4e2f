"""Pictures of the panels in their states, light and dark: ``python Testing/screenshots.py FOLDER``.

The panels are the real ones on real MRML data; frames and colours are those of Qt's Fusion style, not of Slicer's.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ["QT_QPA_PLATFORM"] = "offscreen"
REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY / "LungSegResNet"), str(REPOSITORY / "Testing")]

import numpy as np  # noqa: E402
import SimpleITK as sitk  # noqa: E402
import slicer_host  # noqa: E402
from mrml_data import add_volume  # noqa: E402
from network_files import seen_network, write_network  # noqa: E402
from synthetic_thorax import Thorax  # noqa: E402

_WIDTH = 420


def set_dark(host: slicer_host.Host, dark: bool) -> None:
    """Slicer's dark style is a palette, too."""
    qt = host.qt
    if not dark:
        host.qt_application.setPalette(host.qt_application.style().standardPalette())
        return
    palette = qt.QPalette()
    colors = {
        qt.QPalette.Window: "#353535",
        qt.QPalette.WindowText: "#ffffff",
        qt.QPalette.Base: "#232323",
        qt.QPalette.AlternateBase: "#2b2b2b",
        qt.QPalette.Text: "#ffffff",
        qt.QPalette.Button: "#353535",
        qt.QPalette.ButtonText: "#ffffff",
        qt.QPalette.PlaceholderText: "#9a9a9a",
        qt.QPalette.Highlight: "#2a82da",
        qt.QPalette.HighlightedText: "#000000",
    }
    for role, color in colors.items():
        palette.setColor(role, qt.QColor(color))
    for role in (qt.QPalette.WindowText, qt.QPalette.Text, qt.QPalette.ButtonText):
        palette.setColor(qt.QPalette.Disabled, role, qt.QColor("#7f7f7f"))
    host.qt_application.setPalette(palette)


def grab(host: slicer_host.Host, panel: Any, folder: Path, state: str, name: str = "panel") -> None:
    """Save the panel as it is, light and dark."""
    for dark in (False, True):
        set_dark(host, dark)
        for _layout in range(2):  # a label that is broken into lines at the first one is taller at the second
            host.slicer.app.processEvents()
            panel.parent.resize(_WIDTH, panel.parent.sizeHint().height())
        host.slicer.app.processEvents()
        path = folder / f"{name}_{state}_{'dark' if dark else 'light'}.png"
        panel.parent.grab().save(str(path))
        print(path)
    set_dark(host, False)


def show_paths(texts: dict[Any, str]) -> None:
    """Folders are temporary ones, so that pictures show others; the parameters keep those that are used."""
    for field, text in texts.items():
        field.blockSignals(True)
        field.text = text
        field.blockSignals(False)


def main(folder: Path) -> None:
    """Walk through the states of both panels."""
    folder.mkdir(parents=True, exist_ok=True)
    host = slicer_host.start()
    segmenting(host, folder)
    host.slicer.mrmlScene.Clear(False)
    with tempfile.TemporaryDirectory() as data:
        batch(host, folder, Path(data))
    host.slicer.mrmlScene.Clear(False)
    with tempfile.TemporaryDirectory() as data:
        training(host, folder, Path(data))


def segmenting(host: slicer_host.Host, folder: Path) -> None:
    """States of the panel LungSegResNet."""
    panel = host.openModule("LungSegResNet")
    grab(host, panel, folder, "empty")
    add_volume(host, Thorax(consolidation=True).scan(spacing=(2.0, 2.0, 8.0))[0], "CT thorax")
    grab(host, panel, folder, "ready")
    panel.ui.advancedCollapsibleButton.collapsed = False
    grab(host, panel, folder, "advanced")
    panel.ui.advancedCollapsibleButton.collapsed = True
    panel.ui.segmentButton.click()
    host.wait(lambda: panel.ui.progressBar.value > panel.ui.progressBar.maximum // 3 > 0, 600)
    grab(host, panel, folder, "running")
    host.wait(lambda: panel.ui.segmentButton.visible, 600)
    grab(host, panel, folder, "done")
    host.slicer.mrmlScene.Clear(False)
    grey = np.random.default_rng(0).integers(0, 800, (6, 40, 40)).astype(np.int16)
    host.slicer.util.addVolumeFromArray(grey, name="Brain MR")
    panel.ui.segmentButton.click()
    host.wait(lambda: panel.ui.segmentButton.visible, 600)
    grab(host, panel, folder, "error")
    host.closeModule(panel)


def batch(host: slicer_host.Host, folder: Path, data: Path) -> None:
    """The panel LungSegResNet after a folder of drawn patients, one of whose files is not a CT."""
    scans = data / "scans"
    scans.mkdir()
    for number in range(3):
        sitk.WriteImage(Thorax().scan((4.0, 4.0, 20.0), seed=number)[0], str(scans / f"patient{number + 1}.nrrd"))
    (scans / "patient4.nrrd").write_text("no CT", encoding="utf-8")
    panel = host.openModule("LungSegResNet")
    panel.ui.checkCollapsibleButton.collapsed = True
    panel.ui.measurementsCollapsibleButton.collapsed = True
    panel.ui.batchCollapsibleButton.collapsed = False
    chosen = panel.logic.getParameterNode()
    chosen.batchInput, chosen.batchOutput = str(scans), str(data / "results")
    panel.ui.batchStartButton.click()
    host.wait(lambda: not panel.batchPanel.running, 600)
    show_paths({panel.ui.batchInputLineEdit: "D:/scans", panel.ui.batchOutputLineEdit: "D:/lungs"})
    panel.ui.batchTable.selectRow(0)
    grab(host, panel, folder, "batch")
    host.closeModule(panel)


def training(host: slicer_host.Host, folder: Path, data: Path) -> None:
    """States of the panel LungSegResNet Training, with a short run of a small network on drawn patients."""

    def picture(state: str) -> None:
        used = {field: field.text for field in shown if field.text}
        show_paths({field: shown[field] for field in used})
        ui.trainStatusLabel.text = ui.trainStatusLabel.text.replace(f"{data}{os.sep}", "D:/")
        ui.logText.plainText = ui.logText.plainText.replace(f"{data}{os.sep}", "D:/")
        ui.logText.moveCursor(host.qt.QTextCursor.End)
        grab(host, panel, folder, state, "training")
        show_paths(used)

    cases, run = data / "cases", data / "run"
    cases.mkdir()
    for number in range(4):
        for image, part in zip(Thorax().scan((4.0, 4.0, 20.0), seed=number), ("ct", "lungs"), strict=True):
            sitk.WriteImage(image, str(cases / f"patient{number + 1}_{part}.nrrd"))
    sitk.WriteImage(Thorax().scan((4.0, 4.0, 20.0))[0], str(cases / "patient5_ct.nrrd"))
    panel = host.openModule("LungSegResNetTraining")
    ui = panel.ui
    shown = {
        ui.dataSetLineEdit: "D:/cases",
        ui.runFolderLineEdit: "D:/run",
        ui.startFileLineEdit: "D:/lungs.safetensors",
    }
    picture("empty")
    chosen = panel.logic.getParameterNode()
    chosen.dataSet = str(cases)
    panel.ui.checkButton.click()
    host.wait(lambda: panel.ui.checkButton.visible, 600)
    chosen.runFolder = str(run)
    chosen.startNetwork = "file"
    chosen.startFile = str(write_network(data / "small.safetensors", seen_network(), scales=(1,)))
    chosen.steps, chosen.batchSize, chosen.validateEvery = 60, 4, 10
    picture("ready")
    panel.ui.startButton.click()
    host.wait(lambda: panel.ui.trainBar.maximum == 60 and panel.ui.trainBar.value > 25, 600)
    picture("running")
    host.wait(lambda: panel.ui.startButton.visible, 600)
    panel.ui.evaluateButton.click()
    host.wait(lambda: panel.ui.evaluateButton.visible, 600)
    picture("done")
    host.closeModule(panel)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "Resources" / "Screenshots")

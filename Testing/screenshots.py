"""Pictures of the panel in its states, light and dark: ``python Testing/screenshots.py FOLDER``.

The panel is the real one on real MRML data; frames and colours are those of Qt's Fusion style, not of Slicer's.
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
import slicer_host  # noqa: E402
from mrml_data import add_volume  # noqa: E402
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


def grab(host: slicer_host.Host, panel: Any, folder: Path, state: str) -> None:
    """Save the panel as it is, light and dark."""
    for dark in (False, True):
        set_dark(host, dark)
        host.slicer.app.processEvents()
        panel.parent.resize(_WIDTH, panel.parent.sizeHint().height())
        host.slicer.app.processEvents()
        path = folder / f"panel_{state}_{'dark' if dark else 'light'}.png"
        panel.parent.grab().save(str(path))
        print(path)
    set_dark(host, False)


def main(folder: Path) -> None:
    """Walk through the states of the panel."""
    folder.mkdir(parents=True, exist_ok=True)
    host = slicer_host.start()
    panel = host.openModule("LungSegResNet")
    grab(host, panel, folder, "empty")
    add_volume(host, Thorax(consolidation=True).scan(spacing=(2.0, 2.0, 8.0))[0], "CT thorax")
    panel.ui.advancedCollapsibleButton.setCollapsed(False)
    grab(host, panel, folder, "ready")
    panel.ui.advancedCollapsibleButton.setCollapsed(True)
    panel.ui.segmentButton.click()
    host.wait(lambda: panel.ui.progressBar.value > panel.ui.progressBar.maximum // 3 > 0, 600)
    grab(host, panel, folder, "running")
    host.wait(lambda: panel.ui.segmentButton.visible, 600)
    grab(host, panel, folder, "done")
    host.slicer.mrmlScene.Clear(False)
    host.slicer.util.addVolumeFromArray(np.full((6, 40, 40), 7, np.int16), name="Brain MR")
    panel.ui.segmentButton.click()
    host.wait(lambda: panel.ui.segmentButton.visible, 600)
    grab(host, panel, folder, "error")
    host.closeModule(panel)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "Resources" / "Screenshots")

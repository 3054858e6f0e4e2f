"""Measurements in the panel, on the clipboard and as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from LungSegResNetLib.figures.measurements import QUANTITIES, Quantity
from LungSegResNetLib.tables import write_rows

from .table_widget import wrapped


def titles() -> dict[str, str]:
    """Titles of the quantities that are shown, by key: those of the library, in the user's language."""
    return {
        "volume_ml": _("Volume (ml)"),
        "mean_hu": _("Mean density (HU)"),
        "sd_hu": _("Density SD (HU)"),
        "p5_hu": _("5th percentile (HU)"),
        "p50_hu": _("Median (HU)"),
        "p95_hu": _("95th percentile (HU)"),
        "below_-950_hu_percent": _("below -950 HU (%)"),
        "-950_to_-700_hu_percent": _("-950 to -700 HU (%)"),
        "-700_to_-300_hu_percent": _("-700 to -300 HU (%)"),
        "-300_to_100_hu_percent": _("-300 to 100 HU (%)"),
        "above_100_hu_percent": _("100 HU and above (%)"),
        "mass_g": _("Mass (g)"),
    }


def rowToolTips() -> dict[str, str]:
    """What a row means where neither its title nor the library says it, by key."""
    return {
        "mean_hu": _("Of all voxels of the segment, vessels and disease included."),
        "sd_hu": _("Standard deviation over all voxels of the segment."),
        "mass_g": _("Volume x (mean HU + 1000) / 1000: air weighs nothing, water 1 g/ml."),
    }


class FiguresFirst(qt.QObject):
    """Has a table of `showRows` show regions and figures in full at any width; its titles get what room is left.

    They end with an ellipsis where that is not enough, and are in their tool tips. The object is to be kept.
    """

    def follow(self, widget: Any) -> None:
        """Do so for this table."""
        widget.horizontalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        widget.verticalHeader().setTextElideMode(qt.Qt.ElideRight)
        widget.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Called by Qt for each event of the table."""
        if event.type() == qt.QEvent.Resize:
            _fitTitles(watched)
        return False


def showRows(widget: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Quantities downwards, regions across, in a QTableWidget."""
    shown = [(title, quantity) for title, quantity in _quantities() if rows and quantity.key in rows[0]]
    widget.setRowCount(len(shown))
    widget.setColumnCount(len(rows))
    widget.setHorizontalHeaderLabels([_shortTitle(row["region"]) for row in rows])
    for column, row in enumerate(rows):
        widget.horizontalHeaderItem(column).setToolTip(wrapped(_regionTitle(row["region"])))
    widget.setVerticalHeaderLabels([title for title, _quantity in shown])
    toolTips = rowToolTips()
    for line, (title, quantity) in enumerate(shown):
        meaning = toolTips.get(quantity.key) or quantity.meaning
        toolTip = wrapped(f"{title}\n{meaning}" if meaning else title)
        widget.verticalHeaderItem(line).setToolTip(toolTip)
        for column, row in enumerate(rows):
            item = qt.QTableWidgetItem(quantity.text(row[quantity.key]))
            item.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
            item.setToolTip(toolTip)
            widget.setItem(line, column, item)
    _fitTitles(widget)


def copyRows(ct: str, rows: Sequence[dict[str, Any]], note: str) -> None:
    """Put the table on the clipboard as text with tabs, which spreadsheets take, with the decimal mark of the system.

    The name of the CT is its corner, and a note, where there is one, its last line.
    """
    lines, mark = ["\t".join([ct, *(_regionTitle(row["region"]) for row in rows)])], _decimalMark()
    for title, quantity in _quantities():
        texts = (quantity.text(row.get(quantity.key)) for row in rows)
        lines.append("\t".join([title, *(text.replace(".", mark) for text in texts)]))
    slicer.app.clipboard().setText("\n".join([*lines, note] if note else lines))


def exportRows(path: str, ct: str, rows: Sequence[dict[str, Any]], note: str) -> None:
    """Write CSV or JSON with the name of the CT, units in the column names and a note (or an empty one) in each row.

    Decimals have points, so that programs read the file in any country. The file dialog has asked before replacing one.
    """
    write_rows(Path(path), [{"ct": ct, **row, "note": note} for row in rows], overwrite=True)


def _quantities() -> list[tuple[str, Quantity]]:
    """What is shown, with its title."""
    shown = titles()
    return [(shown[quantity.key], quantity) for quantity in QUANTITIES if quantity.key in shown]


def _regionTitle(region: str) -> str:
    return {"right lung": _("right lung"), "left lung": _("left lung"), "lungs": _("both lungs")}.get(region, region)


def _shortTitle(region: str) -> str:
    """Of a column, which is as narrow as its figures."""
    return {"right lung": _("right"), "left lung": _("left"), "lungs": _("both")}.get(region, region)


def _fitTitles(widget: Any) -> None:
    widget.verticalHeader().setFixedWidth(max(0, widget.contentsRect().width() - widget.horizontalHeader().length()))
    widget.doItemsLayout()  # which puts the columns beside the titles


def _decimalMark() -> str:
    """Comma or point, as spreadsheets expect it here; they take 4.2 for a date where it is a comma."""
    # From a text, since PythonQt gives the character that ``decimalPoint`` returns as a number.
    return "," if "," in qt.QLocale.system().toString(0.5) else "."

"""Measurements in the panel, on the clipboard and as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from LungSegResNetLib.figures.measurements import DENSITY_BANDS, PERCENTILES
from LungSegResNetLib.tables import write_rows

from .table_widget import wrapped


def quantities() -> list[tuple[str, str, int]]:
    """Title, key in a row and decimals of each row that is shown."""
    return [
        (_("Volume (ml)"), "volume_ml", 0),
        (_("Mean density (HU)"), "mean_hu", 0),
        (_("Density SD (HU)"), "sd_hu", 0),
        *((_percentileTitle(p), f"p{p}_hu", 0) for p in PERCENTILES),
        *((_("{band} (%)").format(band=band.title), f"{band.key}_percent", 1) for band in DENSITY_BANDS),
        (_("Mass (g)"), "mass_g", 0),
    ]


def rowToolTips() -> dict[str, str]:
    """What a row means where its title does not say it, by key."""
    return {
        "mean_hu": _("Of all voxels of the segment, vessels and disease included."),
        "sd_hu": _("Standard deviation over all voxels of the segment."),
        "mass_g": _("Volume x (mean HU + 1000) / 1000: air weighs nothing, water 1 g/ml."),
        **{f"{band.key}_percent": band.meaning for band in DENSITY_BANDS},
    }


def showRows(widget: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Quantities downwards, regions across, in a QTableWidget."""
    shown = [entry for entry in quantities() if rows and entry[1] in rows[0]]
    widget.setRowCount(len(shown))
    widget.setColumnCount(len(rows))
    widget.setHorizontalHeaderLabels([_regionTitle(row["region"]) for row in rows])
    widget.setVerticalHeaderLabels([title for title, _key, _decimals in shown])
    toolTips = rowToolTips()
    for line, (title, key, decimals) in enumerate(shown):
        toolTip = wrapped(toolTips.get(key, title))
        widget.verticalHeaderItem(line).setToolTip(toolTip)
        for column, row in enumerate(rows):
            item = qt.QTableWidgetItem(_text(row[key], decimals))
            item.setTextAlignment(qt.Qt.AlignRight | qt.Qt.AlignVCenter)
            item.setToolTip(toolTip)
            widget.setItem(line, column, item)


def copyRows(ct: str, rows: Sequence[dict[str, Any]], note: str) -> None:
    """Put the table on the clipboard as text with tabs, which spreadsheets take, with the decimal mark of the system.

    The name of the CT is its corner, and a note, where there is one, its last line.
    """
    lines, mark = ["\t".join([ct, *(_regionTitle(row["region"]) for row in rows)])], _decimalMark()
    for title, key, decimals in quantities():
        lines.append("\t".join([title, *(_text(row.get(key), decimals).replace(".", mark) for row in rows)]))
    slicer.app.clipboard().setText("\n".join([*lines, note] if note else lines))


def exportRows(path: str, ct: str, rows: Sequence[dict[str, Any]], note: str) -> None:
    """Write CSV or JSON with the name of the CT, units in the column names and a note (or an empty one) in each row.

    Decimals have points, so that programs read the file in any country. The file dialog has asked before replacing one.
    """
    write_rows(Path(path), [{"ct": ct, **row, "note": note} for row in rows], overwrite=True)


def _percentileTitle(percent: int) -> str:
    return _("Median (HU)") if percent == 50 else _("{p}th percentile (HU)").format(p=percent)


def _regionTitle(region: str) -> str:
    return {"right lung": _("right lung"), "left lung": _("left lung"), "lungs": _("both lungs")}.get(region, region)


def _decimalMark() -> str:
    """Comma or point, as spreadsheets expect it here; they take 4.2 for a date where it is a comma."""
    # From a text, since PythonQt gives the character that ``decimalPoint`` returns as a number.
    return "," if "," in qt.QLocale.system().toString(0.5) else "."


def _text(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"

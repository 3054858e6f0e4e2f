"""Tables in a narrow panel, of real Qt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from slicer_host import Host

WIDTH = 350  # pixels, as narrow as a panel of Slicer is made
NAME = "scanner_export_1956_study1_thorax_native_soft_tissue_kernel"


@pytest.fixture
def table(host: Host) -> Iterator[Any]:
    """A table in a panel of its own."""
    panel = host.qt.QWidget()
    panel.font = host.qt.QFont("Sans Serif", 9)  # the size of Windows; panels with larger ones are wider
    widget = host.qt.QTableWidget()
    host.qt.QVBoxLayout(panel).addWidget(widget)
    panel.resize(WIDTH, 300)
    panel.show()
    yield widget
    panel.deleteLater()
    host.slicer.app.processEvents()


def widths(host: Host, table: Any) -> list[int]:
    host.slicer.app.processEvents()
    return [table.columnWidth(column) for column in range(table.columnCount)]


@pytest.mark.parametrize("is_one_by_one", [False, True])
def test_a_long_name_leaves_room_for_the_note_and_shows_both_its_ends(
    host: Host, table: Any, is_one_by_one: bool
) -> None:
    from LungSegResNetWidgets.table_widget import showRow, showTable

    headers, row = ["Case", "Status", "Notes"], [NAME, "failed", "There is no CT in this file; choose another one."]
    showTable(table, headers, [] if is_one_by_one else [row], "Notes")
    if is_one_by_one:
        showRow(table, 0, row)
    assert widths(host, table)[2] >= 120
    assert not table.horizontalScrollBar().visible
    name = table.item(0, 0)
    assert name.text() == "scanner...e_kernel"
    assert NAME in name.toolTip()
    assert name.data(host.qt.Qt.AccessibleTextRole) == NAME
    assert table.item(0, 2).text() == row[2]


def test_a_short_name_and_a_title_that_takes_what_room_is_left_are_not_shortened(host: Host, table: Any) -> None:
    from LungSegResNetWidgets.table_widget import showTable

    showTable(table, ["Case", "Notes"], [["scanner_export_901", ""]], "Notes")
    assert table.item(0, 0).text() == "scanner_export_901"
    showTable(table, ["Metric", "Mean"], [["Mean absolute error (MAE)", "0.9"]], "Metric")
    assert table.item(0, 0).text() == "Mean absolute error (MAE)"


def test_rows_that_come_anew_are_not_chosen(host: Host, table: Any) -> None:
    from LungSegResNetWidgets.table_widget import showTable

    for names in (["b"], ["a", "b"]):
        showTable(table, ["Case", "Notes"], [[name, ""] for name in names], "Notes")
        assert not table.selectedItems()
        table.selectRow(0)

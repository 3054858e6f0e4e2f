"""Loss and validation Dice of a run in Slicer's plot view.

The nodes are of the run, not of a patient: a scene has them only once they were shown in it, and is saved without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from LungSegResNetTrainingLib.training.progress import LoggedStep


class TrainingCurves:
    """The points of a run, and the table, series and chart nodes that show them."""

    def __init__(self) -> None:
        self.steps: list[LoggedStep] = []
        self._loss = _Curve(_("Loss"), (0.12, 0.47, 0.71), markers=False)
        self._dice = _Curve(_("Validation Dice"), (1.0, 0.5, 0.05), markers=True)
        self._chart: Any = None

    def restart(self, steps: Sequence[LoggedStep]) -> None:
        """Take another run, of which these steps are done; nodes are made when there is something to show."""
        self.steps = list(steps)
        if self._isInScene():
            self._fill()

    def add(self, logged: LoggedStep) -> None:
        """One step more; a resumed run does the last steps before its interruption again.

        A scene without the nodes stays without them until `show`, as it may be another patient's.
        """
        again = bool(self.steps) and self.steps[-1].step >= logged.step
        self.steps = [one for one in self.steps if one.step < logged.step] if again else self.steps
        self.steps.append(logged)
        if not self._isInScene():
            return
        if again:
            self._fill()
            return
        self._loss.append(logged.step, logged.loss)
        if logged.validation_dice is not None:
            self._dice.append(logged.step, logged.validation_dice)

    def show(self) -> None:
        """Switch to a layout with a plot view and show the chart there."""
        if not self._isInScene():
            self._fill()
        slicer.modules.plots.logic().ShowChartInLayout(self._chart)

    def _isInScene(self) -> bool:
        nodes = (self._chart, *self._loss.nodes, *self._dice.nodes)
        return all(node is not None and node.GetScene() is not None for node in nodes)

    def _fill(self) -> None:
        if not self._isInScene():
            self._chart = _addNode(slicer.vtkMRMLPlotChartNode(), _("Training"))
            self._chart.SetTitle(_("Training"))
            self._chart.SetXAxisTitle(_("Step"))
            self._chart.SetYAxisTitle(_("Loss and validation Dice"))
            for curve in (self._loss, self._dice):
                self._chart.AddAndObservePlotSeriesNodeID(curve.make().GetID())
        self._loss.fill([(one.step, one.loss) for one in self.steps])
        validated = [(one.step, one.validation_dice) for one in self.steps if one.validation_dice is not None]
        self._dice.fill(validated)


class _Curve:
    """One series over steps, and its table."""

    def __init__(self, title: str, color: tuple[float, float, float], markers: bool) -> None:
        self._title, self._color, self._markers = title, color, markers
        self.nodes: tuple[Any, Any] = (None, None)

    def make(self) -> Any:
        table = slicer.vtkMRMLTableNode()
        table.SetHideFromEditors(True)
        _addNode(table, self._title)
        for kind, name in ((vtk.vtkIntArray, _("Step")), (vtk.vtkDoubleArray, self._title)):
            column = kind()
            column.SetName(name)
            table.AddColumn(column)
        series = _addNode(slicer.vtkMRMLPlotSeriesNode(), self._title)
        series.SetAndObserveTableNodeID(table.GetID())
        series.SetXColumnName(_("Step"))
        series.SetYColumnName(self._title)
        series.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
        series.SetColor(*self._color)
        series.SetLineStyle(slicer.vtkMRMLPlotSeriesNode.LineStyleSolid)
        marker = slicer.vtkMRMLPlotSeriesNode
        series.SetMarkerStyle(marker.MarkerStyleCircle if self._markers else marker.MarkerStyleNone)
        self.nodes = (table, series)
        return series

    def fill(self, points: Sequence[tuple[int, float]]) -> None:
        table = self.nodes[0].GetTable()
        table.SetNumberOfRows(0)
        self._insert(points)

    def append(self, step: int, value: float) -> None:
        self._insert([(step, value)])

    def _insert(self, points: Sequence[tuple[int, float]]) -> None:
        node = self.nodes[0]
        steps, values = (node.GetTable().GetColumn(column) for column in (0, 1))
        for step, value in points:
            steps.InsertNextValue(step)
            values.InsertNextValue(value)
        node.GetTable().Modified()
        node.Modified()


def _addNode(node: Any, name: str) -> Any:
    """Add a node that is not saved with the scene, nor asked about when the scene is."""
    node.SetName(name)
    node.SetSaveWithScene(False)
    return slicer.mrmlScene.AddNode(node)

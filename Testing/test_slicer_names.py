"""The names of Slicer, Qt and ctk in the modules, held against the list of those that Slicer 5.10 has."""

from __future__ import annotations

from pathlib import Path

import pytest
from slicer_names import checking, name_list, product

NAMES = name_list.read()
MODULE = product.REPOSITORY / "LungSegResNet"
ADVICE = "correct the name, or run Testing/slicer_names/make_list.py if a class is used for the first time"


@pytest.fixture(scope="module")
def checker() -> checking.Checker:
    return checking.Checker(NAMES, MODULE)


@pytest.mark.parametrize("module", product.MODULES, ids=lambda path: path.name)
def test_every_name_of_slicer_that_a_module_uses_exists_in_slicer(module: Path) -> None:
    assert checking.problems_of(module, NAMES) == [], ADVICE


def test_every_name_of_slicer_that_the_script_for_its_pictures_uses_exists_in_slicer(checker: checking.Checker) -> None:
    assert checker.python(product.REPOSITORY / "Testing/slicer_screenshots.py") == [], ADVICE


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("slicer.util.confirmYesNoDispaly('?')", "slicer.util has no confirmYesNoDispaly"),
        ("slicer.app.procesEvents()", "qSlicerApplication has no procesEvents"),
        ("slicer.mrmlScene.GetNodesByNam('CT')", "vtkMRMLScene has no GetNodesByNam"),
        ("slicer.packaging.pip_instal(['x'])", "slicer.packaging has no pip_instal"),
        ("slicer.vtkMRMLPlotSeriesNode.PlotTypeScater", "vtkMRMLPlotSeriesNode has no PlotTypeScater"),
        ("slicer.vtkMRMLTabelNode()", "slicer has no vtkMRMLTabelNode"),
        ("slicer.mrmlScene.AddNewNodeByClass('vtkMRMLTabelNode')", "Slicer has no class vtkMRMLTabelNode"),
        ("slicer.mrmlScene.AddNewNodeByClass('vtkMRMLTableNode').GetTabel()", "vtkMRMLTableNode has no GetTabel"),
        ("slicer.modules.plotz.logic()", "slicer.modules has no plotz"),
        ("slicer.modules.plots.logic().ShowChartInLayuot(0)", "vtkSlicerPlotsLogic has no ShowChartInLayuot"),
        ("qt.QHeaderView.Strech", "QHeaderView has no Strech"),
        ("qt.QPushButon()", "qt has no QPushButon"),
        ("ctk.ctkColapsibleButton()", "ctk has no ctkColapsibleButton"),
        ("ui.segmentButton.tooltip = ''", "QPushButton has no tooltip"),
        ("ui.segmentBotton.click()", "the .ui file has no segmentBotton"),
        ("ui.inputSelector.setCurentNode(None)", "qMRMLNodeComboBox has no setCurentNode"),
        ("ui.segmentButton.text()", "text is a property, so it is not called"),
        ("ui.segmentButton.connect('clicked(int)', print)", "QPushButton has the signal clicked(int)"),
        ("thing.connect('clickd()', print)", "no class has the signal clickd()"),
        ("from slicer.util import VTKObservationMixn", "slicer.util has no VTKObservationMixn"),
        ("for button in (ui.undoButton, ui.editButton): button.setEnabeld(True)", "QPushButton has no setEnabeld"),
        ("thing.setToolTpi('')", ".setToolTpi is no name of Slicer"),
    ],
)
def test_a_misspelt_name_is_found_with_its_file_and_line(checker: checking.Checker, line: str, problem: str) -> None:
    found = checker.python(Path("panel.py"), f"import ctk, qt, slicer\ndef f(ui, thing):\n    {line}\n")
    assert len(found) == 1
    assert found[0].startswith("panel.py:3: ")
    assert problem in found[0]


def test_the_class_of_a_variable_an_argument_and_an_attribute_is_followed(checker: checking.Checker) -> None:
    text = """import qt, slicer
class Panel:
    def __init__(self, segmentationNode, table: slicer.vtkMRMLTableNode):
        self._process = qt.QProcess()
        segmentation = segmentationNode.GetSegmentation()
        segmentation.GetSegmnet("right")
        table.GetTabel()
    def stop(self):
        self._process.kil()
"""
    found = checker.python(Path("panel.py"), text)
    assert [problem.rsplit(" ", 1)[-1] for problem in found] == ["GetSegmnet", "GetTabel", "kil"]


@pytest.mark.parametrize(
    ("right", "wrong", "problem"),
    [
        ('class="qMRMLNodeComboBox"', 'class="qMRMLNodeComboBx"', "qMRMLNodeComboBx, which Slicer does not have"),
        ('name="noneEnabled"', 'name="nonEnabled"', "has no property nonEnabled"),
        (">inputVolume<", ">inputVolum<", "there is no parameter inputVolum"),
        (">vtkMRMLScalarVolumeNode<", ">vtkMRMLScalarVolumNode<", "Slicer has no class vtkMRMLScalarVolumNode"),
        ("mrmlSceneChanged(vtkMRMLScene*)", "sceneChanged(vtkMRMLScene*)", "has no signal sceneChanged"),
        (">setMRMLScene(vtkMRMLScene*)<", ">setMrmlScene(vtkMRMLScene*)<", "has no slot setMrmlScene"),
    ],
)
def test_a_misspelt_name_in_a_ui_file_is_found(
    checker: checking.Checker, tmp_path: Path, right: str, wrong: str, problem: str
) -> None:
    text = (MODULE / "Resources/UI/LungSegResNet.ui").read_text(encoding="utf-8")
    assert right in text
    path = tmp_path / "LungSegResNet.ui"
    path.write_text(text.replace(right, wrong), encoding="utf-8")
    found = checker.ui(path)
    assert found
    assert all(line.startswith("LungSegResNet.ui: ") for line in found)
    assert any(problem in line for line in found)


def test_the_list_says_where_it_comes_from_and_stays_small() -> None:
    text = name_list.PATH.read_text(encoding="utf-8")
    assert "Slicer/Slicer v5.10.0" in text
    assert len(text) < 200_000

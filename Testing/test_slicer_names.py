"""The names of Slicer, Qt and ctk in the modules, held against the list of those that Slicer 5.10 has."""

from __future__ import annotations

from pathlib import Path

import pytest
from slicer_names import checking, cpp_headers, name_list, product, python_files

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
        ("<cstring>inputSelector<", "<cstring>inputSelectr<", "inputSelectr cannot be its buddy"),
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


def test_the_public_names_of_a_class_of_nodes_are_read_from_its_header() -> None:
    header = """
class vtkOther;
class VTK_EXPORT vtkMRMLThingNode : public vtkMRMLStorableNode
{
public:
  /// See "https://example.org"; Hidden(int) is only talked of.
  vtkTypeMacro(vtkMRMLThingNode, vtkMRMLStorableNode);
  enum { FirstKind = 0, SecondKind };
  virtual vtkTable* GetRows() const { if (this->Rows) { return this->Rows; } return nullptr; }
  vtkGetObjectMacro(Child, vtkMRMLNode);
  vtkBooleanMacro(Locked, bool);
  static const char* GetRole(int number = 0);
protected:
  void Secret();
};
class vtkMRMLLaterNode { public: void Later(); };
"""
    section = cpp_headers.read_class(header, "vtkMRMLThingNode")
    assert section is not None
    assert section.bases == ["vtkMRMLStorableNode"]
    assert section.names == {
        "FirstKind": "",
        "SecondKind": "",
        "GetRows": "vtkTable",
        "GetChild": "vtkMRMLNode",
        "LockedOn": "",
        "LockedOff": "",
        "GetRole": "",
    }
    assert cpp_headers.read_class(header, "vtkOther") is None


def test_of_a_widget_only_what_the_meta_object_of_qt_knows_is_read_from_its_header() -> None:
    header = """
class Q_EXPORT ctkThing : public QWidget
{
  Q_OBJECT
  Q_PROPERTY(bool open READ isOpen WRITE setOpen NOTIFY opened)
  Q_PROPERTY(QWidget* inner READ inner)
public:
  explicit ctkThing(QWidget* parent = nullptr);
  bool isOpen() const;
  Q_INVOKABLE vtkMRMLNode* node(int index) const;
public slots:
  virtual void setOpen(bool open);
signals:
  void opened(bool open, const QString& why = QString());
private slots:
  void onSecret();
};
"""
    section = cpp_headers.read_class(header, "ctkThing")
    assert section is not None
    assert section.names == {"node": "vtkMRMLNode", "setOpen": ""}
    assert section.properties == {"open": "", "inner": "QWidget"}
    assert section.signals == {"opened(bool)", "opened(bool,QString)"}


def test_names_of_a_python_file_are_read_with_what_its_classes_give_themselves() -> None:
    text = """
import os
try:
    from fast import speed as pace
except ImportError:
    pace = None
class Panel(Base):
    def show(self):
        self.editor = 1
def work(): ...
"""
    assert python_files.module_names(text) == {"os", "pace", "Panel", "work"}
    assert python_files.classes(text)["Panel"].names == {"show": "", "editor": ""}
    assert python_files.attributes_set_by_name("put(cls, 'connectGui', f)\nput(cls, 'two words', f)") == {"connectGui"}


def test_the_list_reads_as_it_was_written(tmp_path: Path) -> None:
    section = name_list.Section(["QWidget"], {"node": "vtkMRMLNode", "hide": ""}, {"open": ""}, {"opened(bool)"})
    name_list.write({"ctkThing": section, "two words": name_list.Section()}, ["source"], tmp_path / "names.txt")
    again = name_list.read(tmp_path / "names.txt")
    assert again.sections == {"ctkThing": section, "two words": name_list.Section()}

"""Write ``names.txt`` from public sources; names are taken, no text.

    python make_list.py SLICER CTK PYTHONQT PYTORCH

These are git directories of Slicer/Slicer, commontk/CTK, MeVisLab/pythonqt and fepegar/SlicerPyTorch. The Python that
runs this needs the packages PyQt5 (Qt 5.15, for the meta-objects of Qt's own classes) and vtk (9.5, for VTK's).
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from slicer_names import name_list, product, python_files
from slicer_names.cpp_headers import GitFiles, decorated, read_class
from slicer_names.name_list import Section
from slicer_names.qt_classes import QtClasses

SLICER = "v5.10.0"
NEWER_SLICER = "v5.12.3"  # for what came after SLICER: the module in _NEWER
CTK = "dd4caeae7e979cf441e44ee85d3b0780120d113d"  # the commit that SLICER is built with
PYTHONQT = "v3.6.1"  # the version that this CTK is built with
PYTORCH = "e1c85cc0a62e92fa6c38223cd88c611906adb60e"
_PYTHON = ("util", "i18n", "parameterNodeWrapper", "ScriptedLoadableModule")
_NEWER = ("packaging",)
_CLASSES = (
    "Base/Python/slicer/ScriptedLoadableModule.py",
    "Base/Python/slicer/util.py",
    "Modules/Scripted/SampleData/SampleData.py",
    "Modules/Scripted/SegmentEditor/SegmentEditor.py",
)
# Given by Slicer when it starts.
_APPLICATION = {"app": "qSlicerApplication", "mrmlScene": "vtkMRMLScene", "modules": "slicer.modules"}
# Reached through others, or likely to be used next.
_ALSO = """
    QApplication QCheckBox QClipboard QDialog QFormLayout QGridLayout QGroupBox QHBoxLayout QHeaderView QIcon QLabel
    QListWidget QListWidgetItem QMainWindow QMessageBox QObject QProcess QProgressDialog QSettings QTableWidgetItem
    QTimer QVBoxLayout Qt ctkDirectoryButton ctkDoubleSpinBox ctkPathLineEdit ctkSliderWidget ctkVTKObject
    qMRMLCheckableNodeComboBox qMRMLSegmentEditorWidget qMRMLSliceView qMRMLSliceWidget qMRMLThreeDView
    qMRMLThreeDWidget qSlicerApplication qSlicerCoreCommandOptions qSlicerLayoutManager qSlicerLoadableModule
    qSlicerMainWindow qSlicerModuleManager qSlicerScriptedLoadableModule qSlicerScriptedLoadableModuleWidget
    vtkCollection vtkDataArray vtkImageData vtkMRMLLayoutNode vtkMRMLMarkupsROINode vtkMRMLScalarVolumeDisplayNode
    vtkMRMLSegmentationDisplayNode vtkMRMLSequenceBrowserNode vtkMRMLSequenceNode vtkMRMLSliceCompositeNode
    vtkMRMLSliceLogic vtkMRMLSliceNode vtkMRMLTransformNode vtkMatrix4x4 vtkPointData vtkPolyData vtkSegment
    vtkSegmentation vtkSlicerApplicationLogic vtkTable vtkWeakReference
"""
_HEADER = [
    "Names only, written by make_list.py. Sources:",
    f"Slicer/Slicer {SLICER} (slicer.{', slicer.'.join(_NEWER)}: {NEWER_SLICER}),",
    f"commontk/CTK {CTK},",
    f"fepegar/SlicerPyTorch {PYTORCH},",
    f"MeVisLab/pythonqt {PYTHONQT}, Qt {{qt}} and VTK {{vtk}}.",
]


def main(slicer: Path, ctk: Path, pythonqt: Path, pytorch: Path) -> None:
    """Collect the sections of what the product names, their bases and what they give, and write the list."""
    files, newer = GitFiles(slicer, SLICER), GitFiles(slicer, NEWER_SLICER)
    sections = python_sections(files, newer)
    sections |= python_files.classes(GitFiles(pytorch, PYTORCH).text("PyTorchUtils/PyTorchUtils.py"))
    sections["slicer.modules"] = modules(files)
    sections["vtk"] = vtk_constants()
    find = ClassFinder([files, GitFiles(ctk, CTK)], QtClasses(GitFiles(pythonqt, PYTHONQT)))
    wanted = {*_ALSO.split(), *product.named_classes(), *sections["slicer.modules"].names.values()} - {""}
    while wanted:
        name = wanted.pop()
        section = find(name)
        if section is not None:
            sections[name] = section
            wanted |= {base for base in section.bases if base not in sections}
    for section in sections.values():
        for names in (section.names, section.properties):
            names |= {name: "" for name, gives in names.items() if gives not in sections}
    import vtk
    from PyQt5 import QtCore

    versions = {"qt": QtCore.QT_VERSION_STR, "vtk": vtk.vtkVersion.GetVTKVersion()}
    name_list.write(sections, [line.format(**versions) for line in _HEADER])
    print(f"{len(sections)} classes and modules, {name_list.PATH.stat().st_size / 1000:.0f} kB")


def python_sections(files: GitFiles, newer: GitFiles) -> dict[str, Section]:
    """The modules ``slicer`` and ``slicer.x``, the classes of scripted modules, and the panel of Segment Editor."""
    sections = {"slicer": Section()}
    for source, names in ((files, _PYTHON), (newer, _NEWER)):
        for name in names:
            path = f"Base/Python/slicer/{name}"
            parts = [part for part in source.paths if part == f"{path}.py" or part.startswith(f"{path}/")]
            found = set().union(*(python_files.module_names(source.text(part)) for part in parts))
            sections[f"slicer.{name}"] = Section(names=dict.fromkeys(sorted(found), ""))
            sections["slicer"].add(name, f"slicer.{name}")
    for name, gives in {**_APPLICATION, "moduleNames": "", "selfTests": ""}.items():
        sections["slicer"].add(name, gives)
    sections["slicer.util"].names |= {
        "mainWindow": "qSlicerMainWindow",
        "addVolumeFromArray": "vtkMRMLScalarVolumeNode",
    }
    for path in _CLASSES:
        sections |= python_files.classes(files.text(path))
    sections["SegmentEditorWidget"].names["editor"] = "qMRMLSegmentEditorWidget"
    wrapper = files.text("Base/Python/slicer/parameterNodeWrapper/wrapper.py")
    sections["parameter node"] = Section(names=dict.fromkeys(python_files.attributes_set_by_name(wrapper), ""))
    return sections


def modules(files: GitFiles) -> Section:
    """``slicer.modules``: names in lower case, with the class of the logic of those written in C++."""
    section = Section()
    for path in files.paths:
        folder, _, rest = path.removeprefix("Modules/").partition("/")
        name = rest.split("/")[0]
        if (
            path.startswith("Modules/")
            and rest == f"{name}/CMakeLists.txt"
            and folder in ("Loadable", "Scripted", "CLI")
        ):
            kinds = (f"vtkSlicer{name}Logic", f"vtkSlicer{name}ModuleLogic")
            section.add(name.lower(), next((kind for kind in kinds if files.header_of(kind)), ""))
    return section


def vtk_constants() -> Section:
    """Constants and decorators of the module ``vtk``."""
    import vtk

    constants = [name for name in dir(vtk) if name.startswith(("VTK_UNSIGNED", "VTK_SIGNED", "VTK_OBJECT", "VTK_INT"))]
    return Section(names=dict.fromkeys([*constants, "calldata_type", "util"], ""))


class ClassFinder:
    """The names of a class, wherever it comes from; None if there is no such class."""

    def __init__(self, sources: list[GitFiles], qt: QtClasses) -> None:
        self._sources = sources
        self._decorated = [decorated(source) for source in sources]
        self._qt = qt

    def __call__(self, name: str) -> Section | None:
        for source, more in zip(self._sources, self._decorated, strict=True):
            if (header := source.header_of(name)) and (section := read_class(header, name)):
                section.names |= more.get(name, {})
                return section
        return self._qt.read_class(name) if name.startswith("Q") else _vtk_class(name)


def _vtk_class(name: str) -> Section | None:
    import vtk

    cls = getattr(vtk, name, None)
    if not isinstance(cls, type):
        return None
    bases = [base.__name__ for base in cls.__bases__ if base.__name__.startswith("vtk")]
    inherited = {title for base in cls.__bases__ for title in dir(base)}
    return Section(
        bases=bases, names={title: "" for title in dir(cls) if not title.startswith("_") and title not in inherited}
    )


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:5]))

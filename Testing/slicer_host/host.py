"""Puts the pieces together: one application and one scene for a Python process."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

_REPOSITORY = Path(__file__).resolve().parents[2]
_MODULE_FOLDERS = {name: _REPOSITORY / name for name in ("LungSegResNet", "LungSegResNetTraining")}
_PYTHONQT, _SLICER_SOURCES = (os.environ.get(name, "") for name in ("SLICER_HOST_PYTHONQT", "SLICER_HOST_SOURCES"))
_host: Host | None = None


def start() -> Host:
    """The host of this process, made at the first call."""
    global _host
    if _host is None:
        _host = Host()
    return _host


class Host:
    """A running "Slicer": scene, application, and the scripted modules that are opened in it.

    Attributes
    ----------
    answers : what questions are answered with, in the order in which they come; an unexpected one is an error.
    questions : the questions that were asked.
    files : what file dialogs are answered with, in the order in which they come; an empty text is Cancel.
    selected : names of the modules that were switched to.
    opened : files that were opened outside of Slicer.
    """

    def __init__(self) -> None:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        self._temporary = tempfile.TemporaryDirectory(prefix="slicer_host_")
        self.answers: list[bool] = []
        self.questions: list[str] = []
        self.files: list[str] = []
        self.selected: list[str] = []
        self.opened: list[str] = []
        self._parameterNodes: dict[str, Any] = {}
        self._entered: list[Any] = []  # panels
        self._put_launcher_on_path()
        self._make_slicer()

    def _put_launcher_on_path(self) -> None:
        """Slicer's ``PythonSlicer`` is a launcher that starts Python as a child; so is this one."""
        folder = Path(self._temporary.name) / "bin"
        folder.mkdir()
        if os.name == "nt":
            (folder / "PythonSlicer.bat").write_text(f'@"{sys.executable}" %*\n', encoding="utf-8")
        else:
            launcher = folder / "PythonSlicer"
            launcher.write_text(f'#!/bin/sh\nexec 3<&0\n"{sys.executable}" "$@" <&3 &\nwait $!\n', encoding="utf-8")
            launcher.chmod(0o755)
        os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"

    def _make_slicer(self) -> None:
        if _PYTHONQT:
            sys.path.append(_PYTHONQT)
        qt_modules = importlib.import_module(f"{__package__}.{'pythonqt_modules' if _PYTHONQT else 'qt_modules'}")
        qt = qt_modules.make_qt()
        import slicer

        self.qt_application = qt.QApplication.instance() or qt.QApplication(["Slicer"])
        self.qt_application.setStyle("Fusion")
        qt.QSettings.setDefaultFormat(qt.QSettings.IniFormat)
        qt.QSettings.setPath(qt.QSettings.IniFormat, qt.QSettings.UserScope, self._temporary.name)
        self.qt_application.setOrganizationName("Slicer")
        scene = slicer.vtkMRMLScene()
        slicer.mrmlScene = scene
        self._give_cache(slicer, scene)
        from . import application, parameter_node, scripted_module, slicer_sources, widgets

        logics = application.makeLogics(scene)
        slicer.modules = types.SimpleNamespace(**logics)
        slicer.app = application.Application(self.qt_application, self._temporary.name)
        slicer.selfTests = {}
        for name, cls in widgets.CUSTOM_WIDGETS.items():
            if name.startswith("qMRML"):
                setattr(slicer, name, cls)
        sys.modules["ctk"] = ctk = types.ModuleType("ctk")
        for name, cls in widgets.CUSTOM_WIDGETS.items():
            if name.startswith("ctk"):
                setattr(ctk, name, cls)
        qt_modules.make_ui_loader(qt, widgets.CUSTOM_WIDGETS)
        if _SLICER_SOURCES:
            slicer_sources.load(Path(_SLICER_SOURCES), slicer, ctk)
        else:
            self._make_slicer_packages(slicer, parameter_node, scripted_module)
        self._add_subject_hierarchy_items(slicer, scene)
        editor = types.SimpleNamespace(editor=widgets.qMRMLSegmentEditorWidget())
        slicer.modules.segmenteditor = application.ScriptedModule("", lambda: editor)
        self.main_window = application.MainWindow(self)
        for name in ("getOpenFileName", "getSaveFileName", "getExistingDirectory"):
            setattr(qt.QFileDialog, name, staticmethod(lambda *_: self.files.pop(0)))
        qt.QDesktopServices.openUrl = staticmethod(lambda url: self.opened.append(url.toLocalFile()) or True)
        slicer.util.confirmYesNoDisplay = self._answer
        slicer.util.confirmOkCancelDisplay = self._answer
        self.slicer, self.qt, self._application = slicer, qt, application

    def _give_cache(self, slicer: Any, scene: Any) -> None:
        """Slicer unpacks sequences of segmentations that are loaded with a scene into its cache."""
        cache, manager = slicer.vtkCacheManager(), slicer.vtkDataIOManager()
        cache.SetRemoteCacheDirectory(self._temporary.name)
        manager.SetCacheManager(cache)
        scene.SetCacheManager(cache)
        scene.SetDataIOManager(manager)

    @staticmethod
    def _make_slicer_packages(slicer: Any, parameter_node: Any, scripted_module: Any) -> None:
        i18n = types.ModuleType("slicer.i18n")
        i18n.tr = lambda text: text  # type: ignore[attr-defined]
        i18n.translate = lambda context, text: text  # type: ignore[attr-defined]
        for name, module in (
            ("i18n", i18n),
            ("parameterNodeWrapper", parameter_node),
            ("ScriptedLoadableModule", scripted_module),
        ):
            sys.modules[f"slicer.{name}"] = module
            setattr(slicer, name, module)

    @staticmethod
    def _add_subject_hierarchy_items(slicer: Any, scene: Any) -> None:
        """The Qt half of the subject hierarchy gives every data node an item, and takes it with the node."""
        import vtk

        @vtk.calldata_type(vtk.VTK_OBJECT)
        def onNodeAdded(_scene: Any, _event: str, node: Any) -> None:
            kinds = ("vtkMRMLVolumeNode", "vtkMRMLSegmentationNode", "vtkMRMLTransformNode", "vtkMRMLTableNode")
            if any(node.IsA(kind) for kind in kinds) and not node.GetHideFromEditors():
                hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
                if not hierarchy.GetItemByDataNode(node):
                    hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)

        @vtk.calldata_type(vtk.VTK_OBJECT)
        def onNodeAboutToBeRemoved(_scene: Any, _event: str, node: Any) -> None:
            hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
            if hierarchy and (item := hierarchy.GetItemByDataNode(node)):
                hierarchy.RemoveItem(item, False, False)

        scene.AddObserver(scene.NodeAddedEvent, onNodeAdded)
        scene.AddObserver(scene.NodeAboutToBeRemovedEvent, onNodeAboutToBeRemoved)

    def _answer(self, text: str, windowTitle: str | None = None, parent: Any = None, **_: Any) -> bool:
        self.questions.append(text)
        if not self.answers:
            raise AssertionError(f"An unexpected question was asked: {text}")
        return self.answers.pop(0)

    def loadModule(self, name: str) -> Any:
        """Import a scripted module as Slicer's factory does at start-up; returns the Python module."""
        folder = str(_MODULE_FOLDERS[name])
        if folder not in sys.path:
            sys.path.insert(0, folder)
        module = importlib.import_module(name)
        if not hasattr(self.slicer.modules, name.lower()):
            path = str(Path(folder) / f"{name}.py")
            parent = self._application.ScriptedModule(path, lambda: self._makePanel(module, name))
            setattr(self.slicer.modules, name.lower(), parent)
            getattr(module, name)(parent)
        return module

    def openModule(self, name: str) -> Any:
        """Enter the module's panel, made anew if one has been entered before; returns the widget object."""
        module = self.loadModule(name)
        scripted = getattr(self.slicer.modules, name.lower())
        if scripted.widget is None or scripted.widget in self._entered:
            scripted.widget = self._makePanel(module, name)
        widget = scripted.widget
        self._entered.append(widget)
        widget.parent.isEntered = True
        widget.parent.show()
        widget.enter()
        setattr(self.slicer.modules, f"{name}Widget", widget)
        return widget

    def _makePanel(self, module: Any, name: str) -> Any:
        parent = self.slicer.qMRMLWidget()
        parent.setLayout(self.qt.QVBoxLayout(parent))
        parent.setMRMLScene(self.slicer.mrmlScene)
        parent.isEntered = False
        widget = getattr(module, f"{name}Widget")(parent)
        widget.setup()
        return widget

    def closeModule(self, widget: Any) -> None:
        """What Slicer does to a panel when it quits."""
        if widget.parent.isEntered:
            self.leaveModule(widget)
        widget.cleanup()
        scripted = getattr(self.slicer.modules, widget.moduleName.lower())
        if scripted.widget is widget:
            scripted.widget = None
        if widget in self._entered:
            self._entered.remove(widget)
        # As in Slicer 5.10, a node is observed for good by what was connected; Python would take that for garbage.
        self._parameterNodes[widget.moduleName] = widget.logic.getParameterNode().parameterNode
        widget.parent.setMRMLScene(None)
        widget.parent.hide()
        widget.parent.deleteLater()
        self.slicer.app.processEvents()

    def leaveModule(self, widget: Any) -> None:
        """The user opens another module."""
        widget.parent.isEntered = False
        widget.exit()

    def enterModule(self, widget: Any) -> None:
        """The user comes back to the module."""
        widget.parent.isEntered = True
        widget.enter()

    def selectModule(self, name: str) -> None:
        """The module selector's slot; only remembers the name."""
        self.selected.append(name)

    def wait(self, condition: Callable[[], bool], seconds: float = 120.0) -> None:
        """Run the event loop until ``condition`` holds; AssertionError after ``seconds``."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise AssertionError("The expected did not happen in time.")
            self.slicer.app.processEvents()
            time.sleep(0.01)

"""``slicer.app``, ``slicer.modules`` and the main window, as far as they are used."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import qt
import slicer
import vtk


class Application(qt.QObject):
    """Slicer's application object on top of Qt's."""

    startupCompleted = qt.Signal()
    aboutToQuit = qt.Signal()
    applicationName = "Slicer"
    majorVersion, minorVersion = 5, 10

    def __init__(self, qt_application: Any, temporaryPath: str) -> None:
        super().__init__()
        self._qt = qt_application
        self.temporaryPath = temporaryPath
        self.commandOptions = types.SimpleNamespace(testingEnabled=False)
        self._moduleManager = ModuleManager()
        self._layoutManager = LayoutManager()
        self.isTesting = False

    def testingEnabled(self) -> bool:
        """Slicer in testing mode shows no message boxes."""
        return self.isTesting

    def processEvents(self, *arguments: Any) -> None:
        self._qt.processEvents(*arguments)
        self._qt.sendPostedEvents(None, qt.QEvent.DeferredDelete)

    def translate(self, context: str, text: str) -> str:
        return text

    def clipboard(self) -> Any:
        return self._qt.clipboard()

    def palette(self) -> Any:
        return self._qt.palette()

    def setOverrideCursor(self, cursor: Any) -> None:
        self._qt.setOverrideCursor(cursor)

    def restoreOverrideCursor(self) -> None:
        self._qt.restoreOverrideCursor()

    def moduleManager(self) -> Any:
        return self._moduleManager

    def layoutManager(self) -> Any:
        return self._layoutManager

    def topLevelWidgets(self) -> list[Any]:
        return self._qt.topLevelWidgets()


class ModuleManager(qt.QObject):
    moduleAboutToBeUnloaded = qt.Signal(str)


class LayoutManager:
    """No views here; remembers that they were reset."""

    def __init__(self) -> None:
        self.resets = 0

    def resetThreeDViews(self) -> None:
        self.resets += 1

    def mrmlSliceLogics(self) -> Any:
        return vtk.vtkCollection()

    def sliceViewNames(self) -> tuple[str, ...]:
        return ()


class ModuleSelector:
    def __init__(self, host: Any) -> None:
        self._host = host

    def selectModule(self, name: str) -> None:
        self._host.selectModule(name)


class MainWindow(qt.QMainWindow):
    def __init__(self, host: Any) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self._selector = ModuleSelector(host)

    def moduleSelector(self) -> ModuleSelector:
        return self._selector


class CoreModule:
    """A C++ module of Slicer with its real logic."""

    def __init__(self, logic: Any) -> None:
        self._logic = logic

    def logic(self) -> Any:
        return self._logic


class WidgetRepresentation:
    """A scripted module's panel; ``self()`` is its Python object."""

    def __init__(self, widget: Any) -> None:
        self._widget = widget

    def self(self) -> Any:
        return self._widget


class ScriptedModule:
    """A scripted module that is loaded from its file; its panel is made when it is asked for, as in Slicer."""

    def __init__(self, path: str, makeWidget: Callable[[], Any]) -> None:
        self.path = path
        self.title = ""
        self.categories: list[str] = []
        self.dependencies: list[str] = []
        self.contributors: list[str] = []
        self.helpText = ""
        self.acknowledgementText = ""
        self.icon: Any = None
        self.widget: Any = None
        self._makeWidget = makeWidget

    def widgetRepresentation(self) -> WidgetRepresentation:
        if self.widget is None:
            self.widget = self._makeWidget()
        return WidgetRepresentation(self.widget)


def makeLogics(scene: Any) -> dict[str, CoreModule]:
    """Real logics; each registers its node classes with the scene."""
    application = slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(scene)
    kinds = {
        "volumes": slicer.vtkSlicerVolumesLogic,
        "subjecthierarchy": slicer.vtkSlicerSubjectHierarchyModuleLogic,
        "segmentations": slicer.vtkSlicerSegmentationsModuleLogic,
        "markups": slicer.vtkSlicerMarkupsLogic,
        "tables": slicer.vtkSlicerTablesLogic,
        "plots": slicer.vtkSlicerPlotsLogic,
        "sequences": slicer.vtkSlicerSequencesLogic,
    }
    modules = {}
    for name, kind in kinds.items():
        logic = kind()
        logic.SetMRMLApplicationLogic(application)
        logic.SetMRMLScene(scene)
        modules[name] = CoreModule(logic)
    modules["applicationLogic"] = CoreModule(application)
    return modules

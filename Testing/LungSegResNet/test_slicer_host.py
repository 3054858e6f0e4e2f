"""The host offers nothing that Slicer does not have; else a test could pass that fails in Slicer."""

from __future__ import annotations

import pytest
from slicer_host import Host
from slicer_names import name_list

NAMES = name_list.read()


def test_every_widget_of_the_host_is_one_of_slicer_with_names_that_it_has(host: Host) -> None:
    from slicer_host import widgets

    assert {
        name: extra_names(cls, name) for name, cls in widgets.CUSTOM_WIDGETS.items() if extra_names(cls, name)
    } == {}


@pytest.mark.parametrize(
    ("made", "name"),
    [
        ("Application", "qSlicerApplication"),
        ("LayoutManager", "qSlicerLayoutManager"),
        ("MainWindow", "qSlicerMainWindow"),
        ("ModuleManager", "qSlicerModuleManager"),
    ],
)
def test_the_application_of_the_host_has_only_names_that_slicer_has(host: Host, made: str, name: str) -> None:
    from slicer_host import application

    assert extra_names(getattr(application, made), name) == set()


def test_an_exception_in_what_qt_or_vtk_calls_is_seen(host: Host, callback_errors: list[str]) -> None:
    def fail(*_: object) -> None:
        raise ValueError("in a callback")

    button, node = host.qt.QPushButton(), host.slicer.vtkMRMLScriptedModuleNode()
    button.connect("clicked(bool)", fail)
    node.AddObserver("ModifiedEvent", fail)
    button.click()
    node.Modified()
    assert [error.splitlines()[-1] for error in callback_errors] == ["ValueError: in a callback"] * 2
    callback_errors.clear()  # else the test would fail at its end


def extra_names(cls: type, name: str) -> set[str]:
    """Public names of a class that Slicer's class of this name does not have."""
    of_binding = vars(type("Plain", cls.__bases__, {}))  # what PySide or PythonQt gives to every class
    own = {title for title in vars(cls) if not title.startswith("_")} - of_binding.keys()
    return {title for title in own if not NAMES.has(name, title)}

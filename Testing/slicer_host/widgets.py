"""ctk and qMRML widgets that the extension's .ui files and Slicer's ``util`` name, reduced to what is used of them."""

from __future__ import annotations

from typing import Any

import qt
import slicer
import vtk

_ANY_HEIGHT = 16777215  # Qt's own for no limit


def _widgetsOf(parent: Any) -> list[Any]:
    return [child for child in parent.children() if child.isWidgetType()]


class ctkCollapsibleButton(qt.QGroupBox):
    """A titled box that opens and closes by a click on its title."""

    contentsCollapsed = qt.Signal(bool)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._text = ""
        self._collapsed = False
        self._closed: set[Any] = set()  # children that are shown when it opens
        self._closing = False
        self.setFlat(True)

    def _setText(self, text: str) -> None:
        self._text = text
        self._showTitle()

    text = qt.Property(str, lambda self: self._text, _setText)

    def _setCollapsed(self, collapsed: bool) -> None:
        if collapsed == self._collapsed:
            return
        self._collapsed = collapsed
        self._showTitle()
        if collapsed:
            self._close()
        else:
            for child in self._closed:
                child.setVisible(True)
            self._closed.clear()
        self.contentsCollapsed.emit(collapsed)

    collapsed = qt.Property(bool, lambda self: self._collapsed, _setCollapsed)

    def _showTitle(self) -> None:
        self.setTitle(f"{'▸' if self._collapsed else '▾'} {self._text}")
        self.setMaximumHeight(self.fontMetrics().height() + 4 if self._collapsed else _ANY_HEIGHT)

    def _close(self) -> None:
        for child in _widgetsOf(self):
            child.installEventFilter(self)
            if not child.isHidden():
                self._hide(child)

    def _hide(self, child: Any) -> None:
        self._closed.add(child)
        self._closing = True
        child.setVisible(False)
        self._closing = False

    def eventFilter(self, child: Any, event: Any) -> bool:
        """A child that is shown or hidden while the box is closed is so when it opens."""
        if self._collapsed and not self._closing and child.parent() == self:
            if event.type() == qt.QEvent.ShowToParent:
                self._hide(child)
            elif event.type() == qt.QEvent.HideToParent:
                self._closed.discard(child)
        return False

    def _closeIfCollapsed(self) -> None:
        """The .ui file says so before the contents are made."""
        if self._collapsed:
            self._close()

    def mousePressEvent(self, event: Any) -> None:
        if event.pos().y() < 20:
            self._setCollapsed(not self._collapsed)


class qMRMLWidget(qt.QWidget):
    """Hands its scene to the widgets inside, as the connections in the .ui file do in Slicer."""

    mrmlSceneChanged = qt.Signal("vtkMRMLScene*", name="mrmlSceneChanged")

    def setMRMLScene(self, scene: Any) -> None:
        self._hand(scene, self)

    def _hand(self, scene: Any, widget: Any) -> None:
        for child in _widgetsOf(widget):
            if hasattr(child, "setMRMLScene"):
                child.setMRMLScene(scene)
            elif isinstance(child, ctkCollapsibleButton):
                child._closeIfCollapsed()
            self._hand(scene, child)


class qMRMLNodeComboBox(qt.QComboBox):
    """Chooses a node of the scene, or makes one."""

    currentNodeChanged = qt.Signal(object)
    nodeActivated = qt.Signal(object)
    _CREATE = "create"

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._node: Any = None
        self._options: dict[str, Any] = {
            "nodeTypes": [],
            "noneEnabled": False,
            "addEnabled": True,
            "removeEnabled": False,
            "renameEnabled": False,
            "editEnabled": False,
            "showHidden": False,
            "showChildNodeTypes": True,
            "selectNodeUponCreation": False,
            "baseName": "",
            "noneDisplay": "",
        }
        self._tags: list[int] = []
        self._filling = False
        self.connect("activated(int)", self._onActivated)

    def _option(name: str, kind: type | str) -> Any:  # type: ignore[misc]  # noqa: N805
        def get(self: Any) -> Any:
            return self._options[name]

        def put(self: Any, value: Any) -> None:
            self._options[name] = value
            self._fill()

        return qt.Property(kind, get, put)

    noneEnabled = _option("noneEnabled", bool)
    addEnabled = _option("addEnabled", bool)
    removeEnabled = _option("removeEnabled", bool)
    renameEnabled = _option("renameEnabled", bool)
    editEnabled = _option("editEnabled", bool)
    showHidden = _option("showHidden", bool)
    showChildNodeTypes = _option("showChildNodeTypes", bool)
    selectNodeUponCreation = _option("selectNodeUponCreation", bool)
    baseName = _option("baseName", str)
    noneDisplay = _option("noneDisplay", str)
    nodeTypes = _option("nodeTypes", "QStringList")

    @qt.Slot("vtkMRMLScene*")
    def setMRMLScene(self, scene: Any) -> None:
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._scene, self._tags = scene, []
        if scene:
            events = (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent)
            self._tags = [scene.AddObserver(event, lambda *_: self._fill()) for event in events]
            self._tags += [
                scene.AddObserver(scene.EndImportEvent, lambda *_: self._onImported()),
                scene.AddObserver(scene.NodeAboutToBeRemovedEvent, self._onNodeAboutToBeRemoved, -10.0),
            ]
        self._fill()

    def _onImported(self) -> None:
        """As in Slicer, all rows are removed, so that none is chosen any more, and then made anew."""
        self.setCurrentNode(None)
        self._fill()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _onNodeAboutToBeRemoved(self, caller: Any, event: str, node: Any) -> None:
        """As in Slicer, the row after that of a removed node is taken instead of it."""
        nodes = self._nodes()
        if node is self._node and node in nodes:
            self.setCurrentNode(next(iter(nodes[nodes.index(node) + 1 :]), None))

    def mrmlScene(self) -> Any:
        return self._scene

    def _nodes(self) -> list[Any]:
        if not self._scene:
            return []
        found = [node for kind in self.nodeTypes for node in slicer.util.getNodesByClass(kind)]
        if not self.showChildNodeTypes:
            found = [node for node in found if node.GetClassName() in self.nodeTypes]
        return [node for node in found if not node.GetHideFromEditors()]

    def currentNode(self) -> Any:
        return self._node

    @property
    def currentNodeID(self) -> str:
        return self._node.GetID() if self._node else ""

    def setCurrentNode(self, node: Any) -> None:
        if node is self._node:
            return
        before, self._node = self._node, node
        self._fill()
        # With Qt 6, Slicer's selector does not tell of a node that has the name of the one before.
        if before is None or node is None or before.GetName() != node.GetName():
            self.currentNodeChanged.emit(node)

    def addNode(self) -> Any:
        node = self._scene.AddNewNodeByClass(self.nodeTypes[0], self.baseName or "")
        self.setCurrentNode(node)
        return node

    def _fill(self) -> None:
        if self._filling:
            return
        self._filling = True
        nodes = self._nodes()
        lost = self._node is not None and self._node not in nodes
        if lost:
            self._node = None
        self.clear()
        if self.noneEnabled:
            self.addItem(self.noneDisplay or "None", None)
        for node in nodes:
            self.addItem(node.GetName() or "", node)
        if self.addEnabled and self.nodeTypes:
            self.addItem("Create new node", self._CREATE)
        current = nodes.index(self._node) + bool(self.noneEnabled) if self._node else (0 if self.noneEnabled else -1)
        self.setCurrentIndex(current)
        self._filling = False
        if lost:
            self.currentNodeChanged.emit(None)

    def _onActivated(self, index: int) -> None:
        chosen = self.itemData(index)
        if isinstance(chosen, str):
            self.addNode()
        else:
            self.setCurrentNode(chosen)
        self.nodeActivated.emit(self._node)


_connect = qMRMLNodeComboBox.connect


def _connectNodes(self: Any, signature: str, receiver: Any) -> bool:
    """Signals of a class in Python have no arguments of types that only C++ has."""
    if signature != "nodeActivated(vtkMRMLNode*)":
        return bool(_connect(self, signature, receiver))
    self.nodeActivated.connect(receiver)
    return True


qMRMLNodeComboBox.connect = _connectNodes


class qMRMLSegmentationShow3DButton(qt.QPushButton):
    """Makes and removes the closed surface of a segmentation."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__("Show 3D", parent)
        self.setCheckable(True)
        self.setEnabled(False)
        self._node = vtk.vtkWeakReference()
        self.connect("toggled(bool)", self._onToggled)

    def segmentationNode(self) -> Any:
        return self._node.Get()

    def setSegmentationNode(self, node: Any) -> None:
        self._node.Set(node)
        self.setEnabled(bool(node) and node.GetSegmentation().GetNumberOfSegments() > 0)
        shown = bool(node) and node.GetSegmentation().ContainsRepresentation("Closed surface")
        self.blockSignals(True)
        self.setChecked(shown)
        self.blockSignals(False)

    def _onToggled(self, shown: bool) -> None:
        node = self.segmentationNode()
        if shown:
            node.CreateClosedSurfaceRepresentation()
            node.CreateDefaultDisplayNodes()
            node.GetDisplayNode().SetVisibility(True)
        else:
            node.RemoveClosedSurfaceRepresentation()


class qMRMLSegmentEditorWidget(qt.QWidget):
    """Segment Editor's editor: remembers what it is given."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._segmentation: Any = None
        self._volume: Any = None

    def setSegmentationNode(self, node: Any) -> None:
        self._segmentation = node

    def segmentationNode(self) -> Any:
        return self._segmentation

    def setSourceVolumeNode(self, node: Any) -> None:
        self._volume = node

    def sourceVolumeNode(self) -> Any:
        return self._volume


class ctkMessageBox(qt.QMessageBox):
    """Slicer's message box."""


CUSTOM_WIDGETS = {
    cls.__name__: cls
    for cls in (
        ctkCollapsibleButton,
        qMRMLWidget,
        qMRMLNodeComboBox,
        qMRMLSegmentationShow3DButton,
        qMRMLSegmentEditorWidget,
    )
}

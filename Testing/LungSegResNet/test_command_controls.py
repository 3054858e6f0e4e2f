"""What all panels show and tell of a command, with real widgets and a command that ends when the test wants it to."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from slicer_host import Host


class Command:
    """A command that goes on until it is told to end."""

    def __init__(self) -> None:
        self.ends: list[str] = []

    def cancel(self) -> None:
        self.ends.append("at once")

    def cancelAndWait(self) -> None:
        self.ends.append("waited for")


class Panel:
    """A start button, a bar, a stop button and a line of news; starts a `Command`."""

    def __init__(self, host: Host) -> None:
        from LungSegResNetWidgets.command_controls import CommandControls
        from LungSegResNetWidgets.status_line import StatusLine

        qt = host.qt
        self.widget = qt.QWidget()
        layout = qt.QVBoxLayout(self.widget)
        self.button, self.bar, self.stopButton, self.label = widgets = (
            qt.QPushButton(),
            qt.QProgressBar(),
            qt.QPushButton(),
            qt.QLabel(),
        )
        for widget in widgets:
            layout.addWidget(widget)
        for widget in (self.bar, self.stopButton):
            widget.setVisible(False)
        self.widget.show()
        self.command = Command()
        self.running: list[bool] = []  # at each change
        self.ensurePackages: Callable[[], bool] = lambda: True
        self.controls = CommandControls(
            self.button,
            self.bar,
            self.stopButton,
            StatusLine(self.label),
            lambda: self.ensurePackages(),
            lambda: self.running.append(self.controls.running),
        )

    def start(self, begin: Callable[[], Command | None] | None = None) -> None:
        self.button.setFocus()
        self.controls.start(begin or (lambda: self.command), "Starting...", self.controls.failed)

    def visible(self) -> list[Any]:
        return [widget for widget in (self.button, self.bar, self.stopButton) if widget.visible]


@pytest.fixture
def panel(host: Host) -> Iterator[Panel]:
    panel = Panel(host)
    yield panel
    panel.widget.deleteLater()  # PythonQt would keep it, for what is connected to it, until Python ends
    host.slicer.app.processEvents()


def told_elsewhere(host: Host) -> str:
    """What Slicer's status bar says, in whatever module."""
    return host.main_window.statusBar().currentMessage()


def refuse(error: Exception) -> Callable[[], Any]:
    def begin() -> None:
        raise error

    return begin


def test_while_a_command_goes_on_bar_and_stop_button_take_the_place_of_the_start_button_and_its_focus(
    panel: Panel,
) -> None:
    panel.start()
    assert panel.visible() == [panel.bar, panel.stopButton]
    assert panel.widget.focusWidget() == panel.stopButton
    assert panel.label.text == "Starting..."
    assert panel.bar.maximum == 0
    panel.controls.progress(3, 7, "slice %v of %m")
    assert (panel.bar.value, panel.bar.maximum, panel.bar.format) == (3, 7, "slice %v of %m")
    panel.controls.done("Done.")
    assert panel.visible() == [panel.button]
    assert panel.widget.focusWidget() == panel.button
    assert panel.running == [True, False]
    panel.start()
    assert (panel.bar.maximum, panel.bar.format) == (0, "")


def click(host: Host, button: Any, *, is_second: bool = False) -> None:
    """What Qt sends to the button below the mouse; the second one of a double click may be another than the first."""
    qt = host.qt
    press = qt.QEvent.MouseButtonDblClick if is_second else qt.QEvent.MouseButtonPress
    place = qt.QPointF(5, 5)
    for kind, held in ((press, qt.Qt.LeftButton), (qt.QEvent.MouseButtonRelease, qt.Qt.NoButton)):
        event = qt.QMouseEvent(kind, place, place, qt.Qt.LeftButton, held, qt.Qt.NoModifier)
        qt.QApplication.sendEvent(button, event)


def test_a_double_click_starts_a_command_and_does_not_stop_it_or_the_other_way_round(host: Host, panel: Panel) -> None:
    panel.button.connect("clicked(bool)", lambda checked: panel.start())
    panel.stopButton.connect("clicked(bool)", lambda checked: panel.controls.stop("Stopped."))
    click(host, panel.button)
    click(host, panel.stopButton, is_second=True)
    assert panel.controls.running
    click(host, panel.stopButton)
    click(host, panel.button, is_second=True)
    assert not panel.controls.running
    assert panel.running == [True, False]


def press_space(host: Host, button: Any) -> None:
    """What Qt sends to the button that has the keyboard's focus."""
    qt = host.qt
    for kind in (qt.QEvent.KeyPress, qt.QEvent.KeyRelease):
        qt.QApplication.sendEvent(button, qt.QKeyEvent(kind, qt.Qt.Key_Space, qt.Qt.NoModifier))


def test_space_that_is_pressed_twice_starts_a_command_and_does_not_stop_it_or_the_other_way_round(
    host: Host, panel: Panel
) -> None:
    panel.button.connect("clicked(bool)", lambda checked: panel.start())
    panel.stopButton.connect("clicked(bool)", lambda checked: panel.controls.stop("Stopped."))
    for pressed, other, running in (
        (panel.button, panel.stopButton, True),
        (panel.stopButton, panel.button, False),
    ):
        time.sleep(0.5)
        press_space(host, pressed)
        press_space(host, other)
        assert panel.controls.running == running
    assert panel.running == [True, False]


def test_the_end_of_a_command_leaves_the_keyboard_where_it_is_by_then(host: Host, panel: Panel) -> None:
    field = host.qt.QLineEdit()
    panel.widget.layout().addWidget(field)
    host.slicer.app.processEvents()
    panel.start()
    field.setFocus()
    panel.controls.done("Done.")
    assert panel.widget.focusWidget() == field


def test_the_end_of_a_command_is_told_in_other_modules_too(host: Host, panel: Panel) -> None:
    panel.start()
    panel.controls.done("Done: 3 slices.", "The lungs touch the edge.")
    assert panel.label.text == "Done: 3 slices.\nThe lungs touch the edge."
    assert told_elsewhere(host) == "LungSegResNet: Done: 3 slices."
    panel.start()
    panel.controls.failed("No lungs were found.\nThe CT may be another one.", "The scene is unchanged.")
    assert panel.label.text.splitlines() == [
        "No lungs were found.",
        "The CT may be another one.",
        "The scene is unchanged.",
    ]
    assert told_elsewhere(host) == "LungSegResNet: No lungs were found."
    assert not panel.controls.running


def test_a_command_that_fails_is_written_into_the_application_log_and_one_that_ends_well_is_not(
    panel: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    panel.start()
    panel.controls.done("Done.")
    assert caplog.messages == []
    panel.start()
    panel.controls.failed("No lungs were found.")
    assert [(record.levelno, record.message) for record in caplog.records] == [(logging.ERROR, "No lungs were found.")]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (RuntimeError("There is no folder."), "There is no folder."),
        (OSError(28, "No space left on device"), "It could not be started (No space left on device);"),
    ],
)
@pytest.mark.parametrize("of_packages", [True, False])
def test_what_keeps_a_command_from_starting_is_told_as_a_failure(
    panel: Panel, caplog: pytest.LogCaptureFixture, error: Exception, sentence: str, of_packages: bool
) -> None:
    if of_packages:
        panel.ensurePackages = refuse(error)
    panel.start(refuse(error))
    assert panel.label.text.startswith(sentence)
    assert caplog.messages == [panel.label.text]
    assert panel.visible() == [panel.button]
    assert panel.running == [False]


def test_a_no_to_a_question_starts_nothing(panel: Panel) -> None:
    begun: list[str] = []

    def begin() -> None:
        begun.append("asked")

    panel.ensurePackages = lambda: False
    panel.start(begin)
    assert begun == []
    assert panel.label.text.startswith("The packages are required and were not installed")
    panel.ensurePackages = lambda: True
    panel.start(begin)
    assert begun == ["asked"]
    assert panel.visible() == [panel.button]


def test_a_command_is_stopped_once_and_waited_for_only_when_slicer_quits(panel: Panel) -> None:
    panel.controls.stop("The scene was closed.")
    panel.controls.stopAndWait()
    assert panel.label.text == ""
    panel.start()
    panel.controls.stop("Stopped.", "What is done stays.")
    assert panel.label.text == "Stopped.\nWhat is done stays."
    assert panel.visible() == [panel.button]
    panel.controls.stop("The scene was closed.")
    assert panel.command.ends == ["at once"]
    panel.start()
    panel.controls.stopAndWait()
    assert panel.command.ends == ["at once", "waited for"]
    assert not panel.controls.running


def test_hundreds_of_warnings_do_not_push_all_else_out_of_the_panel_and_are_in_the_application_log(
    panel: Panel, caplog: pytest.LogCaptureFixture
) -> None:
    panel.start()
    warnings = [f"Warning {number}" for number in range(500)]
    panel.controls.done("Done.", *warnings)
    assert panel.label.text.splitlines() == ["Done.", *warnings[:5], "... and 495 more, in the application log."]
    assert caplog.messages == warnings[5:]

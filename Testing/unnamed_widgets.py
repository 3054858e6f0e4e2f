"""What a screen reader cannot name in a panel."""

from __future__ import annotations

from typing import Any


def unnamed_widgets(panel: Any) -> list[str]:
    """Names of the widgets that the keyboard reaches, and of the bars, with no text, label or accessible name."""
    widgets = [widget for widget in vars(panel.ui).values() if widget.inherits("QWidget")]
    labelled = {widget.buddy().objectName for widget in widgets if widget.inherits("QLabel") and widget.buddy()}

    def has_name(widget: Any) -> bool:
        is_button = widget.inherits("QAbstractButton")
        return bool(widget.accessibleName or (is_button and widget.text) or widget.objectName in labelled)

    reached = [widget for widget in widgets if _takes_keyboard(widget) or widget.inherits("QProgressBar")]
    own = [widget for widget in reached if not widget.objectName.startswith("qt_")]  # others are parts of these
    return [widget.objectName for widget in own if not has_name(widget)]


def _takes_keyboard(widget: Any) -> bool:
    policy = widget.focusPolicy
    return bool(int(getattr(policy, "value", policy)) & 1)  # Qt::TabFocus

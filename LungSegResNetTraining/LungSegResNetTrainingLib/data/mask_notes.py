"""What is said of a reference mask in several places; imports nothing that takes time."""

from __future__ import annotations

from collections.abc import Sequence

ONE_VALUE = "The mask has one value; right and left lung were told apart by position."


def accepted_text(accepted: str, reasons: Sequence[str]) -> str:
    """What is said of an accepted pair: what the case list says, and what it was accepted in spite of."""
    return " ".join([f"accepted: {accepted.rstrip('.')}.", *reasons])

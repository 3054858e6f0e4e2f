"""What is said of a reference mask and has to be recognised again; imports nothing that takes time."""

from __future__ import annotations

ONE_VALUE = "The mask has one value; right and left lung were told apart by position."

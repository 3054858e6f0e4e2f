"""What SimpleITK's errors mean; its libraries tell everything in the words of one kind of error."""

from __future__ import annotations

_TOO_LITTLE_MEMORY = ("bad_alloc", "bad allocation", "failed to allocate")  # the second is Windows' word for the first


def raise_if_out_of_memory(error: RuntimeError) -> None:
    """Raise MemoryError if there was too little memory, which is no fault of the file."""
    if any(part in str(error).lower() for part in _TOO_LITTLE_MEMORY):
        raise MemoryError(str(error)) from error


def reason_of(error: RuntimeError) -> str:
    """The last line of what a library says."""
    lines = str(error).strip().splitlines() or ["no reason given"]
    return lines[-1].removeprefix("sitk::ERROR: ").strip()

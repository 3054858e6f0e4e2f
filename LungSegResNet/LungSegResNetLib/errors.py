"""Errors that are shown to the user as one sentence, each with an exit code."""

from __future__ import annotations

UNEXPECTED_EXIT_CODE = 1
SOME_FAILED_EXIT_CODE = 7  # of a run over several cases, which is done with all of them
STOPPED_EXIT_CODE = 130  # of a run that the user stopped, as a shell has it for Ctrl-C


class LungSegError(Exception):
    """A problem the user can act on; its text is one plain sentence or two.

    ``exit_code`` is what the command line returns for it, and ``meaning`` what ``lungsegresnet --help`` says of that.
    """

    exit_code = UNEXPECTED_EXIT_CODE
    meaning = "an error in the program itself; please report it"


class UsageError(LungSegError):
    """The options contradict each other or name something that does not exist."""

    exit_code = 2
    meaning = "wrong options, or a series has to be chosen"


class InputError(LungSegError):
    """The input cannot be read or is not a chest CT that can be segmented."""

    exit_code = 3
    meaning = "the input cannot be read or is not a chest CT"


class NoCTError(InputError):
    """A folder holds DICOM files, but none that claims to be a CT scan; nothing is wrong with them."""


def unreadable(path: object, error: OSError) -> InputError:
    """What the system says against reading a file or folder."""
    return InputError(f"{path} cannot be read ({error.strerror or error}).")


def sentence_of(error: Exception, failed: str = "Unexpected problem") -> str:
    """Why one case of several failed: readers of foreign files fail in ways nobody can list.

    ``failed`` says what did where nobody foresaw the error, such as ``The case could not be read``.
    """
    if isinstance(error, LungSegError):
        return str(error)
    if isinstance(error, MemoryError):
        return "There is not enough memory for this scan."
    return f"{failed} ({': '.join([type(error).__name__, *str(error).splitlines()[:1]])})."


class OutputError(LungSegError):
    """The result cannot be written, or is there already."""

    exit_code = 4
    meaning = "the output cannot be written or exists already"


class OutputExistsError(OutputError):
    """A file or what a folder holds is there already and may not be replaced."""

    def __init__(self, path: object, reason: str = "exists already; choose another name.") -> None:
        super().__init__(path, reason)  # with which pickle makes it anew in another process

    def __str__(self) -> str:
        path, reason = self.args
        return f"{path} {reason}"


class OutputInUseError(OutputError):
    """A file is there already and the system does not let it be replaced, as while a spreadsheet has it open."""

    def __init__(self, path: object) -> None:
        super().__init__(path)

    def __str__(self) -> str:
        return f"{self.args[0]} cannot be replaced (is it open in another program?); close it and run again."


class ModelError(LungSegError):
    """The network file is broken, unsafe or of another architecture."""

    exit_code = 5
    meaning = "the network file cannot be used"


class DeviceError(LungSegError):
    """The device or engine asked for is not there, or ran out of memory."""

    exit_code = 6
    meaning = "the device, the engine or a package is missing, or there is too little memory"


EXIT_CODES = {
    0: "done",
    **{
        kind.exit_code: kind.meaning
        for kind in (LungSegError, UsageError, InputError, OutputError, ModelError, DeviceError)
    },
    SOME_FAILED_EXIT_CODE: "some cases failed; a folder without a CT is no failure",
    STOPPED_EXIT_CODE: "stopped by the user",
}

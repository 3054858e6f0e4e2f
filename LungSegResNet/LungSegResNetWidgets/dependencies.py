"""Python packages that the computation needs, installed when they are needed and only after asking."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import qt
import slicer
from packaging.requirements import Requirement
from slicer.i18n import tr as _

from LungSegResNetLib.network.devices import may_have_graphics_card

from .worker_process import endKeptProcesses

# Slicer uses its own versions of these.
_BUNDLED = ("numpy", "SimpleITK", "scipy", "vtk", "pydicom", "pillow", "highdicom")
# Left out where Slicer's own package is too old for it; what needs it says so then.
_NEEDS_OF_SLICER = {"highdicom": Requirement("pydicom>=3.0.1")}
_TORCH_VERSION = ">=2.4"
_TORCH = f"torch{_TORCH_VERSION}"
_TORCH_DEVICES = ("cuda", "mps")
_REQUESTER = "LungSegResNet"
_installing = threading.Lock()
_declined: set[str] = set()  # what somebody said no to in this session of Slicer, where a run can do without it


def missingPackages(requirementsFile: str, engine: str, device: str) -> list[str]:
    """Requirements that this Python does not meet; nothing is imported.

    PyTorch is one of them if it is the engine or, with the engine ``auto``, where a graphics processor is asked for, or
    may be there and the PyTorch extension can bring it; elsewhere OpenVINO, which the file names, does the work.
    """
    lines = Path(requirementsFile).read_text(encoding="utf-8").splitlines()
    wanted = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if _wantsTorch(engine, device) and _TORCH not in wanted:
        wanted.append(_TORCH)
    return [text for text in wanted if not _isMet(Requirement(text)) and _fitsSlicer(Requirement(text))]


def ensurePackages(requirementsFile: str, engine: str, device: str = "auto") -> bool:
    """Install what a run with ``engine`` on ``device`` lacks, after one question; False if the user said no.

    Where both are ``auto`` and only PyTorch is missing, a no means that OpenVINO does the work, and is asked for once.
    Slicer in testing mode has nobody to ask, and answers such questions with no: there it is installed without asking.
    Slicer handles events meanwhile, so that parameters have to be read afterwards.

    Raises
    ------
    RuntimeError : a sentence for the user when a package could not be installed.
    """
    if not _installing.acquire(blocking=False):
        raise RuntimeError(_("Python packages are being installed; wait until that is done, and click again."))
    try:
        missing = missingPackages(requirementsFile, engine, device)
        if engine == device == "auto" and missing == [_TORCH]:
            return _offerTorch()
        return _askAndInstall(missing)
    finally:
        _installing.release()


def whyNothingRuns() -> str:
    """What to tell who answered the question with no."""
    return _("The packages are required and were not installed. Click again to install them.")


def _wantsTorch(engine: str, device: str) -> bool:
    if engine != "auto":
        return engine == "torch"
    return device in _TORCH_DEVICES or (device == "auto" and may_have_graphics_card() and hasTorchExtension())


def _offerTorch() -> bool:
    """Install it unless somebody said no, now or before; True, as OpenVINO, which is there, does the work without."""
    if _TORCH not in _declined and not _askAndInstall([_TORCH], _("If you cancel, OpenVINO segments on the CPU.")):
        _declined.add(_TORCH)
    return True


def _askAndInstall(missing: list[str], otherwise: str = "") -> bool:
    """Ask and install; ``otherwise`` says what happens after a no. Returns whether all is there now."""
    if not missing:
        return True
    torchIsMissing = any(text.startswith("torch") for text in missing)
    if torchIsMissing and (sys.platform, platform.machine()) == ("darwin", "x86_64"):
        raise RuntimeError(_("There is no recent enough PyTorch for Intel Macs."))
    if torchIsMissing and not hasTorchExtension():
        raise RuntimeError(
            _("PyTorch is missing: install the extension PyTorch in the Extensions Manager and restart Slicer.")
        )
    question = _(
        "LungSegResNet needs these Python packages:\n\n{names}\n\n"
        "They are downloaded from the internet once; later runs need no connection. Install them now?"
    )
    if torchIsMissing:
        question += "\n\n" + _("PyTorch takes some minutes to install and, for a GPU, several GB.")
        question = f"{question} {otherwise}".rstrip()
    text = question.format(names="\n".join(missing))
    if not slicer.app.testingEnabled() and not slicer.util.confirmOkCancelDisplay(text):
        return False
    endKeptProcesses()  # they would go on without what is installed now
    try:
        plain = [text for text in missing if not text.startswith("torch")]
        if plain:
            _install(plain)
        if torchIsMissing:
            _installTorch()
    except (ImportError, OSError) as error:
        text = _("The Python packages cannot be loaded ({reason}); restart Slicer, and try again.")
        raise RuntimeError(text.format(reason=error)) from error
    except (RuntimeError, subprocess.CalledProcessError) as error:
        raise RuntimeError(
            _(
                "The Python packages could not be installed ({reason}). A network connection is needed; if there is "
                "one, see the application log."
            ).format(reason=error)
        ) from error
    return True


def _install(requirements: list[str]) -> None:
    """Install with the versions of Slicer's own packages held."""
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        held = [f"{name}=={version}" for name in _BUNDLED if (version := _installedVersion(name))]
        constraints.write_text("\n".join(held) + "\n", encoding="utf-8")
        if importlib.util.find_spec("slicer.packaging"):
            from slicer import packaging

            packaging.pip_install(requirements, constraints=constraints, requester=_REQUESTER)
        else:
            with _modalDialog(_("Installing Python packages...")):
                slicer.util.pip_install([*requirements, "-c", str(constraints)])


def _installTorch() -> None:
    import PyTorchUtils

    with _modalDialog(_("Installing PyTorch, which may take some minutes...")):
        torch = PyTorchUtils.PyTorchUtilsLogic().installTorch(torchVersionRequirement=_TORCH_VERSION)
    if torch is None:
        raise RuntimeError(_("PyTorch could not be installed."))


@contextmanager
def _modalDialog(text: str) -> Iterator[None]:
    """No other window can be clicked meanwhile, as pip has Slicer handle clicks while it works."""
    dialog = slicer.util.createProgressDialog(
        labelText=text, windowTitle=_REQUESTER, maximum=0, windowModality=qt.Qt.ApplicationModal
    )
    dialog.setCancelButton(None)
    dialog.show()
    slicer.app.processEvents()
    try:
        yield
    finally:
        dialog.close()
        dialog.deleteLater()


def _fitsSlicer(requirement: Requirement) -> bool:
    needed = _NEEDS_OF_SLICER.get(requirement.name)
    return needed is None or _isMet(needed)


def hasTorchExtension() -> bool:
    """Whether the extension that installs PyTorch is there."""
    return importlib.util.find_spec("PyTorchUtils") is not None


def _isMet(requirement: Requirement) -> bool:
    version = _installedVersion(requirement.name)
    return version is not None and requirement.specifier.contains(version, prereleases=True)


def _installedVersion(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None

"""Python packages that the computation needs, installed when they are needed and only after asking."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import subprocess
import tempfile
from pathlib import Path

import slicer
from packaging.requirements import Requirement
from slicer.i18n import tr as _

from LungSegResNetLib.network.devices import may_have_graphics_card

from .worker_process import endKeptProcesses

# Slicer is built against its own versions of these.
_BUNDLED = ("numpy", "SimpleITK", "scipy", "vtk")
_TORCH = ">=2.4"
_TORCH_DEVICES = ("cuda", "mps")
_REQUESTER = "LungSegResNet"


def missingPackages(requirementsFile: str, device: str) -> list[str]:
    """Requirements that this Python does not meet; nothing is imported.

    PyTorch is one of them where a graphics processor is asked for, or may be there and the PyTorch extension can
    bring it; elsewhere OpenVINO, which the file names, does the work.
    """
    lines = Path(requirementsFile).read_text(encoding="utf-8").splitlines()
    wanted = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if device in _TORCH_DEVICES or (device == "auto" and may_have_graphics_card() and _hasTorchExtension()):
        wanted.append(f"torch{_TORCH}")
    return [text for text in wanted if not _isMet(Requirement(text))]


def ensurePackages(requirementsFile: str, device: str = "auto") -> bool:
    """Install what a run on ``device`` lacks, after one question; False if the user said no.

    Slicer in testing mode has nobody to ask, and answers such questions with no: there it is installed without asking.

    Raises
    ------
    RuntimeError : a sentence for the user when a package could not be installed.
    """
    missing = missingPackages(requirementsFile, device)
    if not missing:
        return True
    torchIsMissing = any(text.startswith("torch") for text in missing)
    if torchIsMissing and not _hasTorchExtension():
        raise RuntimeError(
            _("PyTorch is missing: install the extension PyTorch in the Extensions Manager and restart Slicer.")
        )
    question = _("LungSegResNet needs these Python packages:\n\n{names}\n\nInstall them now?")
    text = question.format(names="\n".join(missing))
    if not slicer.app.testingEnabled() and not slicer.util.confirmOkCancelDisplay(text):
        return False
    endKeptProcesses()  # they would go on without what is installed now
    try:
        plain = [text for text in missing if not text.startswith("torch")]
        if plain:
            _install(plain)
        if torchIsMissing:
            import PyTorchUtils

            if PyTorchUtils.PyTorchUtilsLogic().installTorch(torchVersionRequirement=_TORCH) is None:
                raise RuntimeError(_("PyTorch could not be installed."))
    except (RuntimeError, subprocess.CalledProcessError) as error:
        raise RuntimeError(
            _(
                "The Python packages could not be installed ({reason}); check the network connection, see the "
                "application log, and try again."
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
            slicer.util.pip_install([*requirements, "-c", str(constraints)])


def _hasTorchExtension() -> bool:
    return importlib.util.find_spec("PyTorchUtils") is not None


def _isMet(requirement: Requirement) -> bool:
    version = _installedVersion(requirement.name)
    return version is not None and requirement.specifier.contains(version, prereleases=True)


def _installedVersion(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None

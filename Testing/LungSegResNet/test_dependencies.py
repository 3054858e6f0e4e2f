"""What is installed, when, and what is never replaced; pip itself is not run."""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from slicer_host import Host

_REPOSITORY = Path(__file__).resolve().parents[2]
REQUIREMENTS = _REPOSITORY / "LungSegResNet" / "Resources" / "requirements.txt"
TRAINING_REQUIREMENTS = _REPOSITORY / "LungSegResNetTraining" / "Resources" / "training_requirements.txt"


@pytest.fixture
def dependencies(host: Host) -> Any:
    """The module under test, which needs ``slicer``."""
    from LungSegResNetWidgets import dependencies

    return dependencies


@pytest.fixture
def installed(host: Host, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Calls of ``slicer.util.pip_install``: pip's arguments, a constraints file replaced by its lines."""
    calls: list[list[str]] = []

    def pip_install(arguments: list[str]) -> None:
        *requirements, option, constraints = arguments
        assert option == "-c"
        calls.append([*requirements, *Path(constraints).read_text(encoding="utf-8").split()])

    monkeypatch.setattr(host.slicer.util, "pip_install", pip_install)
    return calls


@pytest.fixture
def requirements(tmp_path: Path) -> str:
    """A requirements file with one package that nobody has."""
    path = tmp_path / "requirements.txt"
    path.write_text("# for the test\nnumpy>=1.0\nlungsegresnet-not-there>=2\n", encoding="utf-8")
    return str(path)


def test_nothing_is_asked_where_all_is_installed(
    host: Host, dependencies: Any, installed: list[list[str]], tmp_path: Path
) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("numpy>=1.0\n", encoding="utf-8")
    assert dependencies.ensurePackages(str(path), "auto", "cpu")
    assert host.questions == []
    assert installed == []


def test_in_testing_mode_nobody_is_asked(
    host: Host, dependencies: Any, installed: list[list[str]], requirements: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host.slicer.app, "isTesting", True)
    assert dependencies.ensurePackages(requirements, "auto", "cpu")
    assert host.questions == []
    assert installed[0][0] == "lungsegresnet-not-there>=2"


def test_only_what_is_missing_is_installed_after_one_question_with_slicers_packages_held(
    host: Host, dependencies: Any, installed: list[list[str]], requirements: str
) -> None:
    host.answers.append(True)
    assert dependencies.ensurePackages(requirements, "auto", "cpu")
    assert len(host.questions) == 1
    assert "lungsegresnet-not-there>=2" in host.questions[0]
    ((package, *held),) = installed
    assert package == "lungsegresnet-not-there>=2"
    for name in ("numpy", "SimpleITK", "pydicom", "pillow"):
        assert f"{name}=={importlib.metadata.version(name)}" in held


def test_a_no_installs_nothing(host: Host, dependencies: Any, installed: list[list[str]], requirements: str) -> None:
    host.answers.append(False)
    assert not dependencies.ensurePackages(requirements, "auto", "cpu")
    assert installed == []


def test_a_failed_installation_is_a_sentence(
    host: Host, dependencies: Any, requirements: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(arguments: list[str]) -> None:
        raise subprocess.CalledProcessError(1, "pip")

    monkeypatch.setattr(host.slicer.util, "pip_install", fail)
    host.answers.append(True)
    with pytest.raises(RuntimeError, match=r"could not be installed.*network connection"):
        dependencies.ensurePackages(requirements, "auto", "cpu")


@pytest.fixture
def without_torch(dependencies: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    version = dependencies._installedVersion
    monkeypatch.setattr(dependencies, "_installedVersion", lambda name: None if name == "torch" else version(name))


@pytest.mark.usefixtures("without_torch")
def test_a_graphics_card_that_is_asked_for_needs_the_pytorch_extension(
    dependencies: Any, installed: list[list[str]], tmp_path: Path
) -> None:
    (tmp_path / "requirements.txt").write_text("numpy>=1.0\n", encoding="utf-8")
    with pytest.raises(RuntimeError, match="Extensions Manager"):
        dependencies.ensurePackages(str(tmp_path / "requirements.txt"), "auto", "cuda")
    assert installed == []


def install_extension(monkeypatch: pytest.MonkeyPatch, install: Callable[[str], object]) -> None:
    """The PyTorch extension of Slicer, which installs as told."""

    class Logic:
        def installTorch(self, torchVersionRequirement: str) -> object:
            return install(torchVersionRequirement)

    extension = types.ModuleType("PyTorchUtils")
    extension.PyTorchUtilsLogic = Logic  # type: ignore[attr-defined]
    extension.__spec__ = importlib.machinery.ModuleSpec("PyTorchUtils", None)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", extension)


@pytest.mark.usefixtures("without_torch")
def test_the_pytorch_extension_installs_pytorch(
    host: Host, dependencies: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: list[str] = []
    install_extension(monkeypatch, lambda version: wanted.append(version) or object())
    (tmp_path / "requirements.txt").write_text("numpy>=1.0\n", encoding="utf-8")
    host.answers.append(True)
    assert dependencies.ensurePackages(str(tmp_path / "requirements.txt"), "auto", "cuda")
    assert wanted == [">=2.4"]


@pytest.mark.usefixtures("without_torch")
@pytest.mark.parametrize("error", [OSError("[WinError 126] c10.dll"), ImportError("c10.dll: not found")])
def test_a_pytorch_that_cannot_be_loaded_is_a_sentence(
    host: Host, dependencies: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(version: str) -> object:
        raise error

    install_extension(monkeypatch, fail)
    (tmp_path / "requirements.txt").write_text("numpy>=1.0\n", encoding="utf-8")
    host.answers.append(True)
    with pytest.raises(RuntimeError, match=r"cannot be loaded \(.*c10\.dll.*\); restart Slicer"):
        dependencies.ensurePackages(str(tmp_path / "requirements.txt"), "auto", "cuda")


def test_while_pip_works_nothing_else_can_be_clicked_or_installed(
    host: Host, dependencies: Any, requirements: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def pip_install(arguments: list[str]) -> None:
        dialog = host.qt_application.activeModalWidget()
        seen.append((dialog.windowModality, dialog.labelText, list(dialog.findChildren(host.qt.QPushButton))))
        with pytest.raises(RuntimeError, match="are being installed"):
            dependencies.ensurePackages(requirements, "auto", "cpu")

    monkeypatch.setattr(host.slicer.util, "pip_install", pip_install)
    host.answers.append(True)
    assert dependencies.ensurePackages(requirements, "auto", "cpu")
    assert seen == [(host.qt.Qt.ApplicationModal, "Installing Python packages...", [])]
    assert host.qt_application.activeModalWidget() is None
    host.answers.append(False)
    assert not dependencies.ensurePackages(requirements, "auto", "cpu")


@pytest.fixture
def card_and_extension(
    dependencies: Any, without_torch: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, list[str]]:
    """PyTorch alone is missing, and could be installed for a card; the requirements and the versions installed."""
    versions: list[str] = []
    install_extension(monkeypatch, lambda version: versions.append(version) or object())
    monkeypatch.setattr(dependencies, "may_have_graphics_card", lambda: True)
    monkeypatch.setattr(dependencies, "_declined", set())
    (tmp_path / "requirements.txt").write_text("numpy>=1.0\n", encoding="utf-8")
    return str(tmp_path / "requirements.txt"), versions


@pytest.mark.parametrize(
    ("engine", "device", "is_wanted"),
    [
        ("auto", "auto", True),
        ("auto", "cuda", True),
        ("auto", "cpu", False),
        ("torch", "auto", True),
        ("torch", "cpu", True),
        ("openvino", "auto", False),
        ("openvino", "cuda", False),
    ],
)
def test_pytorch_is_asked_for_if_the_chosen_engine_needs_it(
    dependencies: Any, card_and_extension: tuple[str, list[str]], engine: str, device: str, is_wanted: bool
) -> None:
    assert dependencies.missingPackages(card_and_extension[0], engine, device) == ["torch>=2.4"] * is_wanted


@pytest.mark.usefixtures("without_torch")
@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_pytorch_as_engine_is_asked_for_without_a_card_too(
    dependencies: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    monkeypatch.setattr(dependencies, "may_have_graphics_card", lambda: False)
    (tmp_path / "requirements.txt").write_text("numpy>=1.0\n", encoding="utf-8")
    with pytest.raises(RuntimeError, match="Extensions Manager"):
        dependencies.ensurePackages(str(tmp_path / "requirements.txt"), "torch", device)


@pytest.mark.usefixtures("ct", "without_torch")
def test_the_panel_asks_for_what_the_chosen_engine_needs(panel: Any) -> None:
    panel.logic.getParameterNode().engine = "torch"
    panel.ui.segmentButton.click()
    assert panel.ui.statusLabel.text.startswith("PyTorch is missing: install the extension")


def test_a_no_to_pytorch_alone_has_openvino_do_the_work_and_is_asked_for_once(
    host: Host, dependencies: Any, card_and_extension: tuple[str, list[str]]
) -> None:
    requirements, versions = card_and_extension
    host.answers.append(False)
    assert dependencies.ensurePackages(requirements, "auto", "auto")
    assert dependencies.ensurePackages(requirements, "auto", "auto")
    assert len(host.questions) == 1
    assert "OpenVINO segments on the CPU" in host.questions[0]
    host.answers.append(False)
    assert not dependencies.ensurePackages(requirements, "torch", "auto")
    assert "OpenVINO" not in host.questions[1]
    host.answers.append(True)
    assert dependencies.ensurePackages(requirements, "auto", "cuda")
    assert versions == [">=2.4"]


def test_a_package_that_a_file_and_the_engine_ask_for_is_named_once(
    dependencies: Any, card_and_extension: tuple[str, list[str]]
) -> None:
    assert dependencies.missingPackages(str(TRAINING_REQUIREMENTS), "torch", "auto").count("torch>=2.4") == 1


@pytest.mark.parametrize(("pydicom", "is_wanted"), [("2.4.4", False), ("3.0.2", True)])
def test_highdicom_is_installed_only_beside_a_pydicom_of_slicer_that_it_can_use(
    dependencies: Any, monkeypatch: pytest.MonkeyPatch, pydicom: str, is_wanted: bool
) -> None:
    version = dependencies._installedVersion
    there = {"pydicom": pydicom, "highdicom": None}
    monkeypatch.setattr(dependencies, "_installedVersion", lambda name: there[name] if name in there else version(name))
    missing = dependencies.missingPackages(str(TRAINING_REQUIREMENTS), "torch", "auto")
    assert any("highdicom" in text for text in missing) == is_wanted


def test_a_processor_needs_no_pytorch(dependencies: Any) -> None:
    assert not any("torch" in text for text in dependencies.missingPackages(str(REQUIREMENTS), "auto", "cpu"))


def test_the_requirements_name_no_package_that_slicer_brings() -> None:
    names = {line.split(">")[0].strip().lower() for line in REQUIREMENTS.read_text("utf-8").splitlines()}
    assert names.isdisjoint({"numpy", "scipy", "simpleitk", "vtk", "torch"})

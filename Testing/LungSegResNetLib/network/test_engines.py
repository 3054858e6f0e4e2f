from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from archives import write_archive
from fetch_sample import FILE_NAME
from network_files import seen_network, write_network
from synthetic_thorax import Thorax

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.errors import DeviceError
from LungSegResNetLib.files.reading import read_ct
from LungSegResNetLib.lungs.preprocessing import frame_for, scale_hu, to_frame_matrices
from LungSegResNetLib.network import engines
from LungSegResNetLib.network.architecture import HU_WINDOW, SLICE_SHAPE
from LungSegResNetLib.network.devices import DeviceChoice, choose_device, device_name, processor_name
from LungSegResNetLib.network.engines import EngineSettings, LoadedEngine, load_engine

SAMPLE = Path(__file__).parents[3] / ".cache" / FILE_NAME
# Stands before the program in a process of its own and makes a package as good as not installed.
WITHOUT = """
import sys
class Blind:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in {names!r} else self.finder.find_spec(name, path, target)
sys.meta_path[:] = [Blind(finder) for finder in sys.meta_path]
"""
RUN = """
from LungSegResNetLib.command_line.main import main
code = main({arguments!r})
print("loaded:", *[name for name in ("torch", "openvino", "openvino_telemetry") if name in sys.modules])
raise SystemExit(code)
"""


@pytest.fixture(scope="module")
def small_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_network(tmp_path_factory.mktemp("model") / "network.safetensors", seen_network())


def _run_without(names: tuple[str, ...], *arguments: str) -> subprocess.CompletedProcess[str]:
    program = WITHOUT.format(names=names) + RUN.format(arguments=list(arguments))
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=dict(os.environ))


def _slices(ct: CTVolume, positions: list[int]) -> np.ndarray:
    frame = frame_for(ct.hu, ct.spacing_zyx, SLICE_SHAPE)
    rows, columns = to_frame_matrices(frame, ct.hu.shape[1:], ct.spacing_zyx[1:])
    return np.stack([rows @ scale_hu(ct.hu[z], HU_WINDOW) @ columns.T for z in positions])


@pytest.fixture(scope="module", params=["phantom", "patient"])
def slices(request: pytest.FixtureRequest) -> np.ndarray:
    if request.param == "phantom":
        image, _ = Thorax().scan((2.0, 2.0, 40.0))
        return _slices(CTVolume.from_sitk(image, "phantom"), [2, 4, 6])
    if not SAMPLE.is_file():
        pytest.skip("python Testing/fetch_sample.py .cache fetches the sample CT")
    ct, _ = read_ct(SAMPLE)
    return _slices(ct, [35, 60, 90])


@pytest.mark.parametrize("precision", [None, "float32"])
def test_the_engines_give_the_same_mask(slices: np.ndarray, precision: str | None) -> None:
    reference = load_engine(EngineSettings("torch", "cpu", precision="float32")).predictor.predict(slices)
    result = load_engine(EngineSettings("openvino", "cpu", precision=precision)).predictor.predict(slices)
    first, second = reference > 0.5, result > 0.5
    assert first.mean() > 0.05
    assert 2 * (first & second).sum() / (first.sum() + second.sum()) >= 0.999
    assert np.abs(reference - result).max() < (0.001 if precision == "float32" else 0.1)


def test_openvino_segments_a_scan_without_pytorch_and_without_its_telemetry(tmp_path: Path) -> None:
    image, _ = Thorax().scan((4.0, 4.0, 20.0))
    sitk.WriteImage(image, tmp_path / "ct.nii.gz")
    result = _run_without(("torch",), "segment", str(tmp_path / "ct.nii.gz"), str(tmp_path / "lungs.nii.gz"), "--json")
    assert result.returncode == 0, result.stderr
    summary, loaded = result.stdout.rsplit("loaded:", 1)
    assert loaded.split() == ["openvino"]
    assert json.loads(summary)["engine"] == "openvino"
    assert json.loads(summary)["why"].startswith("OpenVINO on the CPU: ")
    assert (sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / "lungs.nii.gz")) > 0).any()


def test_pytorch_is_not_loaded_where_openvino_does_the_work(small_network: Path) -> None:
    if choose_device().device != "cpu":
        pytest.skip("this machine has a graphics card for PyTorch")
    program = (
        "import sys\n"
        "from LungSegResNetLib.network.engines import EngineSettings, load_engine\n"
        f"print(load_engine(EngineSettings(model={str(small_network)!r})).reason)\n"
        "print('torch' in sys.modules)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    reason, loaded = result.stdout.splitlines()
    assert reason == "OpenVINO on the CPU: no GPU for PyTorch found; the fastest engine on a CPU"
    assert loaded == "False"


@pytest.mark.parametrize(
    ("names", "options", "sentence"),
    [
        (("openvino",), ["--engine", "openvino"], "OpenVINO is not installed"),
        (("torch",), ["--engine", "torch"], "PyTorch is not installed"),
        (("torch", "openvino"), [], "Neither OpenVINO nor PyTorch is installed"),
    ],
)
def test_an_engine_that_is_not_installed_is_named(
    tmp_path: Path, names: tuple[str, ...], options: list[str], sentence: str
) -> None:
    image, _ = Thorax().scan((4.0, 4.0, 20.0))
    sitk.WriteImage(image, tmp_path / "ct.nii.gz")
    result = _run_without(names, "segment", str(tmp_path / "ct.nii.gz"), str(tmp_path / "lungs.nii.gz"), *options)
    assert result.returncode == DeviceError.exit_code
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr


def test_pytorch_does_the_work_where_openvino_is_not_installed(small_network: Path) -> None:
    program = WITHOUT.format(names=("openvino",)) + (
        "from LungSegResNetLib.network.engines import EngineSettings, load_engine\n"
        f"engine = load_engine(EngineSettings(device='cpu', model={str(small_network)!r}))\n"
        "print(engine.predictor.engine, engine.reason)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("torch PyTorch on the CPU: asked for; OpenVINO")


@pytest.mark.parametrize("command", ["segment", "segment-folder"])
def test_a_pytorch_that_cannot_be_loaded_stops_no_run_on_the_device_auto(command: str, tmp_path: Path) -> None:
    (tmp_path / "broken" / "torch").mkdir(parents=True)
    (tmp_path / "broken" / "torch" / "__init__.py").write_text("raise OSError('fbgemm.dll is missing')\n")
    scan = write_archive(tmp_path / "in", "a") / "a.nii.gz"
    arguments = {
        "segment": ["segment", str(scan), str(tmp_path / "a.nrrd")],
        "segment-folder": ["segment-folder", str(scan.parent), str(tmp_path / "out")],
    }[command]
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'broken')!r})\n"
        "from LungSegResNetLib.network import engines\n"
        "engines.may_have_graphics_card = lambda: True\n"
    ) + RUN.format(arguments=arguments)
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


@pytest.fixture
def broken_openvino(tmp_path: Path) -> str:
    """The start of a program in which OpenVINO is there, but one of its own libraries is not."""
    (tmp_path / "broken" / "openvino").mkdir(parents=True)
    (tmp_path / "broken" / "openvino" / "__init__.py").write_text("raise ImportError('libopenvino.so is missing')\n")
    return f"import sys; sys.path.insert(0, {str(tmp_path / 'broken')!r})\n"


def test_pytorch_does_the_work_of_an_openvino_that_cannot_be_loaded_and_says_why(
    broken_openvino: str, small_network: Path
) -> None:
    program = broken_openvino + (
        "from LungSegResNetLib.network.engines import EngineSettings, load_engine\n"
        f"print(load_engine(EngineSettings(device='cpu', model={str(small_network)!r})).reason)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.startswith(
        "PyTorch on the CPU: asked for; OpenVINO is installed but cannot be loaded (libopenvino"
    )


def test_an_openvino_that_was_asked_for_and_cannot_be_loaded_is_told_in_a_sentence(
    broken_openvino: str, small_network: Path, tmp_path: Path
) -> None:
    image, _ = Thorax().scan((4.0, 4.0, 20.0))
    sitk.WriteImage(image, tmp_path / "ct.nii.gz")
    arguments = ["segment", str(tmp_path / "ct.nii.gz"), str(tmp_path / "lungs.nii.gz"), "--engine", "openvino"]
    program = broken_openvino + RUN.format(arguments=arguments)
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == DeviceError.exit_code
    assert "cannot be loaded (libopenvino.so is missing); install it again" in result.stderr
    assert "Traceback" not in result.stderr


def test_what_takes_the_place_of_a_graphics_card_is_loaded_once(
    small_network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = engines._load

    def on_a_card(settings: EngineSettings) -> LoadedEngine:
        return (
            load(settings)
            if settings.device == "cpu"
            else replace(load(replace(settings, device="cpu")), device="cuda")
        )

    monkeypatch.setattr(engines, "_load", on_a_card)
    on_processor = load_engine(EngineSettings(model=small_network)).on_processor
    assert on_processor is not None
    assert on_processor().device == "cpu"
    assert on_processor() is on_processor()


@pytest.mark.parametrize(("engine", "device"), [("openvino", "cuda"), ("openvino", "mps"), ("torch", "gpu")])
def test_an_engine_that_does_not_know_the_device_says_so(small_network: Path, engine: str, device: str) -> None:
    with pytest.raises(DeviceError, match="; choose "):
        load_engine(EngineSettings(engine, device, small_network))


def test_pytorch_need_not_be_there_to_know_that_it_has_no_intel_graphics(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(DeviceError, match="need the engine OpenVINO"):
        choose_device("gpu")


def test_an_engine_on_the_processor_has_nothing_to_fall_back_to() -> None:
    assert load_engine(EngineSettings(device="cpu")).on_processor is None


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="there is an Apple GPU here")
def test_the_processor_takes_over_from_a_graphics_processor_that_cannot_be_used(
    small_network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver says that there is one, and PyTorch fails on it."""
    choose = choose_device
    monkeypatch.setattr(engines, "may_have_graphics_card", lambda: True)
    monkeypatch.setattr(
        engines, "choose_device", lambda wanted="auto": choose(wanted) if wanted == "cpu" else DeviceChoice("mps", "")
    )
    engine = load_engine(EngineSettings(model=small_network))
    assert engine.device == "cpu"
    assert "because of this: PyTorch cannot use the mps device" in engine.reason
    with pytest.raises(DeviceError, match="cannot use the mps device"):
        load_engine(EngineSettings("torch", "mps", small_network))


def test_a_processor_has_a_name_and_a_device_that_is_not_known_stands_for_itself() -> None:
    assert device_name("cpu") == processor_name() != ""
    assert device_name("gpu") == "gpu"

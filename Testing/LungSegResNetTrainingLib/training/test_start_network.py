"""Networks that training can begin with, whose file may be renamed, replaced or gone when a run goes on."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from network_files import seen_network, write_network
from training_cases import write_data_set

from LungSegResNetLib.errors import InputError, ModelError
from LungSegResNetLib.network.model_file import load_model, save_model
from LungSegResNetTrainingLib.command_line.main import main
from LungSegResNetTrainingLib.training.start_network import read_start_network

_STEPS = "14"


def _write_start(path: Path, seed: int = 0) -> Path:
    """A network that was trained on a scan, which networks that begin with it have to tell of."""
    card, weights = load_model(write_network(path, seen_network((32, 40), seed), (32, 40)))
    card.training["training_cases"] = ["seen"]
    save_model(path, weights, card)
    return path


def _fit(folder: Path, start: Path) -> list[str]:
    command = ["fit", str(folder.parent / "data" / "cases.csv"), "--out", str(folder / "run"), "--workers", "0"]
    command += ["--cache", str(folder.parent / "cache"), "--device", "cpu", "--start-network", str(start)]
    return [*command, "--steps", _STEPS, "--batch-size", "2", "--checkpoint-every", "0", "--validate-every", "1000"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The start network, and a folder with its run that was never interrupted."""
    folder = tmp_path_factory.mktemp("start") / "whole"
    write_data_set(folder.parent / "data", {"a": "train", "b": "train", "v": "validation"})
    start = _write_start(folder.parent / "start.safetensors")
    assert main(_fit(folder, start)) == 0
    return start, folder


@pytest.fixture(scope="module")
def killed_run(trained: tuple[Path, Path]) -> Path:
    """A folder with the same run, which was killed in the middle."""
    folder = trained[0].parent / "killed"
    process = subprocess.Popen(
        [sys.executable, "-m", "LungSegResNetTrainingLib.command_line.main", *_fit(folder, trained[0])],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    log = folder / "run" / "progress.csv"
    while process.poll() is None and not (log.is_file() and len(log.read_text().splitlines()) > 4):
        time.sleep(0.02)
    process.kill()
    process.wait(60)
    assert 0 < _step(folder) < int(_STEPS)
    return folder


@pytest.fixture
def killed(trained: tuple[Path, Path], killed_run: Path) -> Path:
    """A copy of that run, beside the data set and the cache that it was begun with."""
    folder = killed_run.parent / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(killed_run, folder)
    return folder


def _step(folder: Path) -> int:
    return int(torch.load(folder / "run" / "checkpoint.pt", weights_only=True)["step"])


def _network(folder: Path) -> bytes:
    return (folder / "run" / "network.safetensors").read_bytes()


@pytest.mark.parametrize("change", ["renamed", "gone", "another"])
def test_a_killed_run_goes_on_to_the_same_bytes_without_the_file_it_began_with(
    trained: tuple[Path, Path], killed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    start, whole = trained
    file = tmp_path / "other name.safetensors"
    if change == "renamed":
        shutil.copy(start, file)
    if change == "another":
        _write_start(file, seed=1)
    assert main(_fit(killed, file)) == 0
    assert _network(killed) == _network(whole)
    told = capsys.readouterr().err
    assert ("There is no network file at" in told) == (change == "gone")
    assert ("The run began with unnamed (start.safetensors, sha256" in told) == (change == "another")
    assert ("from its checkpoint" in told) == (change != "renamed")
    assert load_model(killed / "run" / "network.safetensors")[0].training["start_network_cases"] == ["seen"]


def test_a_run_that_began_with_random_weights_is_not_gone_on_with_as_fine_tuning(
    trained: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = _fit(trained[0].parent / "random", trained[0])
    begun = [option for option in command if option not in ("--start-network", str(trained[0]))]
    shape = ["--slice-shape", "32", "40", "--learning-rate", "0.0015"]
    assert main([*begun, *shape, "--steps", "1"]) == 0
    assert main([*command, "--steps", "1", "--preset", "recommended", *shape[3:]]) == InputError.exit_code
    assert "(start)" in capsys.readouterr().err


def test_a_network_of_another_hu_window_is_refused(tmp_path: Path) -> None:
    path = write_network(tmp_path / "start.safetensors", seen_network())
    assert read_start_network(str(path)).card == load_model(path)[0]
    card, weights = load_model(path)
    save_model(path, weights, dataclasses.replace(card, hu_window=(-1000.0, 400.0)))
    with pytest.raises(ModelError, match=r"HU window \(-1000.0, 400.0\), but training uses \(-1024.0, 600.0\)"):
        read_start_network(str(path))

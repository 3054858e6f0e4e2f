"""Real processes of ``torchrun``, two of them, on the CPU."""

from __future__ import annotations

import csv
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from network_files import seen_network, write_network
from synthetic_thorax import Thorax

from LungSegResNetLib.errors import UsageError
from LungSegResNetLib.network.model_file import load_model
from LungSegResNetLib.network.network import HighRes2DNet
from LungSegResNetTrainingLib.training.parallel import Processes, joined_processes
from LungSegResNetTrainingLib.training.sampling import StepBatches
from LungSegResNetTrainingLib.training.settings import RECOMMENDED

_MAIN = "LungSegResNetTrainingLib.command_line.main"
_OPTIONS = "--validate-every 2 --workers 0 --slices-at-once 1 --device cpu".split()  # noqa: SIM905
_FROM_NOTHING = ("--slice-shape", "32", "40")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parallel") / "data"
    folder.mkdir()
    for name in "abc":
        for image, part in zip(Thorax().scan((6.0, 6.0, 20.0)), ("ct", "lungs"), strict=True):
            sitk.WriteImage(image, str(folder / f"{name}_{part}.nii"))
    return folder


def _fit(data: Path, run: str, processes: int, options: Sequence[str] = _FROM_NOTHING) -> tuple[int, str]:
    """A run of four steps in ``processes`` processes; its exit code and what it printed."""
    folder = data.parent
    command = [sys.executable, "-m"]
    if processes > 1:
        command += ["torch.distributed.run", "--nproc-per-node", str(processes), "-m"]
    command += [_MAIN, "fit", str(data), "--out", str(folder / run), "--cache", str(folder / "cache")]
    command += ["--steps", "4", "--batch-size", "3", *_OPTIONS, *options]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, env=environment, check=False)
    return done.returncode, done.stdout + done.stderr


def _losses(folder: Path) -> list[float]:
    with (folder / "progress.csv").open(newline="", encoding="utf-8") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def test_all_processes_together_draw_the_samples_of_one() -> None:
    settings = replace(RECOMMENDED, steps=5, batch_size=17)
    alone = list(StepBatches(settings, 2, Processes()))
    assert [len(batch) for batch in alone] == [17, 17, 17]
    assert [k for batch in alone for k in batch] == list(range(34, 85))
    parts = [list(StepBatches(settings, 2, Processes(rank, 3))) for rank in range(3)]
    for step, batch in enumerate(alone):
        shares = [part[step] for part in parts]
        assert sorted(k for share in shares for k in share) == batch
        assert {len(share) for share in shares} == {5, 6}


_TAKE = """
import torch
from LungSegResNetTrainingLib.training.parallel import joined_processes
with joined_processes("cpu") as processes:
    tensors = [torch.full((2, 3), 1.0 + processes.rank), torch.full((4,), 5.0 * processes.rank)]
    processes.take_from_first(tensors)
    assert [tensor.tolist() for tensor in tensors] == [[[1.0] * 3] * 2, [0.0] * 4], tensors
"""


def test_tensors_are_taken_from_the_first_process() -> None:
    command = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--no-python", sys.executable, "-c", _TAKE]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, timeout=180, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_number_of_processes_without_torchrun_ends_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(UsageError, match="start several processes with torchrun"), joined_processes("cpu"):
        pass


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"RANK": "0"}, "MASTER_ADDR and MASTER_PORT not"),
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE or LOCAL_RANK is not a number"),
    ],
)
def test_left_overs_of_a_cluster_job_end_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], told: str
) -> None:
    whole = {"RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"} if "WORLD_SIZE" in settings else {}
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"WORLD_SIZE": "2"} | whole | settings).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=told), joined_processes("cpu"):
        pass


def test_two_processes_train_one_network_and_resume(data: Path) -> None:
    code, text = _fit(data, "two", processes=2)
    assert code == 0, text
    assert text.count("The network is in") == 1
    assert text.count("Each case counts as a patient of its own") == 1
    assert len(_losses(data.parent / "two")) == 4
    # Batch norm sees single slices in both, so that one process learns the same but for the order of sums.
    assert _fit(data, "one", processes=1)[0] == 0
    two, one = (_losses(data.parent / name) for name in ("two", "one"))
    assert two == pytest.approx(one, abs=2e-3)
    code, text = _fit(data, "two", processes=2)
    assert code == 0, text


def test_two_processes_train_a_network_whose_passes_differ_in_their_weights(data: Path) -> None:
    network = HighRes2DNet(own_scales=[2]).eval()
    for part in (network, network.at(2)):
        part.load_state_dict(seen_network((32, 40)).state_dict(), strict=False)
    start = write_network(data.parent / "own.safetensors", network, (32, 40))
    code, text = _fit(data, "own", 2, ["--start-network", str(start), "--preset", "recommended"])
    assert code == 0, text
    card, weights = load_model(data.parent / "own" / "network.safetensors")
    assert card.config["own_scales"] == [2]
    # Each step shows slices of one size, and each pass had at least one of the four.
    begun = load_model(start)[1]
    assert not any(
        np.array_equal(weights[f"{own}stem.0.weight"], begun[f"{own}stem.0.weight"]) for own in ("", "own.2.")
    )


def test_processes_that_read_different_data_end_with_a_sentence(data: Path) -> None:
    other = shutil.copytree(data, data.with_name("other"))
    for name in ("a", "b"):  # one of another scan, whose name is the same
        image, mask = Thorax(noise=3.0).scan((6.0, 6.0, 20.0))
        sitk.WriteImage(image, str(other / f"{name}_ct.nii"))
        sitk.WriteImage(mask, str(other / f"{name}_lungs.nii"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    together = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    machines = [
        subprocess.Popen(
            [sys.executable, "-m", _MAIN, "fit", str(folder), "--out", str(folder.with_name("differing")),
             "--cache", str(folder / "cache"), "--steps", "2", "--batch-size", "2", *_OPTIONS],
            env=os.environ | together | {"RANK": str(rank), "LOCAL_RANK": "0"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank, folder in enumerate((data, other))
    ]  # fmt: skip
    for machine in machines:
        text = machine.communicate(timeout=180)[1]
        assert machine.returncode == 3, text
        assert "Not all processes read the same files for a, b; give them" in text
        assert "Traceback" not in text

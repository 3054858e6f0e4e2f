from __future__ import annotations

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Container
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from training_cases import small_case, write_data_set

from LungSegResNetLib.errors import DeviceError, InputError, ModelError, OutputInUseError, UsageError
from LungSegResNetLib.network.model_file import load_model, read_card
from LungSegResNetLib.network.network import HighRes2DNet
from LungSegResNetLib.network.torch_predictor import build_network
from LungSegResNetTrainingLib.data.scan_marks import ScanMark
from LungSegResNetTrainingLib.slices.augmentation import AugmentationSettings
from LungSegResNetTrainingLib.slices.slice_cache import RIGHT, CachedCase
from LungSegResNetTrainingLib.training.fit import fit, refuse_other_files
from LungSegResNetTrainingLib.training.parallel import Processes
from LungSegResNetTrainingLib.training.progress import Progress
from LungSegResNetTrainingLib.training.run_options import RunOptions
from LungSegResNetTrainingLib.training.settings import FINE_TUNE, PAPER, RECOMMENDED, TrainingSettings
from LungSegResNetTrainingLib.training.start_network import read_start_network
from LungSegResNetTrainingLib.training.training_record import TrainingRecord
from LungSegResNetTrainingLib.training.validation import validation_dice

SETTINGS = replace(RECOMMENDED, steps=6, batch_size=2, scales=(1, 2))
_ALONE = RunOptions(workers=0)
# Not the folders that the tests of a module share: these are made before.
pytestmark = pytest.mark.usefixtures("without_curves")


class Killed(Exception):
    """Stands for whatever ends a run in the middle."""


def _fit(
    folder: Path,
    settings: TrainingSettings = SETTINGS,
    kill_after: int | None = None,
    on_warning: Callable[[str], None] = lambda text: None,
) -> tuple[Path, list[Progress]]:
    """A run with a checkpoint after each step; ``kill_after`` ends it before the checkpoint of that step."""
    seen: list[Progress] = []

    def on_progress(progress: Progress) -> None:
        seen.append(progress)
        if progress.step == kill_after:
            raise Killed

    cases = [small_case("a"), small_case("b", seed=1)]
    network = fit(
        cases,
        [small_case("v", seed=2)],
        settings,
        folder,
        RunOptions(workers=0, validate_every=3, checkpoint_every=0.0),
        on_progress=on_progress,
        on_warning=on_warning,
    )
    return network, seen


def _log(folder: Path) -> list[list[str]]:
    """Lines of progress.csv without the speed, which differs from run to run."""
    with (folder / "progress.csv").open(newline="", encoding="utf-8") as file:
        return [[row[0], row[1], row[3]] for row in csv.reader(file)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run that was never interrupted."""
    folder = tmp_path_factory.mktemp("run") / "finished"
    _fit(folder)
    return folder


@pytest.fixture(scope="module")
def killed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the run that ``killed`` copies."""
    folder = tmp_path_factory.mktemp("run") / "killed"
    with pytest.raises(Killed):
        _fit(folder, kill_after=4)
    return folder


@pytest.fixture
def killed(tmp_path: Path, killed_once: Path) -> Path:
    """Folder of a run that was killed in step 4, whose checkpoint is that of step 3."""
    return shutil.copytree(killed_once, tmp_path / "finished")


def test_a_short_run_learns(tmp_path: Path) -> None:
    settings = replace(PAPER, steps=16, batch_size=2, learning_rate=0.005, empty_share=0.0)
    seen: list[Progress] = []
    case = small_case()
    options = RunOptions(workers=0, validate_every=1000)
    path = fit([case], [case], settings, tmp_path, options, on_progress=seen.append)
    assert [progress.step for progress in seen] == list(range(1, 17))
    losses = [progress.loss for progress in seen]
    assert np.mean(losses[-3:]) < 0.7 * np.mean(losses[:3])
    assert seen[-1].validation_dice is not None
    network = build_network(*load_model(path), path.name)
    dice = validation_dice(network, [case], (1,), torch.device("cpu"), "float32")
    assert dice == pytest.approx(seen[-1].validation_dice, abs=0.01)


def test_the_finished_file_says_how_it_was_trained(finished: Path) -> None:
    card = read_card(finished / "network.safetensors")
    assert card.name == "finished"
    assert card.scales == SETTINGS.scales
    assert TrainingSettings.from_json(card.training["settings"]) == SETTINGS
    assert card.training["steps_done"] == 6
    assert (card.training["finished"], card.training["patience"]) == (True, None)
    assert card.training["training_cases"] == ["a", "b"]
    assert card.training["validation_cases"] == ["v"]


def test_the_log_has_a_line_for_each_step_and_a_dice_where_it_was_validated(finished: Path) -> None:
    rows = _log(finished)
    assert rows[0] == ["step", "loss", "validation_dice"]
    assert [row[0] for row in rows[1:]] == ["1", "2", "3", "4", "5", "6"]
    assert [bool(row[2]) for row in rows[1:]] == [False, False, True, False, False, True]


def test_a_killed_run_goes_on_to_the_same_weights_and_the_same_log(finished: Path, killed: Path) -> None:
    assert [row[0] for row in _log(killed)] == ["step", "1", "2", "3", "4"]
    path, seen = _fit(killed)
    assert [progress.step for progress in seen] == [4, 5, 6]
    card, weights = load_model(path)
    expected_card, expected = load_model(finished / "network.safetensors")
    assert card == expected_card
    assert weights.keys() == expected.keys()
    assert all(np.array_equal(weights[name], expected[name]) for name in expected)
    assert _log(killed) == _log(finished)


def test_a_run_that_is_killed_in_its_first_step_is_known_as_a_run(tmp_path: Path, finished: Path) -> None:
    with pytest.raises(Killed):
        _fit(tmp_path / "finished", kill_after=1)
    refuse_other_files(tmp_path / "finished")
    (tmp_path / "finished" / "network.safetensors").touch()  # as patience leaves it before a checkpoint
    _fit(tmp_path / "finished")
    assert _log(tmp_path / "finished") == _log(finished)


def test_a_run_of_no_step_may_begin_anew_with_other_settings(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        _fit(tmp_path, kill_after=1)
    settings = replace(SETTINGS, steps=1, learning_rate=0.005)
    assert read_card(_fit(tmp_path, settings)[0]).training["steps_done"] == 1


@pytest.mark.parametrize("name", ["network.safetensors", "progress.csv", "curves.png"])
def test_files_of_a_folder_that_holds_no_run_are_not_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=f"has {name} but no run that could be resumed"):
        refuse_other_files(tmp_path)


def _fit_in_a_process(folder: Path, signal_to: Callable[[int], None]) -> subprocess.CompletedProcess[str]:
    """A run of many steps with two workers in a process group of its own, which gets a signal while it trains."""
    data = write_data_set(folder / "data", {"a": "train", "b": "train"})
    command = [sys.executable, "-m", "LungSegResNetTrainingLib.command_line.main", "fit", str(data)]
    command += ["--out", str(folder / "run"), "--cache", str(folder / "cache"), "--device", "cpu", "--workers", "2"]
    command += ["--steps", "100000", "--batch-size", "2", "--slice-shape", "32", "40"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    log = folder / "run" / "progress.csv"
    while process.poll() is None and not (log.is_file() and len(log.read_text().splitlines()) > 3):
        time.sleep(0.1)
    signal_to(process.pid)
    out, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess(command, process.returncode, out, err)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups that get a signal")
def test_a_request_to_end_that_reaches_all_processes_of_a_run_ends_it_as_ctrl_c_does(tmp_path: Path) -> None:
    done = _fit_in_a_process(tmp_path, lambda process: os.killpg(process, signal.SIGTERM))
    assert done.returncode == 130
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="workers do not bear the command line of their run")
def test_a_worker_that_is_killed_ends_the_run_with_a_sentence(tmp_path: Path) -> None:
    def kill_a_worker(process: int) -> None:
        run = psutil.Process(process)
        workers = [child for child in run.children() if child.cmdline() == run.cmdline()]
        assert len(workers) == 2
        workers[-1].kill()

    done = _fit_in_a_process(tmp_path, kill_a_worker)
    assert done.returncode == DeviceError.exit_code
    assert "A process that prepares slices was ended from outside" in done.stderr
    assert "Traceback" not in done.stderr


def _refuse_checkpoints(monkeypatch: pytest.MonkeyPatch, steps: Container[int]) -> None:
    """Another program holds the checkpoint after these steps, so that Windows refuses to replace it."""
    real_replace = Path.replace

    def replace_file(self: Path, target: Path) -> Path:
        if target.name == "checkpoint.pt" and torch.load(self, weights_only=True)["step"] in steps:
            raise PermissionError(13, "Permission denied", str(target))
        return real_replace(self, target)

    monkeypatch.setattr(Path, "replace", replace_file)
    monkeypatch.setattr("LungSegResNetLib.atomic.time.sleep", lambda seconds: None)


def test_a_checkpoint_that_another_program_holds_for_a_while_ends_no_training(
    tmp_path: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    _refuse_checkpoints(monkeypatch, (2, 3))
    path, _ = _fit(tmp_path / "finished", on_warning=warnings.append)
    assert path.read_bytes() == (finished / "network.safetensors").read_bytes()
    assert torch.load(tmp_path / "finished" / "checkpoint.pt", weights_only=True)["step"] == 6
    assert warnings == [
        "checkpoint.pt cannot be written; is it open in another program? Training continues and tries again."
    ]


def test_a_last_checkpoint_that_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _refuse_checkpoints(monkeypatch, (6,))
    with pytest.raises(OutputInUseError, match=r"checkpoint\.pt"):
        _fit(tmp_path)
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 5


def test_a_torn_last_line_of_the_log_is_dropped(killed: Path, finished: Path) -> None:
    with (killed / "progress.csv").open("a", encoding="utf-8") as file:
        file.write("1")
    _fit(killed)
    assert _log(killed) == _log(finished)


def test_the_network_of_a_finished_run_stays_the_very_file_it_is(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (finished / "network.safetensors").read_bytes()
    monkeypatch.setattr("LungSegResNetTrainingLib.training.network_export.__version__", "99.0")
    path, seen = _fit(finished)
    assert seen == []
    assert path.read_bytes() == before


def test_a_finished_run_whose_network_is_lost_is_exported_again(finished: Path) -> None:
    before = (finished / "network.safetensors").read_bytes()
    (finished / "network.safetensors").unlink()
    path, seen = _fit(finished)
    assert seen == []
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "changes",
    [{"seed": 1}, {"steps": 7}, {"learning_rate": 0.02}, {"augmentation": AugmentationSettings.none()}],
    ids=str,
)
def test_a_folder_with_a_run_of_other_settings_is_refused_and_left_as_it_is(
    killed: Path, changes: dict[str, Any]
) -> None:
    before = {path.name: path.read_bytes() for path in killed.iterdir()}
    (changed,) = changes
    with pytest.raises(InputError, match=rf"holds a run with other settings \({changed}\)"):
        _fit(killed, replace(SETTINGS, **changes))
    assert {path.name: path.read_bytes() for path in killed.iterdir()} == before


def _without_updates(checkpoint: Path) -> bytes:
    state = torch.load(checkpoint, weights_only=True)
    del state["updates"]
    torch.save(state, checkpoint)
    return checkpoint.read_bytes()


def _without_a_weight(checkpoint: Path) -> bytes:
    state = torch.load(checkpoint, weights_only=True)
    state["network"].popitem()
    torch.save(state, checkpoint)
    return checkpoint.read_bytes()


@pytest.mark.parametrize(
    "damage",
    [
        lambda checkpoint: b"",
        lambda checkpoint: b"no archive at all",
        lambda checkpoint: checkpoint.read_bytes()[:-2000],
        _without_updates,
        _without_a_weight,
    ],
    ids=["empty", "text", "truncated", "no optimiser", "a weight is missing"],
)
def test_a_damaged_checkpoint_is_named_and_left_as_it_is(killed: Path, damage: Callable[[Path], bytes]) -> None:
    checkpoint = killed / "checkpoint.pt"
    content = damage(checkpoint)
    checkpoint.write_bytes(content)
    with pytest.raises(ModelError, match=r"checkpoint\.pt is damaged; move it away to start again"):
        _fit(killed)
    assert checkpoint.read_bytes() == content


def test_a_run_of_an_earlier_version_is_told_from_a_damaged_one(killed: Path) -> None:
    checkpoint = killed / "checkpoint.pt"
    state = torch.load(checkpoint, weights_only=True)
    updates = state.pop("updates")
    torch.save(state | {"optimiser": updates["optimisers"][0], "schedule": updates["schedules"][0]}, checkpoint)
    content = checkpoint.read_bytes()
    with pytest.raises(InputError, match="a run that an earlier version began; choose another folder"):
        _fit(killed)
    assert checkpoint.read_bytes() == content


def test_cases_without_lung_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    lung, empty = small_case(), small_case(with_lung=())
    for training, validation, kind in (
        ([empty], [], "training"),
        ([lung], [empty], "validation"),
    ):
        with pytest.raises(InputError, match=f"No {kind} case has a slice with lung"):
            fit(training, validation, SETTINGS, tmp_path / "run", _ALONE)
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_no_number_ends_the_run_and_leaves_the_last_checkpoint(tmp_path: Path) -> None:
    settings = replace(SETTINGS, learning_rate=1e30, one_cycle=False, loss="dice_and_cross_entropy")
    with pytest.raises(ModelError, match="The loss is no longer a number at step"):
        _fit(tmp_path, settings)
    assert not (tmp_path / "network.safetensors").exists()


def test_a_run_that_gets_patience_when_it_has_got_worse_already_leaves_a_network(tmp_path: Path) -> None:
    settings = replace(SETTINGS, steps=12, learning_rate=1e-12, one_cycle=False, averaging=0.0)
    case = small_case()

    def on_progress(progress: Progress) -> None:
        if progress.step == 5:
            raise Killed

    options = RunOptions(workers=0, validate_every=1, checkpoint_every=0.0)
    with pytest.raises(Killed):
        fit([case], [case], settings, tmp_path, options, on_progress=on_progress)
    path = fit([case], [case], settings, tmp_path, RunOptions(workers=0, validate_every=1, patience=2))
    assert read_card(path).training["steps_done"] == 4


def test_a_best_network_that_was_deleted_is_told_and_replaced_by_the_last(tmp_path: Path) -> None:
    settings = replace(SETTINGS, steps=12, learning_rate=1e-12, one_cycle=False, averaging=0.0)
    case, warnings = small_case(), list[str]()
    for deletes in (True, False):
        options = RunOptions(workers=0, validate_every=1, patience=2)
        path = fit([case], [case], settings, tmp_path, options, on_warning=warnings.append)
        if deletes:
            best = read_card(path).training["steps_done"]
            path.unlink()
            assert warnings == []
    assert read_card(path).training["steps_done"] == best + 2
    assert len(warnings) == 1
    assert f"network.safetensors is the last one, of step {best + 2}" in warnings[0]


def _with_patience(folder: Path, patience: int | None, kill_after: int = 0) -> tuple[Path, list[str]]:
    """A run of 7 steps that gets no better after its first validation, and its warnings."""
    # A rate this small changes nothing, and joint training keeps the statistics of the batch norms.
    settings = replace(SETTINGS, steps=7, learning_rate=1e-12, one_cycle=False, averaging=0.0, joint=True)
    case, warnings = small_case(), list[str]()

    def on_progress(progress: Progress) -> None:
        if progress.step == kill_after:
            raise Killed

    options = RunOptions(workers=0, validate_every=1, checkpoint_every=0.0, patience=patience)
    path = fit([case], [case], settings, folder, options, on_progress=on_progress, on_warning=warnings.append)
    return path, warnings


@pytest.fixture(scope="module")
def ended_early_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the run that ``ended_early`` copies."""
    folder = tmp_path_factory.mktemp("run") / "ended early"
    _with_patience(folder, 4)
    return folder


@pytest.fixture
def ended_early(tmp_path: Path, ended_early_once: Path) -> Path:
    """Folder of a run that a patience of 4 ended after step 5."""
    return shutil.copytree(ended_early_once, tmp_path / "run")


def test_a_run_ends_early_with_its_best_network_and_stays_ended(ended_early: Path) -> None:
    for _ in range(2):
        assert [row[0] for row in _log(ended_early)] == ["step", "1", "2", "3", "4", "5"]
        assert read_card(ended_early / "network.safetensors").training["steps_done"] == 1
        _with_patience(ended_early, 4)


def test_the_network_of_the_best_validation_says_whether_its_run_has_finished(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        _with_patience(tmp_path, 4, kill_after=3)
    before, weights = load_model(tmp_path / "network.safetensors")
    assert (before.training["finished"], before.training["patience"]) == (False, 4)
    path, warnings = _with_patience(tmp_path, 4)
    after, same = load_model(path)
    assert after == replace(before, training=before.training | {"finished": True})
    assert all(np.array_equal(weights[name], same[name]) for name in weights)
    content = path.read_bytes()
    assert _with_patience(tmp_path, 4)[0].read_bytes() == content
    assert warnings == []


def test_the_best_validation_is_known_without_the_log(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        _with_patience(tmp_path, 8, kill_after=5)
    best = (tmp_path / "network.safetensors").read_bytes()
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 4
    (tmp_path / "progress.csv").unlink()
    with pytest.raises(Killed):
        _with_patience(tmp_path, 8, kill_after=6)
    assert (tmp_path / "network.safetensors").read_bytes() == best


def test_patience_that_comes_after_a_run_has_finished_is_told_that_the_best_network_is_gone(tmp_path: Path) -> None:
    path, _ = _with_patience(tmp_path, None)
    content = path.read_bytes()
    again, warnings = _with_patience(tmp_path, 3)
    assert again.read_bytes() == content
    assert warnings == [
        "The network of the best validation is not there; network.safetensors is the last one, of step 7."
    ]


def test_a_finished_run_keeps_the_network_that_patience_chose(ended_early: Path) -> None:
    content = (ended_early / "network.safetensors").read_bytes()
    path, warnings = _with_patience(ended_early, None)
    assert read_card(path).training["steps_done"] == 7  # it went on with the steps that patience had left out
    assert warnings == []
    path.write_bytes(content)
    _, warnings = _with_patience(ended_early, None)
    assert path.read_bytes() == content
    (text,) = warnings
    assert "network.safetensors stays the network of step 1, which --patience chose" in text
    path.unlink()
    assert read_card(_with_patience(ended_early, None)[0]).training["steps_done"] == 7


def test_a_network_remembers_the_scans_that_chose_a_step_of_it_or_of_the_one_it_began_with(tmp_path: Path) -> None:
    def trained(name: str, start: Path | None, patience: int | None) -> Path:
        return fit(
            [small_case("a")], [small_case(f"v {name}")], replace(SETTINGS, steps=1), tmp_path / name,
            RunOptions(workers=0, patience=patience), start=read_start_network(str(start)) if start else None,
            marks={"v first": ScanMark("v first", "0" * 16, "1" * 16)},
        )  # fmt: skip

    path, remembered = None, []
    for name, patience in (("none", None), ("first", 2), ("second", None), ("third", 2)):
        path = trained(name, path, patience)
        remembered.append(TrainingRecord.of(read_card(path)).choosing_scans.as_json())
    first, third = ["v first", "0" * 16, "1" * 16], ["v third", "", ""]
    assert remembered == [[], [first], [first], [first, third]]


def test_a_network_that_is_trained_in_the_current_folder_is_called_as_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lungs").mkdir()
    monkeypatch.chdir(tmp_path / "lungs")
    path = fit([small_case()], [], replace(SETTINGS, steps=1), Path(), _ALONE)
    assert read_card(path).name == "lungs"


def test_patience_needs_validation_cases(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Without validation cases"):
        fit([small_case()], [], SETTINGS, tmp_path, RunOptions(patience=2))


def test_a_data_set_for_validation_alone_trains_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No case is for training"):
        fit([], [small_case()], SETTINGS, tmp_path, _ALONE)


def test_more_processes_than_slices_of_a_step_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="3 processes cannot share 2 slices a step"):
        fit([small_case()], [], SETTINGS, tmp_path, _ALONE, processes=Processes(0, 3))


def test_fine_tuning_begins_with_the_weights_of_a_network(finished: Path, tmp_path: Path) -> None:
    start = read_start_network(str(finished / "network.safetensors"))
    sources = [{"collection": "Earlier", "doi": "10.1/x", "licence": "CC BY 3.0"}]
    start = replace(start, card=replace(start.card, training={**start.card.training, "data": sources}))
    settings = start.apply_to(replace(FINE_TUNE, steps=1, batch_size=2, learning_rate=1e-12, averaging=0.0))
    case = small_case()
    path = fit([case], [case], settings, tmp_path / "tuned", _ALONE, start=start)
    tuned = load_model(path)[1]
    for name, value in start.weights.items():
        if name.endswith("weight"):
            np.testing.assert_allclose(tuned[name], value, atol=1e-6)
    training = read_card(path).training
    assert "network.safetensors, sha256" in TrainingSettings.from_json(training["settings"]).start
    assert training["start_network_data"] == sources
    with pytest.raises(InputError, match="holds a run with other settings"):
        fit([case], [case], replace(settings, start="another network"), tmp_path / "tuned", _ALONE)


def test_a_run_draws_its_curves_and_writes_event_files(finished: Path) -> None:
    with Image.open(finished / "curves.png") as picture:
        assert picture.size[0] > 500
        assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 20
    events = EventAccumulator(str(finished)).Reload()
    assert [event.step for event in events.Scalars("training loss")] == [1, 2, 3, 4, 5, 6]
    assert [event.step for event in events.Scalars("validation Dice")] == [3, 6]


@pytest.mark.parametrize(
    "changes", [{"steps": 0}, {"batch_size": 0}, {"learning_rate": 0.0}, {"slice_shape": (60, 88)}]
)
def test_settings_that_cannot_be_trained_with_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        replace(RECOMMENDED, **changes)


class Threshold(HighRes2DNet):
    """Calls light (or dense) pixels lung, but not air; only the skin then looks like lung."""

    def __init__(self, sign: float) -> None:
        super().__init__()
        self.sign = sign

    def forward(self, slices: torch.Tensor) -> torch.Tensor:
        lung = self.sign * (0.4 - slices)
        return torch.cat([torch.zeros_like(lung), torch.where(slices < 0.05, -1.0, lung)], dim=1)


def test_a_right_network_has_a_validation_dice_of_one_and_a_blind_one_of_zero() -> None:
    case: CachedCase = small_case()
    cases = [case, small_case("empty", with_lung=())]
    assert validation_dice(Threshold(1.0), cases, (1,), torch.device("cpu"), "float32") > 0.95
    assert validation_dice(Threshold(-1.0), cases, (1,), torch.device("cpu"), "float32") < 0.1


def test_the_slices_by_which_a_network_is_validated_are_spread_over_the_whole_lung() -> None:
    case = small_case(slices=40)
    case.hu[20:][case.labels[20:] >= RIGHT] = 40  # dense in the upper half, where the network then finds nothing
    assert validation_dice(Threshold(1.0), [case], (1,), torch.device("cpu"), "float32") == pytest.approx(
        2 / 3, abs=0.05
    )

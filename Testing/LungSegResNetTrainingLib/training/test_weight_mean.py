"""The mean of two networks, and what it says about itself."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from network_files import seen_network, write_network

from LungSegResNetLib.errors import InputError, ModelError, OutputError, UsageError
from LungSegResNetLib.network.model_file import load_model, read_card, save_model
from LungSegResNetLib.network.torch_predictor import TorchPredictor
from LungSegResNetTrainingLib.command_line.main import main
from LungSegResNetTrainingLib.data.scan_marks import NOTHING_SEEN, ScanSet
from LungSegResNetTrainingLib.training.training_record import TrainingRecord
from LungSegResNetTrainingLib.training.weight_mean import write_mean


def network(folder: Path, name: str, seed: int, trained: list[str], validated: list[str]) -> Path:
    """A network file that says which cases it has seen."""
    path = write_network(folder / f"{name}.safetensors", seen_network(seed=seed))
    card, weights = load_model(path)
    training = {"training_cases": trained, "validation_cases": validated}
    save_model(path, weights, dataclasses.replace(card, name=name, training=training, limits=("of this one",)))
    return path


def test_weights_are_averaged_and_cases_that_any_has_seen_stay_seen(tmp_path: Path) -> None:
    first = network(tmp_path, "first", 0, ["a", "b"], ["v", "w"])
    second = network(tmp_path, "second", 1, ["b", "c"], ["v", "x"])
    target = tmp_path / "mean.safetensors"
    assert main(["mean", str(first), str(second), "--out", str(target)]) == 0
    (_, one), (_, two), (card, mean) = (load_model(path) for path in (first, second, target))
    assert mean.keys() == one.keys()
    for name, values in mean.items():
        np.testing.assert_allclose(values, (one[name].astype(float) + two[name]) / 2, rtol=1e-6, atol=1e-7)
    assert TrainingRecord.of(card).seen_scans.names == ["a", "b", "c"]
    assert card.training["validation_cases"] == ["v"]
    assert card.limits == ()
    assert [text.split()[0] for text in card.training["mean_of"]] == ["first", "second"]
    slices = np.random.default_rng(0).random((1, 48, 64), np.float32)
    assert TorchPredictor(target).predict(slices).std() > 0.0


def test_a_network_whose_training_has_not_finished_goes_into_no_mean(tmp_path: Path) -> None:
    paths = [network(tmp_path, name, seed, ["a"], ["v"]) for seed, name in enumerate(("begun", "finished"))]
    card, weights = load_model(paths[0])
    save_model(paths[0], weights, dataclasses.replace(card, training={**card.training, "finished": False}))
    for order in (paths, paths[::-1]):
        with pytest.raises(ModelError, match=r"The training of begun .* has not finished"):
            write_mean([str(path) for path in order], tmp_path / "mean.safetensors")


def test_the_mean_knows_the_scans_that_its_networks_know(tmp_path: Path) -> None:
    new, old = network(tmp_path, "new", 0, ["a"], ["v"]), network(tmp_path, "old", 1, ["b"], ["v"])
    card, weights = load_model(new)
    marks = {"seen_scans": [["a", "1" * 16, ""]], "validation_scans": [["v", "2" * 16, "3" * 16]]}
    save_model(new, weights, dataclasses.replace(card, training={**card.training, **marks}))
    for order in ([new, old], [old, new]):
        mean = write_mean([str(path) for path in order], tmp_path / "mean.safetensors", overwrite=True)
        assert TrainingRecord.of(mean).seen_scans == ScanSet.from_json([["a", "1" * 16, ""], ["b"]])
        assert TrainingRecord.of(mean).validation_scans.names == mean.training["validation_cases"] == ["v"]
    leaking = network(tmp_path, "leaking", 2, ["a"], ["v"])
    renamed = {"seen_scans": [["w", "2" * 16, ""]], "validation_scans": []}
    card, weights = load_model(leaking)
    save_model(leaking, weights, dataclasses.replace(card, training={**card.training, **renamed}))
    with pytest.raises(InputError, match="case v was trained on"):
        write_mean([str(new), str(leaking)], tmp_path / "mean.safetensors", overwrite=True)


def test_the_mean_knows_the_scans_that_chose_a_step_of_any_of_its_networks(tmp_path: Path) -> None:
    plain, old, new = (network(tmp_path, name, 0, ["a"], [name]) for name in ("plain", "old", "new"))
    for path, name in ((old, "old"), (new, "start")):
        card, weights = load_model(path)
        training = {**card.training, "choosing_scans": [[name]]}
        save_model(path, weights, dataclasses.replace(card, training=training))
    for order in ([plain, old, new], [new, old, plain]):
        mean = write_mean([str(path) for path in order], tmp_path / "mean.safetensors", overwrite=True)
        assert TrainingRecord.of(mean).choosing_scans == ScanSet.by_names(["old", "start"])
    plainest = write_mean([str(plain), str(plain)], tmp_path / "plainest.safetensors")
    assert TrainingRecord.of(plainest).choosing_scans == NOTHING_SEEN


def test_the_mean_names_data_of_several_of_its_networks_once(tmp_path: Path) -> None:
    first, second = (network(tmp_path, name, 0, ["a"], ["v"]) for name in ("first", "second"))
    source = {"collection": "A", "doi": "10.1/a", "licence": "CC BY", "training_cases": 2, "validation_cases": 1}
    rows = {first: [source], second: [source | {"training_cases": 3, "test_cases": 1}]}
    for path, data in rows.items():
        card, weights = load_model(path)
        save_model(path, weights, dataclasses.replace(card, training={**card.training, "data": data}))
    mean = write_mean([str(first), str(second)], tmp_path / "mean.safetensors")
    assert mean.training["start_network_data"] == [source | {"training_cases": 3, "test_cases": 1}]


def test_the_mean_has_the_passes_of_the_last_network(tmp_path: Path) -> None:
    begun = write_network(tmp_path / "begun.safetensors", seen_network(), scales=(1, 2))
    tuned = write_network(tmp_path / "tuned.safetensors", seen_network(seed=1), scales=(1, 2, 4))
    assert write_mean([str(begun), str(tuned)], tmp_path / "mean.safetensors").scales == (1, 2, 4)


def test_the_mean_of_a_network_with_itself_is_the_network(tmp_path: Path) -> None:
    path = network(tmp_path, "one", 0, ["a"], ["v"])
    write_mean([str(path), str(path)], tmp_path / "mean.safetensors")
    expected, weights = load_model(path)[1], load_model(tmp_path / "mean.safetensors")[1]
    assert all(np.array_equal(weights[name], value) for name, value in expected.items())


def test_a_network_that_is_given_twice_counts_twice_and_two_of_one_name_are_told_apart(tmp_path: Path, capsys) -> None:
    (tmp_path / "other").mkdir()
    first = network(tmp_path, "lungs", 0, ["a"], ["v"])
    second = network(tmp_path / "other", "lungs", 1, ["b"], ["v"])
    target = tmp_path / "mean.safetensors"
    assert main(["mean", str(first), str(first), str(second), "--out", str(target)]) == 0
    (_, one), (_, two), (card, mean) = (load_model(path) for path in (first, second, target))
    for name, values in mean.items():
        np.testing.assert_allclose(values, (2.0 * one[name] + two[name]) / 3, rtol=1e-6, atol=1e-7)
    named = card.training["mean_of"]
    assert named[0] == named[1] != named[2]
    assert capsys.readouterr().out.startswith(f"Mean of {', '.join(named)}: ")


def test_what_has_no_mean_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    first = network(tmp_path, "first", 0, ["a"], ["v"])
    leaking = network(tmp_path, "leaking", 1, ["v"], ["a"])
    other = write_network(tmp_path / "other.safetensors", seen_network(), slice_shape=(64, 88))
    target = tmp_path / "mean.safetensors"
    with pytest.raises(UsageError, match="two networks"):
        write_mean([str(first)], target)
    with pytest.raises(ModelError, match="differ in slice_shape"):
        write_mean([str(first), str(other)], target)
    with pytest.raises(InputError, match="case a was trained on"):
        write_mean([str(first), str(leaking)], target)
    assert not target.exists()
    with pytest.raises(OutputError, match="exists already"):
        write_mean([str(first), str(first)], other)
    assert read_card(other).slice_shape == (64, 88)

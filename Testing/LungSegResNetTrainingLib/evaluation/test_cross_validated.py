"""A network that was trained on all patients is published with the figures of a cross-validation, or it is refused."""

from __future__ import annotations

import csv
import dataclasses
import shutil
from pathlib import Path

import pytest
from synthetic_thorax import Thorax
from training_cases import write_case

from LungSegResNetLib.network.model_file import load_model, read_card, save_model
from LungSegResNetTrainingLib.command_line.main import main
from LungSegResNetTrainingLib.data.scan_marks import ScanSet

_TINY = ["--slice-shape", "32", "40", "--batch-size", "2", "--workers", "0", "--device", "cpu", "--progress", "none"]
_STEPS = ["--steps", "2"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data set of three patients, the runs of two folds with their report, and a run on all patients.

    A fourth patient's pair is doubtful: it was not trained on, and is evaluated.
    """
    folder = tmp_path_factory.mktemp("folds")
    rows = [("case", "ct", "mask", "status")]
    for noise, name in enumerate("abcd", start=5):
        write_case(folder / "data", name, (6.0, 6.0, 20.0), thorax=Thorax(noise=float(noise)))
        rows.append((name, f"{name}_ct.nii", f"{name}_mask.nii", "doubtful" if name == "d" else "ok"))
    with (folder / "data" / "cases.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    fit = ["fit", str(folder / "data"), "--cache", str(folder / "cache"), *_TINY, *_STEPS]
    assert main([*fit, "--folds", "2", "--out", str(folder / "folds")]) == 0
    assert main([*fit, "--validation-share", "0", "--out", str(folder / "all")]) == 0
    judge = ["evaluate", str(folder / "folds"), str(folder / "data"), "--folds", "2", "--include-doubtful"]
    judge += ["--out", str(folder / "folds" / "report"), "--no-baseline", "--device", "cpu", "--progress", "none"]
    assert main(judge) == 0
    (folder / "limits.txt").write_text("a phantom", encoding="utf-8")
    return folder


def _publish(folder: Path, out: Path, network: Path | None = None, folds: Path | None = None) -> int:
    command = ["publish", str(network or folder / "all" / "network.safetensors"), str(folder / "data")]
    command += ["--report", str(folder / "folds" / "report"), "--folds-of", str(folds or folder / "folds")]
    command += ["--out", str(out / "lungs.safetensors"), "--limits", str(folder / "limits.txt")]
    return main([*command, "--name", "own", "--version", "1"])


def test_a_network_of_all_patients_has_the_figures_of_its_cross_validation(trained: Path, tmp_path: Path) -> None:
    assert _publish(trained, tmp_path) == 0
    text = (tmp_path / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "\n## Figures of a cross-validation with 2 folds\n" in text
    assert (
        "They are of 2 other networks, each trained in the same way without the patients that it evaluated; this "
        "network was trained on all of them but those of 1 case, which training left out, and was itself evaluated on "
        "nobody. Only the settings of the last training were compared."
    ) in text
    assert "not trained on them" not in text
    assert "| case | fold | Dice |" in text
    assert "thresholding" not in text  # the report was made without
    assert "A reference that was begun as the mask of a network favours that network: what was" in text
    assert "they say nothing about how another training would come out" in text
    with (trained / "folds" / "report" / "cases.csv").open(newline="", encoding="utf-8") as file:
        fold_of = {row["case"]: row["fold"] for row in csv.DictReader(file)}
    assert set(fold_of) == set("abcd")
    assert all(f"| {name} | {fold} | " in text or f"| {name} (doub" in text for name, fold in fold_of.items())
    figures = read_card(tmp_path / "lungs.safetensors").figures
    assert figures
    assert all(name.startswith("cross-validation, volumes: ") for name in figures)


def test_a_run_that_holds_nobody_back_says_how_it_can_be_judged_and_so_do_evaluation_and_publishing(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit = ["fit", str(trained / "data"), "--cache", str(trained / "cache"), *_TINY, *_STEPS]
    assert main([*fit, "--validation-share", "0", "--out", str(trained / "all")]) == 0
    told = "Training held nobody back; cross-validate (fit --folds) and publish with --folds-of."
    assert told in capsys.readouterr().out
    network, data = str(trained / "all" / "network.safetensors"), str(trained / "data")
    judge = ["evaluate", network, data, "--no-baseline", "--device", "cpu", "--progress", "none"]
    assert main([*judge, "--out", str(tmp_path / "none")]) == 3
    assert told in capsys.readouterr().err
    assert main([*judge, "--out", str(tmp_path / "all"), "--split", "all"]) == 0
    publish = ["publish", network, data, "--out", str(tmp_path / "lungs.safetensors"), "--name", "own"]
    publish += ["--version", "1", "--limits", str(trained / "limits.txt")]
    assert main([*publish, "--report", str(tmp_path / "all")]) == 3
    assert told in capsys.readouterr().err
    assert main([*publish, "--report", str(trained / "folds" / "report")]) == 3
    assert "or give the folder of that cross-validation to --folds-of" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("steps", "was trained with other settings than the folds (steps)"),
        ("start", "did not all begin with the same network"),
        ("patience", "was trained with --patience"),
        ("mean", "is a mean of networks"),
        ("patient", "was not trained on all scans that the folds were trained on (b)"),
    ],
)
def test_a_network_that_was_trained_otherwise_is_refused(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str, said: str
) -> None:
    card, weights = load_model(trained / "all" / "network.safetensors")
    training = card.training
    seen = ScanSet(frozenset(mark for mark in ScanSet.from_json(training["seen_scans"]).marks if mark.name != "b"))
    changes = {
        "steps": {"settings": training["settings"] | {"steps": 3}},
        "start": {"settings": training["settings"] | {"start": "another (a.safetensors, sha256 0123456789ab)"}},
        "patience": {"patience": 3},
        "mean": {"mean_of": ["one", "two"]},
        "patient": {"seen_scans": seen.as_json()},
    }
    network = tmp_path / "other.safetensors"
    save_model(network, weights, dataclasses.replace(card, training=training | changes[what]))
    assert _publish(trained, tmp_path / "out", network) == 3
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_report_of_other_folds_is_refused(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "folds"
    for fold in (1, 2):
        network = other / f"fold-{fold}" / "network.safetensors"
        network.parent.mkdir(parents=True)
        shutil.copy(trained / "folds" / f"fold-{fold}" / "network.safetensors", network)
    card, weights = load_model(network)
    save_model(network, weights, dataclasses.replace(card, name="trained anew"))
    assert _publish(trained, tmp_path / "out", folds=other) == 3
    assert f"The report is not about the 2 networks in {other}" in capsys.readouterr().err
    assert _publish(trained, tmp_path / "out", folds=trained / "all") == 3
    assert "holds no cross-validation" in capsys.readouterr().err


def test_folds_that_chose_their_own_networks_are_refused(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(trained, tmp_path / "copy", ignore=shutil.ignore_patterns("cache"))
    folds = tmp_path / "copy" / "folds"
    network = folds / "fold-2" / "network.safetensors"
    card, weights = load_model(network)
    save_model(network, weights, dataclasses.replace(card, training=card.training | {"patience": 1}))
    judge = ["evaluate", str(folds), str(tmp_path / "copy" / "data"), "--folds", "2", "--overwrite", "--no-baseline"]
    assert main([*judge, "--out", str(folds / "report"), "--device", "cpu", "--progress", "none"]) == 0
    assert _publish(tmp_path / "copy", tmp_path / "out") == 3
    assert "a fold was trained with --patience" in capsys.readouterr().err

"""A network to hand on says what it was trained on and how well it does, by the figures of its evaluation."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import pytest

from LungSegResNetLib.digests import file_digest
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.figures.metrics import METRICS
from LungSegResNetLib.network.model_file import ModelCard, load_model, read_card, save_model
from LungSegResNetLib.network.network import HighRes2DNet
from LungSegResNetTrainingLib.data.cases import Case
from LungSegResNetTrainingLib.training.publishing import publish
from LungSegResNetTrainingLib.training.seen_scans import ScanMark, ScanRecord

TRAINING = {
    "settings": {"steps": 7},
    "training_cases": ["scan3"],
    "validation_cases": ["scan1", "scan2", "slice1"],
    "start_network_cases": [],
}
ABOUT = {"name": "lungs", "version": "1.2.3", "licence": "Apache-2.0"}
DICE = {"scan1": 0.98, "scan2": 0.96, "slice1": 0.90}


@pytest.fixture
def run(tmp_path: Path) -> tuple[Path, list[Case], Path]:
    """Network, cases and report of a run."""
    network = HighRes2DNet()
    weights = {name: value.numpy() for name, value in network.state_dict().items() if value.is_floating_point()}
    card = ModelCard(config=network.config, training=TRAINING)
    save_model(tmp_path / "network.safetensors", weights, card)
    splits = {"scan1": "validation", "scan2": "validation", "slice1": "validation", "scan3": "train"}
    cases = [
        Case(
            name,
            tmp_path,
            tmp_path,
            split,
            name,
            doubtful="hilum" if name == "scan2" else "",
            licence="CC BY 3.0",
            doi="10.1/x",
        )
        for name, split in splits.items()
    ]
    report = tmp_path / "report"
    report.mkdir()
    mark = {"network": file_digest(tmp_path / "network.safetensors"), "data set": "", "split": ""}
    (report / "evaluation.json").write_text(json.dumps(mark))
    with (report / "cases.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["case", "slices", "method", "region", *(metric.key for metric in METRICS)])
        writer.writeheader()
        for name, dice in DICE.items():
            for method in ("network", "thresholding"):
                row = dict.fromkeys((metric.key for metric in METRICS), 1.5)
                row["dice"] = dice if method == "network" else 0.5
                slices = 1 if name == "slice1" else 40
                writer.writerow({"case": name, "slices": slices, "method": method, "region": "lungs", **row})
    return tmp_path / "network.safetensors", cases, report


def publish_run(run: tuple[Path, list[Case], Path], target: Path) -> ModelCard:
    network, cases, report = run
    return publish(network, cases, report, target, limits=limits_file(report), **ABOUT)


def limits_file(folder: Path) -> Path:
    path = folder / "limits.txt"
    path.write_text("small children\n\nmasks of two readers\n", encoding="utf-8")
    return path


def test_figures_are_means_of_the_report(run: tuple[Path, list[Case], Path], tmp_path: Path) -> None:
    card = publish_run(run, tmp_path / "out" / "lungs.safetensors")
    assert card.figures["volumes: mean dice"] == pytest.approx(0.97)
    assert card.figures["volumes: worst dice"] == pytest.approx(0.96)
    assert card.figures["single slices: mean dice"] == pytest.approx(0.90)
    assert card.figures["volumes: mean hd95_mm"] == pytest.approx(1.5)


def test_the_file_holds_the_weights_and_names_the_data(run: tuple[Path, list[Case], Path], tmp_path: Path) -> None:
    target = tmp_path / "out" / "lungs.safetensors"
    target.parent.mkdir()
    (target.parent / "collections.csv").write_text("doi,collection\n10.1/x,Example collection\n")
    publish_run(run, target)
    card, weights = load_model(target)
    assert (card.name, card.version, card.licence) == ("lungs", "1.2.3", "Apache-2.0")
    assert {key: card.training[key] for key in TRAINING} == TRAINING
    assert card.training["data"] == [
        {
            "collection": "Example collection",
            "doi": "10.1/x",
            "licence": "CC BY 3.0",
            "training_cases": 1,
            "validation_cases": 3,
        }
    ]
    before = load_model(run[0])[1]
    assert all((weights[name] == before[name]).all() for name in before)


def test_the_model_card_has_a_row_for_every_case(run: tuple[Path, list[Case], Path], tmp_path: Path) -> None:
    publish_run(run, tmp_path / "out" / "lungs.safetensors")
    text = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert "| scan1 | 0.980 | - | - | 1.50 | 1.50 | 0.500 |" in text
    assert "| scan2 (doubtful reference) | 0.960 |" in text
    assert "| **mean of 2 volumes** | 0.970 |" in text
    assert "| **mean of 1 single slice** | 0.900 |" in text
    assert "not for diagnosis" in text
    assert text.endswith("## Known failures and limits\n\n- small children\n- masks of two readers\n")


@pytest.mark.parametrize("doi", ["10.1/x", "10.2/y"])
def test_the_model_card_names_data_of_the_network_that_training_began_with(
    run: tuple[Path, list[Case], Path], tmp_path: Path, doi: str
) -> None:
    source = {
        "collection": "Earlier",
        "doi": doi,
        "licence": "CC BY 3.0",
        "training_cases": 5,
        "validation_cases": 1,
    }
    card, weights = load_model(run[0])
    save_model(run[0], weights, dataclasses.replace(card, training={**TRAINING, "start_network_data": [source]}))
    mark = {"network": file_digest(run[0]), "data set": "", "split": ""}
    (run[2] / "evaluation.json").write_text(json.dumps(mark))
    publish_run(run, tmp_path / "out" / "lungs.safetensors")
    text = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert ("| Earlier | 10.2/y | CC BY 3.0 | 5 | 1 |" in text) == (doi == "10.2/y")
    assert ("that training began with" in text) == (doi == "10.2/y")


def test_without_an_evaluation_nothing_is_published(run: tuple[Path, list[Case], Path], tmp_path: Path) -> None:
    (run[2] / "cases.csv").unlink()
    with pytest.raises(InputError, match="run lungsegresnet-train evaluate first"):
        publish_run(run, tmp_path / "lungs.safetensors")
    assert not (tmp_path / "lungs.safetensors").exists()
    assert read_card(run[0]).name == "unnamed"


def test_the_report_of_another_network_or_of_several_is_refused(
    run: tuple[Path, list[Case], Path], tmp_path: Path
) -> None:
    network, _, report = run
    digest = file_digest(network)
    for judged in ("0" * 64, f"{digest} {'0' * 64}"):
        (report / "evaluation.json").write_text(json.dumps({"network": judged}))
        with pytest.raises(InputError, match=r"not about network\.safetensors"):
            publish_run(run, tmp_path / "out" / "lungs.safetensors")
    (report / "evaluation.json").unlink()
    with pytest.raises(InputError, match="run lungsegresnet-train evaluate first"):
        publish_run(run, tmp_path / "out" / "lungs.safetensors")
    assert not (tmp_path / "out").exists()


def test_names_of_collections_come_from_a_spreadsheet_or_a_sentence_says_why_not(
    run: tuple[Path, list[Case], Path], tmp_path: Path
) -> None:
    names = tmp_path / "out" / "collections.csv"
    names.parent.mkdir()
    names.write_text("doi,collection\n10.1/x,Collection X\n", encoding="utf-8-sig")  # as spreadsheets save it
    card = publish_run(run, tmp_path / "out" / "lungs.safetensors")
    assert {source["collection"] for source in card.training["data"]} == {"Collection X"}
    names.write_text("DOI;name\n", encoding="utf-8")
    with pytest.raises(InputError, match="needs the columns doi and collection"):
        publish_run(run, tmp_path / "out" / "other.safetensors")


def test_a_section_of_ones_own_goes_into_the_card(run: tuple[Path, list[Case], Path], tmp_path: Path) -> None:
    network, cases, report = run
    section = tmp_path / "ablation.md"
    section.write_text("## What each part contributes\n\n| a | b |\n", encoding="utf-8")
    about = {**ABOUT, "limits": limits_file(tmp_path)}
    publish(network, cases, report, tmp_path / "own" / "lungs.safetensors", section=section, **about)
    text = (tmp_path / "own" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "\n## What each part contributes\n\n| a | b |\n\n## Training\n" in text
    with pytest.raises(InputError, match=r"missing\.md cannot be read"):
        publish(network, cases, report, tmp_path / "none.safetensors", section=tmp_path / "missing.md", **about)
    assert not (tmp_path / "none.safetensors").exists()


def test_figures_of_cases_that_the_network_was_trained_on_are_not_published(
    run: tuple[Path, list[Case], Path], tmp_path: Path
) -> None:
    report = run[2] / "cases.csv"
    report.write_text(report.read_text().replace("scan1", "scan3"))
    with pytest.raises(InputError, match=r"trained on \(scan3\)"):
        publish_run(run, tmp_path / "lungs.safetensors")
    assert not (tmp_path / "lungs.safetensors").exists()


def test_a_scan_that_the_network_was_trained_on_is_known_under_another_name(
    run: tuple[Path, list[Case], Path], tmp_path: Path
) -> None:
    network, cases, _ = run
    named = [dataclasses.replace(case, ct=tmp_path / f"{case.name}.nii") for case in cases]
    for case in named:
        case.ct.write_text(case.name)
    card, weights = load_model(network)
    patients = [dataclasses.replace(case, name="a", ct=tmp_path / "none") for case in named if case.name == "scan2"]
    for seen in ([dataclasses.replace(named[0], name="other", patient="other")], patients):
        record = ScanRecord(frozenset([ScanMark.of(case) for case in seen] + [ScanMark("b", "0123456789abcdef")]))
        save_model(network, weights, dataclasses.replace(card, training=TRAINING | {"seen_scans": record.as_json()}))
        (run[2] / "evaluation.json").write_text(json.dumps({"network": file_digest(network)}))
        with pytest.raises(InputError, match=r"whose scan or patient the network was trained on \(scan[12]\)"):
            publish_run((network, named, run[2]), tmp_path / "lungs.safetensors")
    assert not (tmp_path / "lungs.safetensors").exists()


def test_sources_count_scans_and_not_names(run: tuple[Path, list[Case], Path], tmp_path: Path) -> None:
    network, cases, report = run
    named = [dataclasses.replace(case, ct=tmp_path / f"{case.name}.nii") for case in cases]
    for case in named:
        case.ct.write_text(case.name)
    card, weights = load_model(network)
    # The scan was called otherwise when it was trained on, and another had the name of one that was not.
    record = ScanRecord(frozenset([ScanMark.of(dataclasses.replace(named[3], name="old", patient="old"))]))
    training = TRAINING | {"seen_scans": record.as_json(), "training_cases": ["old"]}
    save_model(network, weights, dataclasses.replace(card, training=training))
    (report / "evaluation.json").write_text(json.dumps({"network": file_digest(network)}))
    (source,) = publish_run((network, named, report), tmp_path / "lungs.safetensors").training["data"]
    assert (source["training_cases"], source["validation_cases"]) == (1, 3)


def test_a_report_of_cases_that_are_not_listed_is_refused(run: tuple[Path, list[Case], Path], tmp_path: Path) -> None:
    network, cases, report = run
    with pytest.raises(InputError, match=r"cases that the data set does not have \(scan1\)"):
        publish_run((network, cases[1:], report), tmp_path / "lungs.safetensors")


def test_cases_without_lung_are_in_no_figure(run: tuple[Path, list[Case], Path], tmp_path: Path) -> None:
    report = run[2] / "cases.csv"
    with report.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["case"] == "scan2":
            row |= {"reference_ml": "0", "dice": ""}
    with report.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    card = publish_run(run, tmp_path / "lungs.safetensors")
    assert card.figures["volumes: worst dice"] == pytest.approx(0.98)
    assert "scan2" not in (tmp_path / "MODEL_CARD.md").read_text()

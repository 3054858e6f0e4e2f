"""A network to hand on says what it was trained on and how well it does, by the figures of its evaluation."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
from pathlib import Path

import pytest

from LungSegResNetLib.digests import file_digest
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.figures.metric_definitions import METRICS
from LungSegResNetLib.network.model_file import ModelCard, load_model, read_card, save_model
from LungSegResNetLib.network.network import HighRes2DNet
from LungSegResNetTrainingLib.data.cases import Case
from LungSegResNetTrainingLib.data.scan_marks import ScanMark, ScanMarks, ScanSet
from LungSegResNetTrainingLib.evaluation.bootstrap import SKEWED_NOTE
from LungSegResNetTrainingLib.evaluation.publishing import Publication, publish
from LungSegResNetTrainingLib.evaluation.report_folder import EvaluationId
from LungSegResNetTrainingLib.training.settings import PAPER, RECOMMENDED
from LungSegResNetTrainingLib.training.training_record import TrainingRecord

TRAINING = {
    "settings": {"steps": 7},
    "training_cases": ["scan3"],
    "validation_cases": ["scan1", "scan2", "slice1"],
    "start_network_cases": [],
}
ABOUT = {"name": "lungs", "version": "1.2.3", "licence": "Apache-2.0"}
USED = {"training_cases": 1, "validation_cases": 3, "test_cases": 2}
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
        Case(name, tmp_path, tmp_path, split, name, licence="CC BY 3.0", doi="10.1/x") for name, split in splits.items()
    ]
    report = tmp_path / "report"
    report.mkdir()
    write_mark(report, file_digest(tmp_path / "network.safetensors"))
    with (report / "cases.csv").open("w", newline="") as file:
        about = ("case", "split", "status", "patient", "group", "doubtful", "accepted", "slices", "fold")
        writer = csv.DictWriter(
            file, [*about, "method", "region", "cause", *(metric.key for metric in METRICS)], restval=""
        )
        writer.writeheader()
        for name, dice in DICE.items():
            for method in ("network", "thresholding"):
                row = dict.fromkeys((metric.key for metric in METRICS), 1.5)
                row["dice"] = dice if method == "network" else 0.5
                row |= {"slices": 1 if name == "slice1" else 40, "doubtful": "hilum" if name == "scan2" else ""}
                row |= {"split": "validation", "status": "judged", "patient": name, "method": method, "region": "lungs"}
                writer.writerow({"case": name, **row})
    return tmp_path / "network.safetensors", cases, report


def write_mark(report: Path, networks: str) -> None:
    """Say that a report is of the networks with these digests."""
    mark = EvaluationId(networks).as_json()
    (report / "evaluation.json").write_text(json.dumps(mark), encoding="utf-8")


def publish_run(run: tuple[Path, list[Case], Path], target: Path) -> ModelCard:
    network, cases, report = run
    return publish(network, cases, report, target, Publication(**ABOUT, limits=limits_file(report)))


def change_report(run: tuple[Path, list[Case], Path], case: str, **cells: str) -> None:
    """Other cells in the rows of a case in the report's table."""
    path = run[2] / "cases.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(row | cells if row["case"] == case else row for row in rows)


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


def test_a_mean_that_leaves_out_a_complete_failure_says_so(run: tuple[Path, list[Case], Path], tmp_path: Path) -> None:
    change_report(run, "scan2", dice="0", hd95_mm="", mean_surface_distance_mm="")
    figures = publish_run(run, tmp_path / "lungs.safetensors").figures
    assert figures["volumes: mean hd95_mm (n = 1)"] == pytest.approx(1.5)
    assert "volumes: mean hd95_mm" not in figures
    assert figures["volumes: mean dice"] == pytest.approx(0.49)
    assert figures["single slices: mean hd95_mm"] == pytest.approx(1.5)


def test_the_file_holds_the_weights_and_names_the_data(run: tuple[Path, list[Case], Path], tmp_path: Path) -> None:
    target = tmp_path / "out" / "lungs.safetensors"
    target.parent.mkdir()
    (target.parent / "collections.csv").write_text("doi,collection\n10.1/x,Example collection\n")
    publish_run(run, target)
    card, weights = load_model(target)
    assert (card.name, card.version, card.licence) == ("lungs", "1.2.3", "Apache-2.0")
    assert card.limits == ("small children", "masks of two readers")
    assert {key: card.training[key] for key in TRAINING} == TRAINING
    assert card.training["data"] == [
        {
            "collection": "Example collection",
            "doi": "10.1/x",
            "licence": "CC BY 3.0",
            "training_cases": 1,
            "validation_cases": 3,
            "test_cases": 0,
        }
    ]
    before = load_model(run[0])[1]
    assert all((weights[name] == before[name]).all() for name in before)


def test_the_model_card_has_a_row_for_every_case(run: tuple[Path, list[Case], Path], tmp_path: Path) -> None:
    publish_run(run, tmp_path / "out" / "lungs.safetensors")
    text = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert "| scan1 | 0.980 | - | - | 1.50 | 1.50 | 0.500 |" in text
    assert "| scan2 (doubtful reference) | 0.960 |" in text
    assert "| **mean of 2 volumes of 2 patients** | 0.970 |" in text
    assert "| **mean of 1 single slice of 1 patient** | 0.900 |" in text
    assert "## Figures on the validation cases" in text
    assert "begun as the mask of a network favours that network" in text.split("| case |")[0]
    assert "| not stated | 10.1/x | CC BY 3.0 | 1 | 3 |" in text
    assert "not for diagnostic use" in text
    assert "\n## Known failures and limits\n\n- small children\n- masks of two readers\n\n## Figures " in text
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "## Known failures and limits",
        "## Figures on the validation cases",
        "## Data",
        "## Settings of the last training",
    ]


def test_the_model_card_says_why_references_are_doubtful_and_what_the_mean_is_without_them(
    run: tuple[Path, list[Case], Path], tmp_path: Path
) -> None:
    mirrored, accepted = "The mask would fit the scan better flipped.", "accepted: seen. Only 40 % of it is aerated."
    change_report(run, "scan2", doubtful=mirrored)
    change_report(run, "slice1", accepted=accepted)
    told: list[str] = []
    publish(*run, tmp_path / "lungs.safetensors", Publication(**ABOUT, limits=limits_file(run[2])), tell=told.append)
    text = (tmp_path / "MODEL_CARD.md").read_text()
    assert "or that the check of pairs doubts" in text.split("| case |")[0]
    assert "| scan2 (doubtful reference) | 0.960 |" in text
    assert "| slice1 (accepted reference) | 0.900 |" in text
    assert f"\n\n- scan2: {mirrored}\n- slice1: {accepted}\n\n## Data" in text
    assert "The mean Dice of 2 volumes of 2 patients is 0.9700 (" in text
    assert "Without doubtful references that of 1 volume of 1 patient is 0.9800 (" in text
    assert "Without doubtful references that of 1 single slice" not in text
    assert "The card has your words on the references of scan2, slice1: see that they name nobody." in told


def test_the_model_card_tells_the_dice_of_right_and_left_lung_in_this_order(
    run: tuple[Path, list[Case], Path], tmp_path: Path
) -> None:
    path = run[2] / "cases.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    first = next(row for row in rows if (row["case"], row["method"]) == ("scan1", "network"))
    sides = [first | {"region": region, "dice": dice} for region, dice in (("left lung", 0.95), ("right lung", 0.99))]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, first)
        writer.writeheader()
        writer.writerows([*rows, *sides])
    publish_run(run, tmp_path / "lungs.safetensors")
    assert "| scan1 | 0.980 | 0.990 | 0.950 | 1.50 |" in (tmp_path / "MODEL_CARD.md").read_text()


@pytest.mark.parametrize(
    ("said", "count"),
    [({}, "0"), ({"choosing_scans": [["scan2"], ["other"]]}, "1 case")],
    ids=["none", "one that it came from"],
)
def test_the_model_card_says_that_judged_cases_chose_a_step(
    run: tuple[Path, list[Case], Path], tmp_path: Path, said: dict[str, object], count: str
) -> None:
    card, weights = load_model(run[0])
    save_model(run[0], weights, dataclasses.replace(card, training={**TRAINING, **said}))
    write_mark(run[2], file_digest(run[0]))
    published = publish_run(run, tmp_path / "lungs.safetensors")
    assert TrainingRecord.of(published).choosing_scans == TrainingRecord.of(read_card(run[0])).choosing_scans
    text = (tmp_path / "MODEL_CARD.md").read_text()
    assert ("trained on them. The Dice is optimistic: training with --patience chose" in text) == (count != "0")
    assert (f"by {count} among these. A *doubtful" in text) == (count != "0")


def test_cases_that_are_in_no_figure_are_named_but_for_those_trained_on(
    run: tuple[Path, list[Case], Path], tmp_path: Path
) -> None:
    path = run[2] / "cases.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], restval="")
        writer.writeheader()
        groups = {"scan1": "COVID-19", "scan2": "covid", "slice1": "normal"}
        writer.writerows(row | {"group": groups[row["case"]]} for row in rows)
        others = [("failed", "normal", ""), ("left out", "COVID-19", "doubtful"), ("failed", "COVID-19", "refused")]
        others.append(("left out", "COVID-19", "trained on"))
        for n, (status, group, cause) in enumerate(others):
            writer.writerow({"case": f"no{n}", "status": status, "group": group, "cause": cause})
    told: list[str] = []
    publish(*run, tmp_path / "lungs.safetensors", Publication(**ABOUT, limits=limits_file(run[2])), tell=told.append)
    names = (
        "no0 (normal, could not be evaluated), no1 (COVID-19, doubtful reference), no2 (COVID-19, refused reference)"
    )
    text = (
        f"Not evaluated: {names}. Excluded from all figures because the pair of scan and reference is doubtful or was "
        "refused: 2 of 5 COVID-19 cases. True pairs with dense disease may be among these, and then the figures "
        "describe less diseased lungs."
    )
    assert f"\n{text}\n" in (tmp_path / "MODEL_CARD.md").read_text()
    assert text in told


def test_a_mean_over_fewer_cases_says_over_how_many(run: tuple[Path, list[Case], Path], tmp_path: Path) -> None:
    change_report(run, "scan2", hd95_mm="")
    publish_run(run, tmp_path / "lungs.safetensors")
    text = (tmp_path / "MODEL_CARD.md").read_text()
    assert "| scan2 (doubtful reference) | 0.960 | - | - | - | 1.50 | 0.500 |" in text
    assert "| **mean of 2 volumes of 2 patients** | 0.970 | - | - | 1.50 (n = 1) | 1.50 | 0.500 |" in text


def test_reconstructions_of_one_patient_are_not_counted_as_patients_and_the_mean_has_its_interval(
    run: tuple[Path, list[Case], Path], tmp_path: Path
) -> None:
    with (run[2] / "cases.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    first = next(row for row in rows if (row["case"], row["method"]) == ("scan1", "network"))
    patients = {f"scan{n}": f"p{n // 2}" for n in range(10, 22)}
    with (run[2] / "cases.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, first)
        writer.writeheader()
        for name, patient in patients.items():
            writer.writerow(first | {"case": name, "patient": patient, "dice": 0.9 + int(name[4:]) / 1000})
    cases = [dataclasses.replace(run[1][0], name=name, patient=patient) for name, patient in patients.items()] + run[1]
    publish_run((run[0], cases, run[2]), tmp_path / "lungs.safetensors")
    text = (tmp_path / "MODEL_CARD.md").read_text()
    assert "| **mean of 12 volumes of 6 patients** | 0.915 |" in text
    told = r"\nThe mean Dice of 12 volumes of 6 patients is 0\.9155 \(95 % confidence interval 0\.91\d+ to 0\.9\d+"
    about = re.escape(SKEWED_NOTE)
    assert re.search(rf"{told}, too narrow with 6 patients, bootstrap over patients\)\. {about}\n\n## Data", text)
    assert "as a patient of its own" not in text
    nobodys = [dataclasses.replace(case, patient=case.name, patient_is_named=False) for case in cases]
    publish_run((run[0], nobodys, run[2]), tmp_path / "lungs.safetensors")
    assert "Each case counts as a patient of its own: " in (tmp_path / "MODEL_CARD.md").read_text()


@pytest.mark.parametrize(
    ("splits", "judged"),
    [
        (("test", "test", "test"), "test cases"),
        (("validation", "test", "test"), "validation and test cases"),
        (("train", "train", "train"), "judged cases"),
    ],
    ids=str,
)
def test_the_figures_are_headed_by_the_cases_that_the_report_judged(
    run: tuple[Path, list[Case], Path], tmp_path: Path, splits: tuple[str, ...], judged: str
) -> None:
    for case, split in zip(DICE, splits, strict=True):
        change_report(run, case, split=split)
    publish_run(run, tmp_path / "lungs.safetensors")
    assert f"\n## Figures on the {judged}\n" in (tmp_path / "MODEL_CARD.md").read_text()


def test_data_that_a_network_was_tested_on_are_named_as_such(
    run: tuple[Path, list[Case], Path], tmp_path: Path
) -> None:
    network, cases, report = run
    tests = [dataclasses.replace(cases[3], name=name, split="test", patient=name) for name in ("new", "not judged")]
    table = report / "cases.csv"
    table.write_text(table.read_text().replace("slice1,validation", "new,test"))
    (source,) = publish_run((network, [*cases, *tests], report), tmp_path / "lungs.safetensors").training["data"]
    assert (source["training_cases"], source["validation_cases"], source["test_cases"]) == (1, 3, 1)
    text = (tmp_path / "MODEL_CARD.md").read_text()
    assert "| licence | training cases | validation cases | test cases |" in text
    assert "| not stated | 10.1/x | CC BY 3.0 | 1 | 3 | 1 |" in text


def change_training(run: tuple[Path, list[Case], Path], **said: object) -> None:
    """Other entries in what the network's file says of its training."""
    card, weights = load_model(run[0])
    save_model(run[0], weights, dataclasses.replace(card, training={**card.training, **said}))
    write_mark(run[2], file_digest(run[0]))


def with_cts(cases: list[Case], folder: Path) -> list[Case]:
    """The cases with a file each for a CT, so that it has a digest."""
    folder.mkdir()
    for case in cases:
        (folder / case.name).write_text(f"{case.name} in {folder.name}")
    return [dataclasses.replace(case, ct=folder / case.name) for case in cases]


@pytest.mark.parametrize("used_for", ["training_cases", "validation_cases"])
def test_a_list_that_lacks_scans_of_the_run_is_refused(
    run: tuple[Path, list[Case], Path], tmp_path: Path, used_for: str
) -> None:
    network, cases, report = run
    change_training(run, **{"training_cases": [], used_for: ["scan3"]})
    with pytest.raises(InputError, match=r"lacks scans that the network was trained or validated on \(scan3\)"):
        publish_run((network, cases[:3], report), tmp_path / "lungs.safetensors")
    assert not (tmp_path / "lungs.safetensors").exists()
    publish_run(run, tmp_path / "lungs.safetensors")


def test_a_scan_of_the_run_is_not_taken_for_that_of_an_earlier_network_with_the_same_name(
    run: tuple[Path, list[Case], Path], tmp_path: Path
) -> None:
    network, cases, report = run
    ours, theirs = with_cts(cases, tmp_path / "ours"), with_cts(cases, tmp_path / "theirs")
    seen = ScanSet(frozenset(ScanMarks().of(case) for case in (ours[3], dataclasses.replace(theirs[3], patient="x"))))
    earlier = {"collection": "Earlier", "doi": "10.2/y", "licence": "CC BY", "training_cases": 1}
    change_training(run, seen_scans=seen.as_json(), start_network_cases=["scan3"], start_network_data=[earlier])
    (source,) = publish_run((network, ours, report), tmp_path / "lungs.safetensors").training["data"]
    assert (source["training_cases"], source["validation_cases"]) == (1, 3)
    assert "are not stated" not in (tmp_path / "MODEL_CARD.md").read_text()


def test_a_ct_that_was_converted_since_the_run_is_that_of_the_patient_with_its_name(
    run: tuple[Path, list[Case], Path], tmp_path: Path
) -> None:
    network, cases, report = run
    before, now = with_cts(cases, tmp_path / "before"), with_cts(cases, tmp_path / "now")
    scans = {"seen_scans": before[3:], "validation_scans": before[:3]}
    change_training(
        run, **{key: ScanSet(frozenset(map(ScanMarks().of, some))).as_json() for key, some in scans.items()}
    )
    (source,) = publish_run((network, now, report), tmp_path / "lungs.safetensors").training["data"]
    assert (source["training_cases"], source["validation_cases"]) == (1, 3)


def test_a_network_that_is_published_again_with_other_cases_keeps_its_data(
    run: tuple[Path, list[Case], Path], tmp_path: Path
) -> None:
    network, cases, report = run
    tests = [dataclasses.replace(case, name=f"new {case.name}", doi="10.3/z", patient="") for case in cases[:3]]
    table = (report / "cases.csv").read_text()
    (report / "cases.csv").write_text(re.sub("^(?=scan|slice)", "new ", table, flags=re.MULTILINE))
    change_training(run, data=[{"collection": "", "doi": "10.1/x", "licence": "CC BY"} | USED])
    own, new = publish_run((network, tests, report), tmp_path / "lungs.safetensors").training["data"]
    assert own == {"collection": "", "doi": "10.1/x", "licence": "CC BY", "training_cases": 1, "validation_cases": 3}
    assert (new["doi"], new["training_cases"], new["test_cases"]) == ("10.3/z", 0, 3)
    assert "| not stated | 10.1/x | CC BY | 1 | 3 | 0 |" in (tmp_path / "MODEL_CARD.md").read_text()
    # With its own list, that list alone says where its scans come from.
    rows = [*cases, *tests]
    own, new = publish_run((network, rows, report), tmp_path / "lungs.safetensors").training["data"]
    assert (own["licence"], own["training_cases"], own["test_cases"]) == ("CC BY 3.0", 1, 0)


@pytest.mark.parametrize(("known", "count"), [(0, "2 scans"), (1, "1 scan"), (2, "")])
def test_scans_of_earlier_networks_that_nobody_names_are_told_and_said_in_the_card(
    run: tuple[Path, list[Case], Path], tmp_path: Path, known: int, count: str
) -> None:
    seen = ScanSet.by_names(["scan3", "theirs 1", "theirs 2"]).as_json()
    earlier = [{"collection": "Earlier", "doi": "10.2/y", "licence": "CC BY", "training_cases": known}] if known else []
    change_training(run, seen_scans=seen, start_network_data=earlier)
    told: list[str] = []
    publish(*run, tmp_path / "lungs.safetensors", Publication(**ABOUT, limits=limits_file(run[2])), tell=told.append)
    text = f"\nOrigin and licence of {count} that the network was trained on are not stated: "
    assert (text in (tmp_path / "MODEL_CARD.md").read_text()) == bool(count)
    assert any("Give a list that has them" in one for one in told) == bool(count)


def test_what_is_not_known_of_the_data_is_told_and_said_in_the_card(
    run: tuple[Path, list[Case], Path], tmp_path: Path
) -> None:
    network, cases, report = run
    own = [dataclasses.replace(case, doi="", licence="") for case in cases]
    limits, told = limits_file(report), []
    publish(network, own, report, tmp_path / "lungs.safetensors", Publication(**ABOUT, limits=limits), tell=told.append)
    assert "| not stated | not stated | not stated | 1 | 3 |" in (tmp_path / "MODEL_CARD.md").read_text()
    assert any(text.startswith("The card does not state the collection and licence of all data; fill") for text in told)
    (tmp_path / "collections.csv").write_text("doi,collection\n,CTs of our hospital\n")
    own = [dataclasses.replace(case, licence="not to be handed on") for case in own]
    told.clear()
    publish(network, own, report, tmp_path / "lungs.safetensors", Publication(**ABOUT, limits=limits), tell=told.append)
    row = "| CTs of our hospital | not stated | not to be handed on | 1 | 3 |"
    assert row in (tmp_path / "MODEL_CARD.md").read_text()
    assert not any("does not state" in text for text in told)


def test_a_scan_that_is_listed_twice_counts_once(run: tuple[Path, list[Case], Path], tmp_path: Path) -> None:
    network, cases, report = run
    twins = [dataclasses.replace(case, ct=tmp_path / f"{case.name}.nii") for case in cases]
    for case in twins:
        case.ct.write_text(case.name)
    twins += [dataclasses.replace(twins[3], name="twin of scan3", doi="10.2/y")]
    card, weights = load_model(network)
    training = TRAINING | {"seen_scans": ScanSet(frozenset([ScanMarks().of(twins[3])])).as_json()}
    save_model(network, weights, dataclasses.replace(card, training=training))
    write_mark(report, file_digest(network))
    (source,) = publish_run((network, twins, report), tmp_path / "lungs.safetensors").training["data"]
    assert (source["training_cases"], source["validation_cases"]) == (1, 3)


def test_a_bar_in_a_name_moves_no_column_of_the_card(run: tuple[Path, list[Case], Path], tmp_path: Path) -> None:
    network, cases, report = run
    table = report / "cases.csv"
    table.write_text(table.read_text().replace("scan1", "a|b"))
    cases = [dataclasses.replace(cases[0], name="a|b", licence="CC|BY"), *cases]
    publish_run((network, cases, report), tmp_path / "lungs.safetensors")
    rows = [line for line in (tmp_path / "MODEL_CARD.md").read_text().splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {7, 8}
    assert any(row.startswith("| a&#124;b |") for row in rows)


@pytest.mark.parametrize("written", ["https://doi.org/10.1/x", "http://dx.doi.org/10.1/x", "doi:10.1/x"])
def test_a_doi_given_as_an_address_is_that_doi(
    run: tuple[Path, list[Case], Path], tmp_path: Path, written: str
) -> None:
    network, cases, report = run
    cases = [dataclasses.replace(cases[0], doi=written), *cases[1:]]
    (tmp_path / "collections.csv").write_text(f"doi,collection\n{written},Example collection\n")
    (source,) = publish_run((network, cases, report), tmp_path / "lungs.safetensors").training["data"]
    assert (source["doi"], source["collection"]) == ("10.1/x", "Example collection")


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
    write_mark(run[2], file_digest(run[0]))
    publish_run(run, tmp_path / "out" / "lungs.safetensors")
    text = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert ("| Earlier | 10.2/y | CC BY 3.0 | 5 | 1 |" in text) == (doi == "10.2/y")
    assert ("that training began with" in text) == (doi == "10.2/y")


def test_the_model_card_names_each_collection_of_the_network_that_training_began_with_once(
    run: tuple[Path, list[Case], Path], tmp_path: Path
) -> None:
    source = {"collection": "Earlier", "doi": "10.2/y", "licence": "CC BY 3.0", "training_cases": 5}
    begun = TrainingRecord(start_network_data=[source], data=[source | {"validation_cases": 1}])
    card, weights = load_model(run[0])
    training = {**TRAINING, "start_network_data": begun.sources}
    save_model(run[0], weights, dataclasses.replace(card, training=training))
    write_mark(run[2], file_digest(run[0]))
    publish_run(run, tmp_path / "lungs.safetensors")
    text = (tmp_path / "MODEL_CARD.md").read_text()
    assert [line for line in text.splitlines() if "Earlier" in line] == ["| Earlier | 10.2/y | CC BY 3.0 | 5 | 1 |"]


def test_the_model_card_says_by_what_optimiser_the_network_was_trained(
    run: tuple[Path, list[Case], Path], tmp_path: Path
) -> None:
    texts = []
    for settings in (RECOMMENDED, PAPER):
        change_training(run, settings=settings.as_json())
        publish_run(run, tmp_path / "lungs.safetensors")
        texts.append((tmp_path / "MODEL_CARD.md").read_text())
    cycle, constant = texts
    assert [text.count("\n- optimiser:") for text in texts] == [1, 1]
    assert (
        "\n- optimiser: Muon for the kernels of the residual blocks, without weight decay; for the rest Adam, beta2 "
        "0.999, weight decay (coupled L2) 1.587e-06; one cycle along cosines: in the first 15 % of the steps the "
        "learning rate goes from 0.0006 to 0.015 and beta1 and Muon's momentum from 0.95 to 0.85, then the learning "
        "rate to 6e-08 and beta1 and Muon's momentum to 0.95\n"
    ) in cycle
    assert (
        "\n- optimiser: Adam, beta1 0.9, beta2 0.999, weight decay (coupled L2) 1.587e-06, constant learning rate "
        "0.02\n"
    ) in constant


def test_a_network_whose_training_has_not_finished_is_not_published(
    run: tuple[Path, list[Case], Path], tmp_path: Path
) -> None:
    network = run[0]
    card, weights = load_model(network)
    save_model(network, weights, dataclasses.replace(card, training=card.training | {"finished": False}))
    with pytest.raises(InputError, match="has not finished"):
        publish_run(run, tmp_path / "lungs.safetensors")
    assert not (tmp_path / "lungs.safetensors").exists()


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
        write_mark(report, judged)
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
    names.write_text("doi;collection\n10.1/x;Collection Y\n10.2/y\n", encoding="utf-8-sig")
    card = publish_run(run, tmp_path / "out" / "second.safetensors")
    assert {source["collection"] for source in card.training["data"]} == {"Collection Y"}
    names.write_text("doi,collection\n10.1/x\n", encoding="utf-8")
    card = publish_run(run, tmp_path / "out" / "third.safetensors")
    assert {source["collection"] for source in card.training["data"]} == {""}
    names.write_text("DOI;name\n", encoding="utf-8")
    with pytest.raises(InputError, match="needs the columns doi and collection"):
        publish_run(run, tmp_path / "out" / "other.safetensors")


def test_a_section_of_ones_own_goes_into_the_card(run: tuple[Path, list[Case], Path], tmp_path: Path) -> None:
    network, cases, report = run
    section = tmp_path / "ablation.md"
    section.write_text("## What each part contributes\n\n| a | b |\n", encoding="utf-8")
    publication = Publication(**ABOUT, limits=limits_file(tmp_path), section=section)
    publish(network, cases, report, tmp_path / "own" / "lungs.safetensors", publication)
    text = (tmp_path / "own" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "\n## What each part contributes\n\n| a | b |\n\n## Settings of the last training\n" in text
    missing = dataclasses.replace(publication, section=tmp_path / "missing.md")
    with pytest.raises(InputError, match=r"missing\.md cannot be read"):
        publish(network, cases, report, tmp_path / "none.safetensors", missing)
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
        record = ScanSet(frozenset([ScanMarks().of(case) for case in seen] + [ScanMark("b", "0123456789abcdef")]))
        save_model(network, weights, dataclasses.replace(card, training=TRAINING | {"seen_scans": record.as_json()}))
        write_mark(run[2], file_digest(network))
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
    record = ScanSet(frozenset([ScanMarks().of(dataclasses.replace(named[3], name="old", patient="old"))]))
    training = TRAINING | {"seen_scans": record.as_json(), "training_cases": ["old"]}
    save_model(network, weights, dataclasses.replace(card, training=training))
    write_mark(report, file_digest(network))
    (source,) = publish_run((network, named, report), tmp_path / "lungs.safetensors").training["data"]
    assert (source["training_cases"], source["validation_cases"]) == (1, 3)


def test_a_report_of_cases_that_are_not_listed_is_refused(run: tuple[Path, list[Case], Path], tmp_path: Path) -> None:
    network, cases, report = run
    with pytest.raises(InputError, match=r"cases that the data set does not have \(scan1\)"):
        publish_run((network, cases[1:], report), tmp_path / "lungs.safetensors")


def test_cases_without_lung_are_in_no_figure(run: tuple[Path, list[Case], Path], tmp_path: Path) -> None:
    change_report(run, "scan2", reference_ml="0", dice="")
    card = publish_run(run, tmp_path / "lungs.safetensors")
    assert card.figures["volumes: worst dice"] == pytest.approx(0.98)
    assert "scan2" not in (tmp_path / "MODEL_CARD.md").read_text()

"""A network is handed on without the names of its cases, and still recognises their scans."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from network_files import seen_network, write_network
from synthetic_thorax import Thorax
from training_cases import write_case

from LungSegResNetLib.digests import file_digest
from LungSegResNetLib.errors import OutputExistsError
from LungSegResNetLib.network.model_file import load_model, read_card, save_model
from LungSegResNetLib.tables import read_rows, write_rows
from LungSegResNetTrainingLib.command_line.main import main
from LungSegResNetTrainingLib.data.cases import Case
from LungSegResNetTrainingLib.data.scan_marks import ScanMarks, ScanSet
from LungSegResNetTrainingLib.evaluation.report_folder import EvaluationId
from LungSegResNetTrainingLib.training.training_record import TrainingRecord

_NAMES = ("MUELLER_1950", "SCHMIDT", "MEIER")
_FIGURES = ("dice", "surface_dice_2mm", "hd95_mm", "mean_surface_distance_mm")


@pytest.fixture
def published(tmp_path: Path) -> tuple[list[str], list[Case]]:
    """The command that publishes a network, trained on one case, that another has judged and a third has not."""
    cases = [write_case(tmp_path, name, (6.0, 6.0, 20.0), thorax=Thorax(noise=n)) for n, name in enumerate(_NAMES, 5)]
    network = write_network(tmp_path / "network.safetensors", seen_network())
    card, weights = load_model(network)
    card.training.update(
        training_cases=[_NAMES[0]],
        validation_cases=[_NAMES[1]],
        seen_scans=[*ScanSet(frozenset({ScanMarks().of(cases[0])})).as_json(), ["public_7", "", ""]],
        validation_scans=ScanSet(frozenset({ScanMarks().of(cases[1])})).as_json(),
        start_network_cases=["public_7"],
    )
    save_model(network, weights, card)
    report = tmp_path / "report"
    report.mkdir()
    mark = EvaluationId(file_digest(network)).as_json()
    (report / "evaluation.json").write_text(json.dumps(mark), encoding="utf-8")
    about = {"split": "validation", "doubtful": "", "accepted": "", "slices": 9, "method": "network", "region": "lungs"}
    about |= {"status": "judged", "patient": _NAMES[1], "group": "", "fold": "", "cause": ""}
    judged = {"case": _NAMES[1], **about, "reference_ml": 9.0, **dict.fromkeys(_FIGURES, 0.5)}
    left_out = {"case": _NAMES[2], "status": "left out", "cause": "doubtful"}
    write_rows(report / "cases.csv", [judged, left_out], overwrite=False)
    rows = [f"{case.name},{case.ct},{case.mask}" for case in cases]
    (tmp_path / "list.csv").write_text("\n".join(["case,ct,mask", *rows]), encoding="utf-8")
    (tmp_path / "limits.txt").write_text("a phantom", encoding="utf-8")
    command = ["publish", str(network), str(tmp_path / "list.csv"), "--report", str(report)]
    command += ["--out", str(tmp_path / "out" / "own.safetensors"), "--limits", str(tmp_path / "limits.txt")]
    return [*command, "--name", "own", "--version", "2"], cases


def test_names_that_go_out_are_told_with_the_way_to_avoid_it(
    published: tuple[list[str], list[Case]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(published[0]) == 0
    told = capsys.readouterr().out
    assert "hold the names of these cases: MEIER, MUELLER_1950, SCHMIDT; of the network that its training began" in told
    assert "began with: public_7. Where they tell who a patient is, give --numbered" in told


def test_numbers_stand_for_names_in_network_and_card_and_the_key_stays_with_the_report(
    published: tuple[list[str], list[Case]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, cases = published
    assert main([*command, "--numbered"]) == 0
    told = capsys.readouterr().out
    assert "3 names of cases are numbers" in told
    assert "Without a digest of their CT these stay: public_7." in told
    out = tmp_path / "out"
    assert sorted(path.name for path in out.iterdir()) == ["MODEL_CARD.md", "own.safetensors"]
    for path in out.iterdir():
        assert not [name for name in _NAMES if name.encode() in path.read_bytes()], path.name
    key = {row["case"]: row["number"] for row in read_rows(tmp_path / "report" / "own-case_numbers.csv")}
    assert set(key) == set(_NAMES)
    assert sorted(key.values()) == ["own-2-1", "own-2-2", "own-2-3"]
    card = (out / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert f"| {key['SCHMIDT']} | 0.500 |" in card
    assert f"Not evaluated: {key['MEIER']} (doubtful reference)." in card
    record = read_card(out / "own.safetensors")
    assert record.training["training_cases"] == [key["MUELLER_1950"]]
    training, marks = TrainingRecord.of(record), ScanMarks()
    assert [training.seen_scans.holds_case(case, marks) for case in cases] == [True, False, False]
    assert [training.validation_scans.holds_case(case, marks) for case in cases] == [False, True, False]
    assert "public_7" in training.seen_scans.names


def test_a_list_of_numbers_is_not_replaced_unasked(published: tuple[list[str], list[Case]], tmp_path: Path) -> None:
    key = tmp_path / "report" / "own-case_numbers.csv"
    key.write_text("mine", encoding="utf-8")
    assert main([*published[0], "--numbered"]) == OutputExistsError.exit_code
    assert key.read_text(encoding="utf-8") == "mine"
    assert main([*published[0], "--numbered", "--overwrite"]) == 0

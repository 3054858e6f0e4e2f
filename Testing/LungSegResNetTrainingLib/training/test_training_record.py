"""What a network's file says of its training, also a file of another version or program."""

from __future__ import annotations

from dataclasses import replace

from LungSegResNetLib.network.model_file import ModelCard, default_model_path, read_card
from LungSegResNetTrainingLib.data.scan_marks import NOTHING_SEEN, ScanMark, ScanSet
from LungSegResNetTrainingLib.training.settings import RECOMMENDED
from LungSegResNetTrainingLib.training.training_record import TrainingRecord, merged_sources


def card(training: dict[str, object]) -> ModelCard:
    return ModelCard({}, training=training)


def test_a_record_comes_back_from_a_card() -> None:
    record = TrainingRecord(
        settings=RECOMMENDED.as_json(),
        training_cases=["a"],
        validation_cases=["v"],
        seen_scans=ScanSet(frozenset([ScanMark("a", "1" * 16, "2" * 16), ScanMark("before", "3" * 16)])),
        validation_scans=ScanSet.by_names("v"),
        choosing_scans=ScanSet.by_names(["v", "earlier"]),
        start_network_cases=["before"],
        start_network_data=[{"doi": "10.1/a"}],
        patience=4,
        steps_done=40,
        finished=False,
        data=[{"doi": "10.1/b"}],
    )
    assert TrainingRecord.of(card(record.as_json())) == record
    assert [row["doi"] for row in record.sources] == ["10.1/a", "10.1/b"]


def test_collections_of_one_doi_and_licence_are_one_with_the_larger_numbers() -> None:
    def row(doi: str, licence: str, **numbers: int) -> dict[str, object]:
        return {"collection": "A", "doi": doi, "licence": licence, **numbers}

    begun = [row("10.1/a", "CC BY", training_cases=5, validation_cases=1), row("10.1/b", "CC BY", training_cases=1)]
    own = [
        row("https://doi.org/10.1/a", "CC BY", training_cases=3, validation_cases=2, test_cases=1),
        row("10.1/a", "CC0", training_cases=2),
    ]
    merged = [
        row("10.1/a", "CC BY", training_cases=5, validation_cases=2, test_cases=1),
        row("10.1/b", "CC BY", training_cases=1),
        row("10.1/a", "CC0", training_cases=2),
    ]
    assert TrainingRecord(start_network_data=begun, data=own).sources == merged
    assert merged_sources(merged) == merged


def test_what_the_shipped_network_was_made_with_is_named_once() -> None:
    sources = TrainingRecord.of(read_card(default_model_path())).sources
    assert len({row["doi"] for row in sources}) == len(sources)


def test_entries_of_a_later_version_are_kept() -> None:
    record = TrainingRecord.of(card({"steps_done": 3, "of_tomorrow": {"n": 1}}))
    changed = replace(record, finished=True).as_json()
    assert (changed["steps_done"], changed["finished"], changed["of_tomorrow"]) == (3, True, {"n": 1})


def test_a_file_that_names_its_cases_only_says_the_same_when_it_is_written_again() -> None:
    names = {"training_cases": ["b", "a"], "start_network_cases": ["c"], "validation_cases": ["v"]}
    old = TrainingRecord.of(card(names))
    assert old.seen_scans == ScanSet.by_names("abc")
    assert old.validation_scans == ScanSet.by_names("v")
    assert TrainingRecord.of(card(old.as_json())) == old
    assert TrainingRecord.of(card({})) == TrainingRecord()


def test_no_scan_chose_a_step_of_the_shipped_network() -> None:
    shipped = TrainingRecord.of(read_card(default_model_path()))
    assert set(shipped.start_network_cases) <= set(shipped.seen_scans.names)
    assert shipped.choosing_scans == NOTHING_SEEN

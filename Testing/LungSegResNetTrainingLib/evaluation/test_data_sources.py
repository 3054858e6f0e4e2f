"""Scans whose origin nobody states are counted, whatever part of the other ones a list has."""

from __future__ import annotations

from pathlib import Path

import pytest

from LungSegResNetTrainingLib.data.cases import Case
from LungSegResNetTrainingLib.data.scan_marks import ScanMarks, ScanSet
from LungSegResNetTrainingLib.evaluation.data_sources import data_sources
from LungSegResNetTrainingLib.training.training_record import TrainingRecord

OWN, PUBLISHED, UNKNOWN = ([f"{name}{n}" for n in range(count)] for name, count in (("own", 3), ("a", 8), ("b", 5)))


def case_of(name: str, doi: str) -> Case:
    return Case(name, Path(f"{name}_ct"), Path(f"{name}_mask"), "train", patient=name, doi=doi, licence="CC BY 4.0")


@pytest.mark.parametrize("listed", [0, 4, 8])
def test_scans_of_an_earlier_network_that_a_list_has_do_not_hide_those_that_nobody_names(listed: int) -> None:
    start = {"collection": "A", "doi": "10.1/a", "licence": "CC BY 4.0", "training_cases": 8, "validation_cases": 0}
    record = TrainingRecord(
        training_cases=OWN, seen_scans=ScanSet.by_names(OWN + PUBLISHED + UNKNOWN), start_network_data=[start]
    )
    cases = [case_of(name, "10.1/own") for name in OWN] + [case_of(name, "10.1/a") for name in PUBLISHED[:listed]]
    _, told = data_sources(cases, record, {}, set(), ScanMarks())
    assert told.startswith("Origin and licence of 5 scans that the network was trained on are not stated")

"""Which cases of a data set a run has: one that fails is left out, but not for want of memory or room."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic_thorax import Thorax
from training_cases import write_case, write_huge_ct

from LungSegResNetLib.errors import DeviceError, OutputError
from LungSegResNetTrainingLib.training.run_cases import prepare_cases

_SHAPE = (32, 40)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for noise, name in enumerate("ab", start=5):
        write_case(tmp_path / "data", name, (6.0, 6.0, 20.0), thorax=Thorax(noise=float(noise)))
    return tmp_path / "data"


def test_a_broken_case_is_left_out_with_its_reason(data: Path, tmp_path: Path) -> None:
    (data / "b_ct.nii").write_bytes(b"cut off")
    cases = prepare_cases(data, tmp_path / "cache", _SHAPE)
    assert [case.name for case in cases.cases] == ["a"]
    assert [(item.name, item.verdict.status) for item in cases.left_out] == [("b", "refused")]


def test_a_scan_too_large_for_the_memory_is_not_left_out_of_the_run(data: Path, tmp_path: Path) -> None:
    (data / "b_ct.nii").unlink()
    write_huge_ct(data / "b_ct.nrrd")
    with pytest.raises(DeviceError, match="not enough memory to read case b"):
        prepare_cases(data, tmp_path / "cache", _SHAPE)


def test_a_cache_that_cannot_be_written_ends_the_run(data: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(OutputError):
        prepare_cases(data, tmp_path / "cache", _SHAPE)

"""A case whose graphics processor fails while it is segmented."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from archives import write_archive
from dicom_files import write_series
from synthetic_thorax import Thorax

from LungSegResNetLib.errors import DeviceError, OutputError, UsageError
from LungSegResNetLib.jobs.case_job import Outputs, run_case
from LungSegResNetLib.jobs.reporting import QuietReporter
from LungSegResNetLib.lungs.prediction import Predictor
from LungSegResNetLib.network.engines import EngineSettings, LoadedEngine, load_engine


class FullCard:
    """A predictor whose card has no memory left after the first slices."""

    engine, precision, batch_size = "torch", "float16", 64

    def __init__(self) -> None:
        self.card = load_engine(EngineSettings(device="cpu")).predictor.card

    def for_scan(self, slices: int) -> Predictor:
        return self

    def predict(self, slices: np.ndarray, on_slices_done: Callable[[int], None]) -> np.ndarray:
        on_slices_done(1)
        raise DeviceError("The cuda device has too little free memory for a single slice.")


class Warnings(QuietReporter):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def warning(self, text: str) -> None:
        self.texts.append(text)


def test_the_processor_does_what_a_full_graphics_card_cannot_and_says_so(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "in", "a") / "a.nii.gz"
    processor = EngineSettings(device="cpu")
    engine = LoadedEngine(FullCard(), "cuda", "PyTorch on cuda", lambda: load_engine(processor))
    reporter = Warnings()
    summary = run_case(source, Outputs.at(tmp_path / "card.nii.gz"), lambda: engine, reporter)
    assert (summary.device, summary.engine) == ("cpu", "openvino")
    assert summary.warnings == reporter.texts
    (about_the_card,) = [text for text in summary.warnings if "too little free memory" in text]
    assert "on the processor instead" in about_the_card
    run_case(source, Outputs.at(tmp_path / "processor.nii.gz"), lambda: load_engine(processor), reporter)
    assert (tmp_path / "card.nii.gz").read_bytes() == (tmp_path / "processor.nii.gz").read_bytes()


def test_a_processor_without_memory_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "in", "a") / "a.nii.gz"
    with pytest.raises(DeviceError, match="too little free memory"):
        run_case(
            source, Outputs.at(tmp_path / "lungs.nii.gz"), lambda: LoadedEngine(FullCard(), "cpu", ""), QuietReporter()
        )
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_the_ct_is_never_replaced_by_its_mask(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "in", "a") / "a.nii.gz"
    before = source.read_bytes()
    same = tmp_path / "in" / ".." / "in" / "a.nii.gz"
    with pytest.raises(UsageError, match="is the CT itself"):
        run_case(source, Outputs.at(same), pytest.fail, QuietReporter(), overwrite=True)
    assert source.read_bytes() == before


@pytest.mark.parametrize(
    ("outputs", "part"),
    [
        (Outputs(masks=(Path("q.nii.gz"),), overlay=Path("q.nii.gz")), "written as .png"),
        (Outputs(masks=(Path("q.nrrd"), Path("in/../q.nrrd"))), "Two results"),
        (Outputs(measurements=(Path("m.csv"), Path("m.json"), Path("m.csv"))), "Two results"),
    ],
)
def test_no_result_replaces_another_of_the_same_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outputs: Outputs, part: str
) -> None:
    write_archive(tmp_path / "in", "a")
    monkeypatch.chdir(tmp_path)
    for path in outputs.paths():
        path.write_text("of yesterday")
    with pytest.raises(UsageError, match=part):
        run_case(tmp_path / "in" / "a.nii.gz", outputs, pytest.fail, QuietReporter(), overwrite=True)
    assert {path.read_text() for path in outputs.paths()} == {"of yesterday"}


def test_names_that_differ_by_capital_letters_are_one_file_where_the_system_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = Outputs(masks=(tmp_path / "lungs.nrrd", tmp_path / "Lungs.nrrd"))
    for platform, refused in (("linux", False), ("win32", True)):
        monkeypatch.setattr(sys, "platform", platform)
        with pytest.raises(UsageError, match="Two results") if refused else contextlib.nullcontext():
            twice.check(tmp_path / "ct.nrrd", overwrite=False)


def test_a_link_to_the_ct_is_the_ct(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "in", "a") / "a.nii.gz"
    (tmp_path / "lungs.nii.gz").hardlink_to(source)
    with pytest.raises(UsageError, match="is the CT itself"):
        Outputs.at(tmp_path / "lungs.nii.gz").check(source, overwrite=True)


def test_a_name_that_is_too_long_is_an_output_error(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "in", "a") / "a.nii.gz"
    with pytest.raises(OutputError, match="could not be written"):
        run_case(source, Outputs.at(tmp_path / f"{'m' * 300}.nii.gz"), pytest.fail, QuietReporter())


def test_no_file_beside_the_slices_of_the_ct_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    slices = write_series(folder / "deep", Thorax().scan((8.0, 8.0, 60.0))[0])
    slices[0].rename(slices[0].with_suffix(".nrrd"))
    (folder / "lungs.csv").write_text("of yesterday")
    (folder / "results").mkdir()
    (folder / "results" / "lungs.csv").write_text("of yesterday")
    for name in ("lungs.csv", "deep/IM0000.nrrd"):
        outputs = Outputs(measurements=(folder / name,)) if name.endswith("csv") else Outputs(masks=(folder / name,))
        with pytest.raises(UsageError, match="among the files of the CT"):
            outputs.check(folder, overwrite=True)
    Outputs(masks=(folder / "new.nrrd",), measurements=(folder / "results" / "lungs.csv",)).check(folder, True)

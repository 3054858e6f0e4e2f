"""A case that fails or is stopped while it is segmented or written."""

from __future__ import annotations

from pathlib import Path

import pytest
import SimpleITK as sitk
from archives import write_archive
from predictors import Fixed, FullCard
from synthetic_thorax import Thorax

from LungSegResNetLib.errors import DeviceError
from LungSegResNetLib.jobs.case_job import run_case
from LungSegResNetLib.jobs.mask_options import MaskOptions
from LungSegResNetLib.jobs.outputs import Outputs
from LungSegResNetLib.jobs.reporting import NullReporter
from LungSegResNetLib.labels import LEFT_LUNG
from LungSegResNetLib.network.engines import EngineSettings, LoadedEngine, load_engine

SMOOTHED = MaskOptions(smoothing_mm=8.0)


class Warnings(NullReporter):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def warning(self, text: str, case: str = "") -> None:
        self.texts.append(text)


def test_the_processor_does_what_a_full_graphics_card_cannot_and_says_so(tmp_path: Path, quick_network: Path) -> None:
    source = write_archive(tmp_path / "in", "a") / "a.nii.gz"
    processor = EngineSettings(device="cpu", model=quick_network)
    engine = LoadedEngine(FullCard(), "cuda", "PyTorch on cuda", lambda: load_engine(processor))
    reporter = Warnings()
    summary = run_case(source, Outputs.at(tmp_path / "card.nii.gz"), SMOOTHED, lambda: engine, reporter)
    assert (summary["device"], summary["engine"]) == ("cpu", "openvino")
    assert summary["warnings"] == reporter.texts
    (about_the_card,) = [text for text in summary["warnings"] if "too little free memory" in text]
    assert "on the CPU instead" in about_the_card
    outputs = Outputs.at(tmp_path / "processor.nii.gz")
    run_case(source, outputs, SMOOTHED, lambda: load_engine(processor), reporter)
    assert (tmp_path / "card.nii.gz").read_bytes() == (tmp_path / "processor.nii.gz").read_bytes()


def test_a_processor_without_memory_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "in", "a") / "a.nii.gz"
    with pytest.raises(DeviceError, match="too little free memory"):
        run_case(
            source,
            Outputs.at(tmp_path / "lungs.nii.gz"),
            MaskOptions(),
            lambda: LoadedEngine(FullCard(), "cpu", ""),
            NullReporter(),
        )
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("step", ["measure_lungs", "save_png"])
def test_a_case_stopped_while_its_files_are_written_leaves_none(
    tmp_path: Path, quick_network: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    source = write_archive(tmp_path / "in", "a") / "a.nii.gz"
    engine = load_engine(EngineSettings(device="cpu", model=quick_network))

    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"LungSegResNetLib.jobs.case_job.{step}", stop)
    with pytest.raises(KeyboardInterrupt):
        run_case(source, Outputs.at(tmp_path / "out"), MaskOptions(), lambda: engine, NullReporter())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [source]


def test_a_slice_to_check_points_to_the_place_in_the_patient_that_is_wrong(tmp_path: Path, quick_network: Path) -> None:
    image, truth = Thorax().scan((2.5, 3.0, 12.0), (400.0, 300.0, 132.0))
    hu = sitk.GetArrayFromImage(image)
    hu[6, :, 85:] = 40  # a bar of metal hides the left lung
    spoiled = sitk.GetImageFromArray(hu)
    spoiled.CopyInformation(image)
    sitk.WriteImage(spoiled, str(tmp_path / "spoiled.nrrd"))
    outputs = Outputs.at(tmp_path / "lungs.nrrd")
    summary = run_case(
        tmp_path / "spoiled.nrrd",
        outputs,
        MaskOptions(),
        lambda: load_engine(EngineSettings(device="cpu", model=quick_network)),
        NullReporter(),
    )
    first = summary["slices_to_check"][0]
    assert first["slice"] == 6 + 1
    x, y, z = truth.TransformPhysicalPointToIndex(first["point_lps_mm"])
    assert z == 6
    assert truth[x, y, z] == LEFT_LUNG


def test_what_reading_a_scan_tells_is_told_to_the_user_and_kept(tmp_path: Path) -> None:
    image, _ = Thorax().scan((4.0, 4.0, 20.0), (400.0, 300.0, 60.0))
    image[5, 5, 1] = 20000
    sitk.WriteImage(image, str(tmp_path / "metal.nrrd"))
    reporter = Warnings()
    outputs, engine = Outputs.at(tmp_path / "lungs.nrrd"), LoadedEngine(Fixed(), "cpu", "")
    summary = run_case(tmp_path / "metal.nrrd", outputs, MaskOptions(), lambda: engine, reporter)
    assert "20000" in reporter.texts[0]
    assert summary["warnings"] == reporter.texts

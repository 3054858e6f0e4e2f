"""What the panels do before the packages of a run are installed: in a Python that has only what Slicer brings."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

_PATHS = [str(Path(__file__).resolve().parents[2] / name) for name in ("LungSegResNet", "LungSegResNetTraining")]
_TESTING = str(Path(__file__).resolve().parents[1])
_ONLY_SLICER = f"""
import sys

class Missing:
    names = "skimage torch openvino safetensors highdicom matplotlib tensorboard pandas tqdm".split()

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
sys.path[:0] = {[_TESTING, *_PATHS]}
"""
_PANELS = """
import slicer_host
from pathlib import Path

host = slicer_host.start()
import slicer
panel, training = host.openModule("LungSegResNet"), host.openModule("LungSegResNetTraining")
from LungSegResNetWidgets import lung_segments
from LungSegResNetWidgets.drawn_thorax import makeThorax

folder = Path(sys.argv[1])
volume, drawn = makeThorax()
segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Lungs")
lung_segments.placeWithVolume(segmentation, volume)
lung_segments.writeLungs(segmentation, volume, drawn)
panel.logic.getParameterNode().outputSegmentation = segmentation
panel.resultPanel.onMeasure()
host.wait(lambda: panel.ui.measurementsLabel.text != "Measuring...")
assert panel.ui.measurementsTable.rowCount > 0

parameters = training.logic.getParameterNode()
parameters.caseVolume, parameters.caseSegmentation = volume, segmentation
parameters.dataSet, parameters.runFolder = str(folder / "data"), str(folder / "run")
training.dataPanel.onAddCase()
host.wait(lambda: not training.ui.dataStatusLabel.text.startswith("Writing "))
assert "is a case of the data set now" in training.ui.dataStatusLabel.text
assert training.ui.table1.item(0, 0).text() == "Dice"
assert training.ui.worstTable.item(0, 0).text() == "anna"
training.ui.worstTable.cellClicked.emit(0, 0)
host.wait(lambda: not training.ui.evaluateStatusLabel.text.startswith("Loading "))
assert "install" in training.ui.evaluateStatusLabel.text
"""


def run_with_slicers_packages(code: str, *arguments: str) -> None:
    command = [sys.executable, "-c", _ONLY_SLICER + code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "module",
    [
        "LungSegResNetLib.ct_volume",
        "LungSegResNetLib.figures.measurements",
        "LungSegResNetLib.figures.metric_definitions",
        "LungSegResNetLib.figures.metrics",
        "LungSegResNetLib.tables",
        "LungSegResNetLib.files.mask_reading",
        "LungSegResNetLib.files.reading",
        "LungSegResNetLib.files.writing",
        "LungSegResNetLib.network.devices",
        "LungSegResNetTrainingLib.choices",
        "LungSegResNetTrainingLib.data.cases",
        "LungSegResNetTrainingLib.evaluation.aggregation",
        "LungSegResNetTrainingLib.evaluation.finished_cases",
        "LungSegResNetTrainingLib.evaluation.report_files",
        "LungSegResNetTrainingLib.training.progress",
        "LungSegResNetTrainingLib.training.run_files",
    ],
)
def test_what_panels_import_before_the_installation_needs_slicers_packages_only(module: str) -> None:
    run_with_slicers_packages(f"import {module}")


def test_both_panels_work_as_far_as_slicers_packages_go(tmp_path: Path) -> None:
    report = tmp_path / "run" / "report"
    (report / "cases" / "anna").mkdir(parents=True)
    (report / "cases.csv").write_text("case,status\nanna,judged\n", encoding="utf-8")
    areas = {"missed_cm2": 1.0, "added_cm2": 2.0}
    worst = {"index": 3, "position": "S 60.0 mm", "reason": "lowest Dice", "dice": 0.9, **areas, "picture": ""}
    result = json.dumps({"key": "", "result": {"worst_slices": [worst]}})
    (report / "cases" / "anna" / "result.json").write_text(result, encoding="utf-8")
    (tmp_path / "data").mkdir()
    (report / "summary.csv").write_text(
        "method,group,region,doubtful,metric,cases,mean,sd,min,max\n"
        "network,all,lungs,included,dice,2,0.98,0.01,0.97,0.99\n",
        encoding="utf-8",
    )
    (tmp_path / "run" / "cases.csv").write_text("case,ct,mask\nanna,a_ct.nrrd,a_lungs.nrrd\n", encoding="utf-8")
    run_with_slicers_packages(_PANELS, str(tmp_path))

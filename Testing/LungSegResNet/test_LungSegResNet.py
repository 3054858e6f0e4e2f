"""The module itself: what it registers, its logic for scripts, and the test that runs in a real Slicer."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mrml_data import segment_array
from slicer_host import Host


def test_the_self_test_of_the_module_passes(host: Host) -> None:
    host.loadModule("LungSegResNet").LungSegResNetTest().runTest()


def test_the_logic_segments_for_scripts_and_returns_the_summary(host: Host, ct: Any, drawn: np.ndarray) -> None:
    result = host.loadModule("LungSegResNet").LungSegResNetLogic().process(ct)
    found = segment_array(host, result.segmentationNode, "left_lung", ct)
    assert 2 * (found & (drawn == 2)).sum() / (found.sum() + (drawn == 2).sum()) > 0.9
    assert result.summary["slices"] == len(drawn)


def test_the_logic_refuses_to_start_without_a_volume(host: Host) -> None:
    with pytest.raises(RuntimeError, match="Choose a CT volume"):
        host.loadModule("LungSegResNet").LungSegResNetLogic().process(None)


def test_a_scene_that_is_closed_while_a_script_waits_gets_no_lungs(host: Host, ct: Any) -> None:
    from LungSegResNetWidgets.segmentation_run import RunSettings

    logic = host.loadModule("LungSegResNet").LungSegResNetLogic()
    results: list[Any] = []
    problems: list[str] = []
    run = logic.start(ct, None, RunSettings(), lambda event: None, results.append, problems.append)
    host.slicer.mrmlScene.Clear(False)
    host.wait(lambda: bool(results or problems))
    assert run.volumeNode is ct
    assert problems == ["The CT was removed from the scene, so the run was stopped."]
    assert host.slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0


def test_the_module_tells_its_title_category_and_help(host: Host) -> None:
    host.loadModule("LungSegResNet")
    module = host.slicer.modules.lungsegresnet
    assert module.title == "LungSegResNet"
    assert module.categories == ["Segmentation"]
    assert "Segment lungs" in module.helpText


def test_sample_data_are_registered_at_start_up_with_checksums(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    registered: list[dict[str, Any]] = []
    logic = types.SimpleNamespace(
        registerCustomSampleDataSource=lambda **sample: registered.append(sample),
    )
    monkeypatch.setitem(sys.modules, "SampleData", types.SimpleNamespace(SampleDataLogic=logic))
    host.loadModule("LungSegResNet")
    host.slicer.app.startupCompleted.emit()
    assert [sample["sampleName"] for sample in registered] == ["CTChest", "CTChestCOVID-19"]
    for sample in registered:
        assert re.fullmatch(r"SHA256:[0-9a-f]{64}", sample["checksums"])
        assert sample["uris"].startswith("https://github.com/")
    assert Path(registered[1]["thumbnailFileName"]).is_file()  # the first one has a picture in Slicer

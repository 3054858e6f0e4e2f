"""The report of judged cases whose figures are known, without any scan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

from judged_cases import judged_case
from PIL import Image

from LungSegResNetLib.network.model_file import ModelCard
from LungSegResNetTrainingLib.evaluation.report import write_report
from LungSegResNetTrainingLib.evaluation.run import Evaluation, Judge


def test_the_largest_groups_have_a_typical_case_and_the_page_says_how_many_there_are(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "overlay.png")
    groups = "abcdef" + "zz"
    results = [judged_case(f"case {number}", 0.9, group) for number, group in enumerate(groups)]
    results = [replace(result, folder=tmp_path, overlay="overlay.png") for result in results]
    loaded = SimpleNamespace(predictor=SimpleNamespace(card=ModelCard(config={})))
    judge = Judge(loaded, "an engine", "a digest")  # type: ignore[arg-type]
    page = write_report(Evaluation([judge], results), tmp_path / "out").read_text(encoding="utf-8")
    assert "The case at the middle of each of the 6 largest of 7 groups by Dice." in page
    shown = [group for group in "abcdefz" if f", {group}: Dice 0.900, 0 ml missed" in page]
    assert shown == ["a", "b", "c", "d", "e", "z"]

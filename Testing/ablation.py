"""What each part of the recommended way of training and of use contributes, on one split, with one seed and few steps.

``python Testing/ablation.py DATASET OUT --steps 300``: trains a network for each variant in a folder of its own, judges
it on the validation cases, and writes OUT/ablation.csv and OUT/ablation.md (for ``publish --section``). Run again, it
goes on where it was.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean

import conftest  # noqa: F401  puts the packages on the path
import numpy as np
import torch

from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.network.model_file import load_model, save_model
from LungSegResNetLib.network.predictor import Predictor
from LungSegResNetTrainingLib.choices import ADAM
from LungSegResNetTrainingLib.data.cases import VALIDATION, Case
from LungSegResNetTrainingLib.data.draft_mask import LUNG_HU
from LungSegResNetTrainingLib.data.splits import split_in_words
from LungSegResNetTrainingLib.evaluation.case_result import CaseResult
from LungSegResNetTrainingLib.evaluation.evaluate import Judge, evaluate
from LungSegResNetTrainingLib.slices.slice_cache import RIGHT, CachedCase
from LungSegResNetTrainingLib.training.parallel import Processes
from LungSegResNetTrainingLib.training.reporting import make_training_reporter
from LungSegResNetTrainingLib.training.run_cases import TrainingCases
from LungSegResNetTrainingLib.training.run_options import RunOptions, default_workers
from LungSegResNetTrainingLib.training.settings import PAPER, RECOMMENDED, TrainingSettings
from LungSegResNetTrainingLib.training.training_job import CaseChoice, choose_cases, train

DENSE_SHARE = 0.15  # of the reference lung above LUNG_HU, from which a slice counts as dense
BASE = "recommended"
VOLUMES, SINGLE_SLICES, DENSE_SLICES = KINDS = ("volumes", "single slices", "dense slices")
FIGURES = ("cases", "mean Dice", "worst Dice")
_COLUMNS = ["variant", "trained", *(f"{kind}: {figure}" for kind in KINDS for figure in FIGURES)]


def trained_variants(base: TrainingSettings) -> dict[str, TrainingSettings]:
    """Settings of the variants that need a network of their own, the recommended one first."""
    healthy = replace(base.augmentation, disease=0.0, effusion=0.0, raised_diaphragm=0.0, gas=0.0, wall_air=0.0)
    rows, columns = base.slice_shape
    of_all = {"steps": base.steps, "batch_size": base.batch_size, "seed": base.seed, "slice_shape": base.slice_shape}
    smaller, larger = ((round(rows * f / 8) * 8, round(columns * f / 8) * 8) for f in (2 / 3, 4 / 3))
    return {
        BASE: base,
        "preset paper": replace(PAPER, **of_all),
        "Adam for all weights": replace(base, optimiser=ADAM),
        "no simulated disease": replace(base, augmentation=healthy),
        "no single slices": replace(base, single_slice_share=0.0),
        f"input of {smaller[0]} x {smaller[1]}": replace(base, slice_shape=smaller),
        f"input of {larger[0]} x {larger[1]}": replace(base, slice_shape=larger),
        "trained with one pass (1)": replace(base, scales=(1,)),
        "trained with three passes (1, 1/2, 1/4)": replace(base, scales=(1, 2, 4)),
    }


def used_variants(run: Path, device: str) -> dict[str, Judge]:
    """The recommended network of ``run`` used otherwise, without another training."""
    path = run / "network.safetensors"
    card, weights = load_model(path)
    other = run / "used-otherwise"
    judges = {}
    for scales in ((1,), (1, 2), (1, 2, 4)):
        if scales != card.scales:
            file = other / f"passes-{len(scales)}.safetensors"
            save_model(file, weights, replace(card, scales=scales))
            passes = ", ".join("1" if scale == 1 else f"1/{scale}" for scale in scales)
            judges[f"{BASE}, used with passes {passes}"] = Judge.load(file, device)
    state = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)["network"]
    last = {name: state[name].float().numpy() for name in weights}
    save_model(other / "last-weights.safetensors", last, card)
    judges[f"{BASE}, last weights instead of their average"] = Judge.load(other / "last-weights.safetensors", device)
    judge = Judge.load(path, device)
    mirrored = replace(judge.loaded, predictor=_Flipped(judge.loaded.predictor), on_processor=None)
    flipped = Judge(mirrored, f"{judge.engine}, mean with the mirrored slice", judge.digest)
    judges[f"{BASE}, mean with the mirrored slice"] = flipped
    return judges


class _Flipped:
    """A predictor that also looks at each slice mirrored, and takes the mean of both probabilities."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self.card, self.engine, self.precision = predictor.card, predictor.engine, predictor.precision
        self.batch_size = predictor.batch_size

    def for_scan(self, slices: int) -> Predictor:
        return _Flipped(self._predictor.for_scan(slices))

    def predict(self, slices: np.ndarray, on_slices_done: Callable[[int], None] = lambda count: None) -> np.ndarray:
        mirrored = self._predictor.predict(np.ascontiguousarray(slices[..., ::-1]))[..., ::-1]
        return (self._predictor.predict(slices, on_slices_done) + mirrored) / 2


@dataclass
class Ablation:
    """The data and where results go; ``rows`` are those of the table so far.

    ``cases`` are those of the last variant; the split is the same for all.
    """

    case_choice: CaseChoice
    out: Path
    run_options: RunOptions
    rows: list[dict[str, str]] = field(default_factory=list)
    cases: TrainingCases = field(default_factory=lambda: TrainingCases([], []))

    def train_and_judge(self, name: str, settings: TrainingSettings) -> None:
        """Add the row of a variant with its own network."""
        print(f"train: {name}", flush=True)
        reporter = make_training_reporter("lines")
        self.cases = choose_cases(self.case_choice, settings, Processes(), reporter)
        network = train(self.cases, settings, self.run_folder(name), self.run_options, Processes(), reporter)
        self.judge(name, Judge.load(network, self.run_options.device), trained=True)

    def judge(self, name: str, judge: Judge, trained: bool) -> None:
        """Add the row of a network."""
        print(f"judge: {name}", flush=True)
        validation = [case for case in self.cases.cases if case.split == VALIDATION]
        folder = self.run_folder(name) / "judged"
        evaluation = evaluate([(case, judge) for case in validation], folder, with_baseline=False)
        for failed in evaluation.failed:
            print(f"{failed.name}: {failed.reason}", file=sys.stderr)
        row = {"variant": name, "trained": "yes" if trained else "no"}
        for kind, results in self._by_kind(evaluation.results).items():
            dice = [result.dice for result in results if result.has_lung]
            figures = (f"{mean(dice):.4f}", f"{min(dice):.4f}") if dice else ("", "")
            row |= dict(zip((f"{kind}: {figure}" for figure in FIGURES), (str(len(dice)), *figures), strict=True))
        self.rows.append(row)

    def run_folder(self, name: str) -> Path:
        """Folder of a variant."""
        return self.out / "".join(c if c.isalnum() else "-" for c in name)

    def _by_kind(self, results: Sequence[CaseResult]) -> dict[str, list[CaseResult]]:
        cached = [one.cached for one in self.cases.prepared]
        dense = {one.name for one in cached if len(one.hu) == 1 and dense_share(one) >= DENSE_SHARE}
        singles = [result for result in results if result.slices == 1]
        return {
            VOLUMES: [result for result in results if result.slices > 1],
            SINGLE_SLICES: singles,
            DENSE_SLICES: [result for result in singles if result.case.name in dense],
        }


def dense_share(case: CachedCase) -> float:
    """Share of the reference lung of a single slice that is denser than aerated lung."""
    lung = np.asarray(case.labels[0]) >= RIGHT
    return float((np.asarray(case.hu[0])[lung] > LUNG_HU).mean()) if lung.any() else 0.0


def markdown(rows: Sequence[dict[str, str]], settings: TrainingSettings, cases: Sequence[Case]) -> str:
    """The table as a section of a model card."""
    how = (
        f"Each trained variant took {settings.steps} steps of {settings.batch_size} slices from random weights with "
        f"seed {settings.seed} on the same split ({split_in_words(cases)}). Mean Dice of both lungs, in brackets the "
        f"worst. Dense: single slices with at least {100 * DENSE_SHARE:.0f} % of the reference lung above "
        f"{LUNG_HU:.0f} HU."
    )
    lines = [
        "## What each part contributes",
        "",
        how,
        "",
        "| variant | " + " | ".join(KINDS) + " |",
        "|---" * (1 + len(KINDS)) + "|",
    ]
    for row in rows:
        cells = []
        for kind in KINDS:
            count, middle, worst = (row[f"{kind}: {figure}"] for figure in FIGURES)
            cells.append(f"{middle} ({worst}), n = {count}" if middle else "-")
        lines.append(f"| {row['variant']} | {' | '.join(cells)} |")
    notes = (
        f"The rows named '{BASE}, ...' use the network of the first row without another training. Neighbouring slices "
        "as further channels have a table of their own (Testing/ablation_neighbours.py)."
    )
    return "\n".join([*lines, "", notes, ""])


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and judge all variants, and write the table after each."""
    parser = argparse.ArgumentParser(description="Ablation table of the recommended preset.")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=300, help="of each trained variant (default: 300)")
    parser.add_argument("--batch-size", type=int, default=RECOMMENDED.batch_size)
    parser.add_argument("--slice-shape", type=int, nargs=2, default=RECOMMENDED.slice_shape)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", metavar="VARIANT", help="trained variants beside the recommended one")
    parser.add_argument("--cache", type=Path, default=Path(".cache/slices"))
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda", "mps"))
    parser.add_argument("--workers", type=int)
    options = parser.parse_args(arguments)
    base = replace(
        RECOMMENDED,
        steps=options.steps,
        batch_size=options.batch_size,
        seed=options.seed,
        slice_shape=tuple(options.slice_shape),
    )
    workers = default_workers(options.device) if options.workers is None else options.workers
    run_options = RunOptions(options.device, workers, validate_every=max(1, options.steps))
    ablation = Ablation(CaseChoice(options.dataset, options.cache), options.out, run_options)
    for name, settings in trained_variants(base).items():
        if name != BASE and options.only is not None and name not in options.only:
            continue
        ablation.train_and_judge(name, settings)
        if name == BASE:
            for other, judge in used_variants(ablation.run_folder(BASE), options.device).items():
                ablation.judge(other, judge, trained=False)
        _write(ablation, base)
    print(f"Written: {options.out / 'ablation.csv'} and ablation.md beside it")
    return 0


def _write(ablation: Ablation, base: TrainingSettings) -> None:
    table = ablation.out / "ablation.csv"
    with (
        write_atomically(table, overwrite=True) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, _COLUMNS)
        writer.writeheader()
        writer.writerows(ablation.rows)
    with write_atomically(table.with_suffix(".md"), overwrite=True) as temporary:
        temporary.write_text(markdown(ablation.rows, base, ablation.cases.cases), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

"""How well the ranking of slices finds those that are wrong.

``python Testing/judge_slices_to_check.py MODEL CASES.csv [MODEL CASES.csv ...] [--split SPLIT]``

MODEL is a network file, or ``shipped``. Each network is judged on the volumes of its own list, so a cross-validation is
given as ``RUN/fold-1/network.safetensors RUN/fold-1/cases.csv RUN/fold-2/network.safetensors ...``. A slice is wrong if
its Dice is below 0.95; a slice without lung, where none was found, is right. Figures are areas under the ROC curve: 0.5
is chance, 1 is perfect.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import conftest  # noqa: F401  puts the packages on the path
import numpy as np
from scipy.stats import rankdata

from LungSegResNetLib.errors import InputError
from LungSegResNetLib.lungs.doubtful_slices import slices_to_check
from LungSegResNetLib.lungs.segmentation import segment
from LungSegResNetLib.network.engines import EngineSettings, load_engine
from LungSegResNetLib.network.predictor import Predictor
from LungSegResNetTrainingLib.data.case_reading import read_case
from LungSegResNetTrainingLib.data.cases import Case, read_cases

WRONG_DICE = 0.95
LARGE_CM2 = 5.0
TOP = 5
RESAMPLES = 2000


@dataclass(frozen=True)
class JudgedScan:
    """One scan, an entry for each slice: score of the ranking, Dice (1 where there is no lung), area in cm2.

    ``area`` is that of the mask, ``largest`` that of mask or reference, whichever is more; ``listed`` are the first
    slices of the list that a user sees.
    """

    name: str
    patient: str
    score: np.ndarray
    dice: np.ndarray
    area: np.ndarray
    largest: np.ndarray
    listed: list[int]

    @property
    def wrong(self) -> np.ndarray:
        """Slices with a Dice below 0.95 (bool)."""
        return self.dice < WRONG_DICE

    @property
    def lowest(self) -> np.ndarray:
        """The 10 % of the slices with lung that have the lowest Dice (bool)."""
        return (self.largest > 0) & (self.dice <= np.quantile(self.dice[self.largest > 0], 0.1))

    @property
    def by_area(self) -> np.ndarray:
        """The simplest ranking, to be beaten: small sections first, those without lung last."""
        return np.where(self.area > 0, -self.area, -np.inf)


@dataclass(frozen=True)
class Question:
    """A column: which slices have to be found, by what, and among which."""

    title: str
    score: Callable[[JudgedScan], np.ndarray]
    wanted: Callable[[JudgedScan], np.ndarray]
    among: Callable[[JudgedScan], np.ndarray] = lambda scan: np.ones(len(scan.dice), bool)

    def area_under_curve(self, scans: Sequence[JudgedScan]) -> float:
        """Over all slices of the scans together."""
        among = np.concatenate([self.among(scan) for scan in scans])
        score, wanted = (np.concatenate([part(scan) for scan in scans])[among] for part in (self.score, self.wanted))
        return area_under_curve(score, wanted)


def _large(scan: JudgedScan) -> np.ndarray:
    return scan.largest >= LARGE_CM2


QUESTIONS = (
    Question("wrong", lambda scan: scan.score, lambda scan: scan.wrong),
    Question("lowest 10 %", lambda scan: scan.score, lambda scan: scan.lowest),
    Question("wrong, of 5 cm2 or more", lambda scan: scan.score, lambda scan: scan.wrong, _large),
    Question("wrong, by area alone", lambda scan: scan.by_area, lambda scan: scan.wrong),
    Question("wrong, of 5 cm2 or more, by area alone", lambda scan: scan.by_area, lambda scan: scan.wrong, _large),
)


def area_under_curve(score: np.ndarray, wanted: np.ndarray) -> float:
    """Chance that a wanted entry has a higher score than another one; nan if there are no such pairs."""
    count = int(wanted.sum())
    others = len(wanted) - count
    if count == 0 or others == 0:
        return float("nan")
    return float((rankdata(score)[wanted].sum() - count * (count + 1) / 2) / (count * others))


def interval(question: Question, scans: Sequence[JudgedScan]) -> tuple[float, float]:
    """95 % interval of the area under the curve over new draws of patients with all their scans; nan without any."""
    patients = sorted({scan.patient for scan in scans})
    rng = np.random.default_rng(0)
    values = []
    for _ in range(RESAMPLES):
        drawn = rng.choice(patients, len(patients))
        values.append(
            question.area_under_curve([scan for patient in drawn for scan in scans if scan.patient == patient])
        )
    known = [value for value in values if not np.isnan(value)] or [np.nan]
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


def judge(case: Case, predictor: Predictor) -> JudgedScan | None:
    """Segment a case and compare slice by slice with its reference, right and left lung pooled.

    None for less than three slices: there are no neighbours, and there is nothing to choose from.
    """
    ct, reference = read_case(case)
    if len(ct.hu) < 3:
        return None
    result = segment(ct, predictor)
    score = np.zeros(len(ct.hu))
    for one in result.ranking:
        score[one.index] = one.score
    found, true, both = (
        np.count_nonzero(lung, axis=(1, 2))
        for lung in (result.mask > 0, reference.labels > 0, (result.mask > 0) & (reference.labels > 0))
    )
    dice = np.divide(2.0 * both, found + true, out=np.ones(len(found)), where=found + true > 0)
    pixel_cm2 = float(np.prod(ct.spacing_zyx[1:])) / 100.0
    listed = [one.index for one in slices_to_check(result.ranking, ct.spacing_zyx[0])[:TOP]]
    return JudgedScan(
        case.name, case.patient, score, dice, found * pixel_cm2, np.maximum(found, true) * pixel_cm2, listed
    )


def row(name: str, scans: Sequence[JudgedScan], values: Sequence[str]) -> str:
    """A line of the table."""
    slices, wrong = (
        sum(int(part(scan)) for scan in scans) for part in (lambda s: len(s.dice), lambda s: s.wrong.sum())
    )
    hits = np.mean([scan.wrong[scan.listed].mean() for scan in scans])
    chance = np.mean([scan.wrong.mean() for scan in scans])
    return f"| {name} | {slices} | {wrong} | {' | '.join(values)} | {hits:.0%} ({chance:.0%}) |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row a scan, and all of them pooled with the interval."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="+", metavar="MODEL CASES.csv")
    parser.add_argument("--split", default="validation", help="validation (default) or train")
    options = parser.parse_args(arguments)
    if len(options.pairs) % 2:
        parser.error("every MODEL needs its CASES.csv")
    titles = [question.title for question in QUESTIONS]
    print(f"Slices to check, split {options.split}\n\n| scan | slices | wrong | {' | '.join(titles)} ", end="")
    print(f"| wrong among the first {TOP} listed (among all) |\n|{'---|' * (len(titles) + 4)}")
    scans: list[JudgedScan] = []
    for model, case_list in zip(options.pairs[::2], options.pairs[1::2], strict=True):
        settings = EngineSettings(device="cpu", model=None if model == "shipped" else Path(model))
        predictor = load_engine(settings).predictor
        for case in read_cases(case_list):
            if case.split != options.split:
                continue
            try:
                scan = judge(case, predictor)
            except InputError as error:
                print(f"{case.name} was left out: {error}")
                continue
            if scan is None:
                continue
            scans.append(scan)
            values = [f"{question.area_under_curve([scan]):.3f}" for question in QUESTIONS]
            print(row(scan.name, [scan], values), flush=True)
    values = []
    for question in QUESTIONS:
        low, high = interval(question, scans)
        values.append(f"{question.area_under_curve(scans):.3f} ({low:.3f} to {high:.3f})")
    patients = len({scan.patient for scan in scans})
    print(row(f"**all {len(scans)}** ({patients} patients)", scans, values))


if __name__ == "__main__":
    main()

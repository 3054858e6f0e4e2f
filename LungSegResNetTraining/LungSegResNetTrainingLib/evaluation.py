"""Judge a network: every metric for every case, with plain thresholding beside it, as tables and pictures."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np

from LungSegResNetLib.atomic import write_atomically
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.metrics import METRICS, Comparison, compare_lungs
from LungSegResNetLib.overlay import write_overlay
from LungSegResNetLib.reading import mask_on_ct, read_ct, read_mask
from LungSegResNetLib.segmentation import Predictor, segment

from .cases import Case
from .draft_mask import draft_lungs

LUNGS = "lungs"
_SHOWN = ("dice", "surface_dice_2mm", "hd95_mm", "mean_surface_distance_mm")


@dataclass(frozen=True)
class CaseResult:
    """Comparisons of one case by region (``lungs``, ``right lung``, ``left lung``), of the network and the baseline."""

    case: Case
    slices: int
    network: dict[str, Comparison]
    baseline: dict[str, Comparison] | None

    @property
    def is_volume(self) -> bool:
        """Whether the case has more than one slice."""
        return self.slices > 1

    def line(self) -> str:
        """One line for a terminal."""
        text = f"{self.case.name:24s} Dice {self.network[LUNGS].dice:.4f}  HD95 {self.network[LUNGS].hd95_mm:.1f} mm"
        return text + (f"  thresholding {self.baseline[LUNGS].dice:.4f}" if self.baseline else "")


def evaluate(
    cases: Sequence[Case],
    predictor: Predictor,
    folder: Path,
    *,
    with_baseline: bool = True,
    on_case: Callable[[CaseResult], None] = lambda result: None,
) -> list[CaseResult]:
    """Segment and compare each case; an overlay of each lands in ``folder/overlays``.

    A case in which nothing is found counts with an empty mask, not as an error.
    """
    results = []
    for case in cases:
        ct, _ = read_ct(case.ct)
        reference, _ = mask_on_ct(read_mask(case.mask), ct)
        try:
            predicted = segment(ct, predictor).mask
        except InputError:
            predicted = np.zeros_like(reference)
        baseline = compare_lungs(reference, draft_lungs(ct), ct.spacing_zyx, ct.hu) if with_baseline else None
        network = compare_lungs(reference, predicted, ct.spacing_zyx, ct.hu)
        result = CaseResult(case, len(ct.hu), network, baseline)
        title = f"{case.name}: Dice {network[LUNGS].dice:.3f}"
        picture = folder / "overlays" / f"{case.name}.png"
        write_overlay(picture, ct, predicted, overwrite=True, title=title, reference=reference)
        results.append(result)
        on_case(result)
    return results


def write_tables(results: Sequence[CaseResult], folder: Path) -> None:
    """Write ``cases.csv`` (every metric, region and method) and ``summary.md`` into ``folder``."""
    columns = ["case", "group", "doubtful", "slices", "method", "region", *(metric.key for metric in METRICS)]
    path = folder / "cases.csv"
    with write_atomically(path, overwrite=True) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for result in results:
            about = [result.case.name, result.case.group, result.case.doubtful, result.slices]
            for method, comparisons in (("network", result.network), ("thresholding", result.baseline or {})):
                for region, comparison in comparisons.items():
                    writer.writerow([*about, method, region, *(getattr(comparison, metric.key) for metric in METRICS)])
    with write_atomically(folder / "summary.md", overwrite=True) as temporary:
        temporary.write_text(summary_markdown(results) + "\n", encoding="utf-8")


def summary_markdown(results: Sequence[CaseResult]) -> str:
    """Markdown table: a row a case, then means and worst of volumes and of single slices."""
    lines = [
        "| case | Dice | right | left | surface Dice 2 mm | HD95 (mm) | mean surface distance (mm) | thresholding: Dice |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [_row(result.case.name, [result]) for result in results]
    for name, chosen in (
        ("volumes", [result for result in results if result.is_volume]),
        ("single slices", [result for result in results if not result.is_volume]),
    ):
        if chosen:
            lines.append(_row(f"**mean of {len(chosen)} {name}**", chosen))
            worst = min(chosen, key=lambda result: result.network[LUNGS].dice)
            lines.append(_row(f"**worst of {name}: {worst.case.name}**", [worst]))
    return "\n".join(lines)


def _row(title: str, results: Sequence[CaseResult]) -> str:
    def average(values: list[float]) -> str:
        known = [value for value in values if not math.isnan(value)]
        return f"{mean(known):.3f}" if known else "-"

    def network(region: str, key: str) -> str:
        return average([getattr(result.network[region], key) for result in results])

    cells = [network(LUNGS, "dice"), network("right lung", "dice"), network("left lung", "dice")]
    cells += [network(LUNGS, key) for key in _SHOWN[1:]]
    cells.append(average([result.baseline[LUNGS].dice for result in results if result.baseline]))
    return f"| {title} | {' | '.join(cells)} |"

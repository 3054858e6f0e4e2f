"""How well networks find lungs in validation slices into which disease is painted that the references do not know.

``python Testing/judge_painted_disease.py NETWORK [NETWORK ...] --cases CASES.csv [--cache FOLDER]``

NETWORK is a network file, or ``shipped``. Of each validation volume six slices are shown: as they are, with the front
three fifths of one lung or all of it as solid as soft tissue, with both lungs nearly white, with air in the chest
wall, with parts of the tissue outside the lungs made even, and with values that are 100 HU too low. Figures are the
mean and the lowest Dice of the slices.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import conftest  # noqa: F401  puts the packages on the path
import numpy as np
import torch

from LungSegResNetLib.lungs.preprocessing import Resampling, scale_hu, to_frame_matrices
from LungSegResNetLib.network.architecture import HU_WINDOW
from LungSegResNetLib.network.engines import EngineSettings, load_engine
from LungSegResNetTrainingLib.data.cases import VALIDATION, read_cases
from LungSegResNetTrainingLib.slices.painted_shapes import like_soft_tissue
from LungSegResNetTrainingLib.slices.simulated_disease import settle_border
from LungSegResNetTrainingLib.slices.simulated_pitfalls import even_tissue, wall_air
from LungSegResNetTrainingLib.slices.slice_cache import BODY, LEFT, PIXEL_MM, RIGHT, CachedCase, cache_case
from LungSegResNetTrainingLib.slices.smooth_noise import smooth_noise

AS_THEY_ARE = "as they are"
FRONT_SOLID = "front of one lung solid"
LUNG_SOLID = "one lung solid"
WHITE = "both lungs nearly white"
WALL_AIR = "air in the chest wall"
EVEN_TISSUE = "tissue made even"
TOO_LOW = "100 HU too low"
KINDS = (AS_THEY_ARE, FRONT_SOLID, LUNG_SOLID, WHITE, WALL_AIR, EVEN_TISSUE, TOO_LOW)
SLICES = 6
CONSOLIDATED = {FRONT_SOLID: 0.6, LUNG_SOLID: 1.0}  # of the lung's height in the slice
WHITE_HU = -100.0  # of lungs that are nearly white
_SMALLEST_LUNG = 500  # pixels


def painted(case: CachedCase, number: int) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Kind, network slice (float32) and lung (bool) of the volume's slice of that number, as it is and with disease."""
    index = case.lung_slices[int(len(case.lung_slices) * (0.15 + 0.15 * number))]
    hu = torch.from_numpy(np.array(case.hu[index], np.float32))
    labels = torch.from_numpy(np.array(case.labels[index]))
    lung = labels >= RIGHT
    rng = np.random.default_rng(1000 + number)
    slices = {kind: hu.clone() for kind in KINDS if kind not in CONSOLIDATED}
    wall_air(slices[WALL_AIR], labels >= BODY, lung, PIXEL_MM, rng)
    even_tissue(slices[EVEN_TISSUE], (labels >= BODY) & ~lung, PIXEL_MM, np.random.default_rng(2000 + number))
    slices[TOO_LOW] -= 100.0
    side = labels == (RIGHT if number % 2 else LEFT)
    if int(side.sum()) >= _SMALLEST_LUNG:
        for kind, share in CONSOLIDATED.items():
            slices[kind] = solid(hu, lung, side, share, PIXEL_MM, rng)
    slices[WHITE] = nearly_white(hu, lung, PIXEL_MM, number)
    into_frame = Resampling(*to_frame_matrices(case.frame, tuple(hu.shape), (PIXEL_MM, PIXEL_MM)))
    truth = into_frame(lung.numpy().astype(np.float32)) > 0.5
    return [(kind, into_frame(scale_hu(values.numpy(), HU_WINDOW)), truth) for kind, values in slices.items()]


def solid(
    hu: torch.Tensor, lung: torch.Tensor, side: torch.Tensor, share: float, pixel_mm: float, rng: np.random.Generator
) -> torch.Tensor:
    """The slice (HU) with the front of one lung, ``side`` (bool, some pixels), solid: that share of its height."""
    rows = torch.nonzero(side.any(dim=1)).ravel()
    front = side.clone()
    front[int(rows[0] + share * (rows[-1] + 1 - rows[0])) :] = False
    painted = torch.where(front, like_soft_tissue(hu, pixel_mm, rng), hu)
    settle_border(painted, hu, lung, pixel_mm)
    return painted


def nearly_white(hu: torch.Tensor, lung: torch.Tensor, pixel_mm: float, number: int) -> torch.Tensor:
    """The slice of that number (HU) with its lungs (bool) patchy and nearly without air."""
    rng = np.random.default_rng(3000 + number)
    coarse, fine = (smooth_noise(rng, (hu.shape[0], hu.shape[1]), size / pixel_mm) for size in (15.0, 4.0))
    painted = torch.where(lung, torch.maximum(WHITE_HU + 60.0 * coarse + 30.0 * fine, hu), hu)
    settle_border(painted, hu, lung, pixel_mm)
    return painted


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row for each network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="+", metavar="NETWORK")
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path(".cache/slices"))
    options = parser.parse_args(arguments)
    cases = [cache_case(case, options.cache) for case in read_cases(options.cases) if case.split == VALIDATION]
    volumes = [case for case in cases if len(case.hu) > 1]
    shown = [entry for case in volumes for number in range(SLICES) for entry in painted(case, number)]
    print(f"{len(volumes)} volumes\n\n| network | {' | '.join(KINDS)} |\n|{'---|' * (len(KINDS) + 1)}")
    for network in options.networks:
        model = None if network == "shipped" else Path(network)
        predictor = load_engine(EngineSettings(device="cpu", model=model)).predictor
        found = predictor.predict(np.stack([slices for _, slices, _ in shown]).astype(np.float32)) > 0.5
        dice: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for (kind, _, lung), mask in zip(shown, found, strict=True):
            dice[kind].append(2.0 * float((lung & mask).sum()) / max(1.0, float(lung.sum() + mask.sum())))
        cells = [f"{np.mean(values):.3f} (lowest {min(values):.3f})" for values in dice.values()]
        print(f"| {network} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()

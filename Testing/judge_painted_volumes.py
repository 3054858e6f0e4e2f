"""How well the lungs of whole scans are found, and whether a warning comes, where disease is painted into all slices.

``python Testing/judge_painted_volumes.py NETWORK [NETWORK ...] --cases CASES.csv``

NETWORK is a network file, or ``shipped``. Each validation volume is segmented with the right lung, or the front three
fifths of it, as solid as soft tissue, with both lungs nearly white, and with values that are 100 HU too low. Figures
are the mean and the lowest Dice of the volumes, for both lungs and for the right one, and the number of volumes with
more warnings than they cause as they are.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import conftest  # noqa: F401  puts the packages on the path
import numpy as np
import torch
from judge_painted_disease import CONSOLIDATED, FRONT_SOLID, LUNG_SOLID, TOO_LOW, WHITE, nearly_white, solid

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.labels import RIGHT_LUNG
from LungSegResNetLib.lungs.segmentation import segment
from LungSegResNetLib.network.engines import EngineSettings, load_engine
from LungSegResNetLib.network.predictor import Predictor
from LungSegResNetTrainingLib.data.case_reading import read_case
from LungSegResNetTrainingLib.data.cases import VALIDATION, read_cases

KINDS = (LUNG_SOLID, FRONT_SOLID, WHITE, TOO_LOW)


def painted(ct: CTVolume, labels: np.ndarray, kind: str) -> CTVolume:
    """The scan with one of `KINDS`; ``labels`` are its lungs (1 right, 2 left), and what is solid is the right one."""
    if kind == TOO_LOW:
        return replace(ct, hu=ct.hu - np.int16(100))
    hu, pixel_mm = ct.hu.copy(), ct.spacing_zyx[1]
    for z, section in enumerate(labels):
        before, lung, right = (
            torch.from_numpy(array) for array in (hu[z].astype(np.float32), section > 0, section == RIGHT_LUNG)
        )
        if kind == WHITE and lung.any():
            after = nearly_white(before, lung, pixel_mm, z)
        elif kind != WHITE and right.any():
            after = solid(before, lung, right, CONSOLIDATED[kind], pixel_mm, np.random.default_rng(z))
        else:
            continue
        hu[z] = after.numpy().round()
    return replace(ct, hu=hu)


def judged(ct: CTVolume, labels: np.ndarray, predictor: Predictor) -> tuple[float, float, list[str]]:
    """Dice of both lungs and of the right one, and the warnings; where no lung is found, that is the warning."""
    try:
        result = segment(ct, predictor)
    except InputError as error:
        return 0.0, 0.0, [str(error)]
    found = result.mask
    return _dice(found > 0, labels > 0), _dice(found == RIGHT_LUNG, labels == RIGHT_LUNG), result.warnings


def _dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2.0 * float((one & other).sum()) / max(1.0, float(one.sum() + other.sum()))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a row for each network and kind of disease."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="+", metavar="NETWORK")
    parser.add_argument("--cases", type=Path, required=True)
    options = parser.parse_args(arguments)
    cases = [case for case in read_cases(options.cases) if case.split == VALIDATION]
    scans = [(ct, mask.labels) for ct, mask in map(read_case, cases) if len(ct.hu) > 1]
    print(f"{len(scans)} volumes\n\n| network | painted | both lungs | right lung | more warnings |\n|{'---|' * 5}")
    for network in options.networks:
        model = None if network == "shipped" else Path(network)
        predictor = load_engine(EngineSettings(device="cpu", model=model)).predictor
        usual = [len(judged(ct, labels, predictor)[2]) for ct, labels in scans]
        for kind in KINDS:
            results = [judged(painted(ct, labels, kind), labels, predictor) for ct, labels in scans]
            both, right = (np.array([result[n] for result in results]) for n in (0, 1))
            warned = sum(len(result[2]) > count for result, count in zip(results, usual, strict=True))
            figures = " | ".join(f"{dice.mean():.3f} (lowest {dice.min():.3f})" for dice in (both, right))
            print(f"| {network} | {kind} | {figures} | {warned} |", flush=True)


if __name__ == "__main__":
    main()

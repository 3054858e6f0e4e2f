"""Dice between the masks of each engine and precision and those of plain float32, for every judged case of a data set.

Plain means that every slice gets every pass, which the engines spare where they can.

``python Testing/engine_agreement.py DATASET [SPLIT [CASE ...]]``: what ``--engine auto`` takes has to stay at 0.999 or
above.
"""

from __future__ import annotations

import sys
from pathlib import Path

import conftest  # noqa: F401  puts the packages on the path
import numpy as np

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.files.reading import read_ct
from LungSegResNetLib.lungs.prediction import SLICES_APART_MM
from LungSegResNetLib.lungs.segmentation import segment
from LungSegResNetLib.network.engines import EngineSettings, load_engine
from LungSegResNetLib.network.model_file import default_model_path
from LungSegResNetLib.network.predictor import Predictor
from LungSegResNetLib.network.torch_predictor import TorchPredictor
from LungSegResNetTrainingLib.data.cases import read_cases

ENGINES = {
    "OpenVINO, as chosen": EngineSettings(engine="openvino", device="cpu"),
    "OpenVINO": EngineSettings(engine="openvino", device="cpu", precision="bfloat16"),
    "torch, as chosen": EngineSettings(engine="torch", device="cpu"),
}


def main(dataset: Path, split: str = "validation", *names: str) -> None:
    """Print a row a case and the worst of each engine."""
    reference = TorchPredictor(default_model_path(), precision="float32", lung_in_view=-1.0)
    predictors = {name: load_engine(settings).predictor for name, settings in ENGINES.items()}
    titles = [f"{name} ({predictor.precision})" for name, predictor in predictors.items()]
    print("| case | " + " | ".join(titles) + " |\n|---|" + "---|" * len(titles))
    worst = dict.fromkeys(predictors, 1.0)
    for case in read_cases(dataset):
        if case.split != split or (names and case.name not in names):
            continue
        ct, _ = read_ct(case.ct)
        expected = lungs(ct, reference, apart_mm=0.0)
        dice = {name: agreement(lungs(ct, predictor), expected) for name, predictor in predictors.items()}
        worst = {name: min(worst[name], dice[name]) for name in worst}
        print(f"| {case.name} | " + " | ".join(f"{value:.4f}" for value in dice.values()) + " |", flush=True)
    print("| **worst** | " + " | ".join(f"{value:.4f}" for value in worst.values()) + " |")


def lungs(ct: CTVolume, predictor: Predictor, apart_mm: float = SLICES_APART_MM) -> np.ndarray:
    """Lung mask (bool); empty where none is found."""
    try:
        return segment(ct, predictor, apart_mm=apart_mm).mask > 0
    except InputError:
        return np.zeros(ct.hu.shape, bool)


def agreement(first: np.ndarray, second: np.ndarray) -> float:
    """Dice of two masks; 1 if both are empty."""
    total = int(first.sum() + second.sum())
    return 2.0 * int((first & second).sum()) / total if total else 1.0


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])

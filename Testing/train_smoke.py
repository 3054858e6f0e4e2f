"""Trains a small network on synthetic thoraxes with the real command line; fails unless it learns to find the lungs.

Usage: python Testing/train_smoke.py FOLDER
"""

from __future__ import annotations

import csv
import shutil
import sys
import time
from pathlib import Path

import conftest  # noqa: F401  puts the packages on the path
import SimpleITK as sitk
from synthetic_thorax import Thorax

from LungSegResNetTrainingLib.command_line.main import main

_LEAST_DICE = 0.9
_THORAXES = {
    "plain": Thorax(),
    "touching": Thorax(touching_lungs=True),
    "gas": Thorax(stomach_gas=True, centre=(0.0, 0.0, 0.0)),
    "no_table": Thorax(table=False, noise=30.0),
    "dense": Thorax(consolidation=True),
    "other": Thorax(centre=(-20.0, 10.0, 50.0), noise=5.0, stomach_gas=True),
}
_OPTIONS = (
    "--steps 90 --batch-size 6 --learning-rate 0.02 --slice-shape 80 112 --validate-every 30 --validation-share 0.3"
)


def smoke(folder: Path) -> int:
    """Make the cases, train, and look at the last validation."""
    started = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    data = folder / "data"
    data.mkdir(parents=True)
    for number, (name, thorax) in enumerate(_THORAXES.items()):
        spacing = (2.0 + 0.2 * number, 2.0 + 0.2 * number, 10.0)
        for image, part in zip(thorax.scan(spacing, seed=number), ("ct", "lungs"), strict=True):
            sitk.WriteImage(image, str(data / f"{name}_{part}.nii.gz"))
    run = folder / "run"
    code = main(["fit", str(data), "--out", str(run), "--cache", str(folder / "cache"), *_OPTIONS.split()])
    if code:
        return code
    with (run / "progress.csv").open(newline="", encoding="utf-8") as file:
        dice = float([row["validation_dice"] for row in csv.DictReader(file)][-1])
    print(f"validation Dice {dice:.4f} (has to be above {_LEAST_DICE}) after {time.monotonic() - started:.0f} s")
    return 0 if dice > _LEAST_DICE else 1


if __name__ == "__main__":
    sys.exit(smoke(Path(sys.argv[1])))

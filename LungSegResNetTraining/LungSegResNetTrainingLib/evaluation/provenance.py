"""What an evaluation was made with, for whoever has two of them or wants to make one again."""

from __future__ import annotations

import platform
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version

from LungSegResNetLib import __version__
from LungSegResNetLib.network.devices import device_name, processor_name

from ..code_digest import own_code_digest
from .bootstrap import LEVEL_PERCENT, RESAMPLES, SEED
from .evaluate import Evaluation, Judge
from .permutation import PERMUTATIONS
from .permutation import SEED as PERMUTATION_SEED

_PACKAGES = ("torch", "openvino", "numpy", "scipy", "SimpleITK")


def provenance_of(evaluation: Evaluation) -> dict[str, str]:
    """What, and with what: texts by what they are of; the date is now."""
    judges, count = evaluation.judges, len(evaluation.results)
    networks = {f"network of fold {one.fold}" if one.fold else "network": _network(one) for one in judges}
    cards = sorted({device_name(one.loaded.device) for one in judges if one.loaded.device != "cpu"})
    return {
        "date": datetime.now().astimezone().isoformat(sep=" ", timespec="seconds"),
        **networks,
        **({"graphics processor": ", ".join(cards)} if cards else {}),
        "processor": processor_name(),
        "system": platform.platform(),
        "LungSegResNet": f"{__version__}, SHA-256 of its code {own_code_digest()}",
        "Python": platform.python_version(),
        **_package_versions(),
        "intervals": f"{LEVEL_PERCENT} %, percentiles of {RESAMPLES} bootstrap draws of patients, seed {SEED}",
        "p values": f"two-sided, {PERMUTATIONS} permutations of patients or all, seed {PERMUTATION_SEED}",
        "results": f"{evaluation.kept} of {count} from an earlier run with the same code, network, engine and files",
    }


def _network(judge: Judge) -> str:
    card = judge.card
    return f"{card.name} {card.version}, SHA-256 of its file {judge.digest}, run with {judge.engine}"


def _package_versions() -> dict[str, str]:
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue  # one of the two engines is enough
    return versions

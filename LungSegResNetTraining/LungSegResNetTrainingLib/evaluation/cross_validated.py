"""Whether figures of a cross-validation may stand in the card of a network that was trained on all patients."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_
from pathlib import Path

from LungSegResNetLib.digests import file_digest
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.wording import counted, some_of

from ..data.cases import Case
from ..data.scan_marks import ScanMarks
from ..training.cross_validation import fold_folder
from ..training.settings import digest_in
from ..training.training_record import TrainingRecord
from .fold_networks import assign_networks, read_fold_networks, recipe_of
from .report_folder import network_digests


def folds_of_same_training(
    name: str, record: TrainingRecord, runs: Path, judges: str, judged: Sequence[Case], marks: ScanMarks
) -> int:
    """The number of folds in ``runs``, unless their figures do not tell how a network would do on new patients.

    They do where it was trained as the folds were, on all that they were trained on. Only the settings of the last
    training are compared: how their start network came about, they have in common.

    Parameters
    ----------
    name, record : of the network's file, and what it says of its training.
    runs : folder that ``fit --folds`` wrote.
    judges : digests of the networks that a report is of, see `network_digests`.
    judged : the cases that they judged.

    Raises
    ------
    InputError : the report is of other networks; the networks are no cross-validation of the judged cases; or this
        network was trained otherwise, began with another one or lacks a scan of theirs. With ``--patience``, a fold
        chose its own network.
    ModelError : a network of a fold is damaged.
    """
    folds = 0
    while fold_folder(runs, folds + 1).is_dir():
        folds += 1
    if folds < 2:
        raise InputError(f"{runs} holds no cross-validation; give the folder that fit --folds wrote.")
    networks = read_fold_networks(runs, folds)
    if judges != network_digests(file_digest(network.path) for network in networks):
        raise InputError(f"The report is not about the {counted(folds, 'network')} in {runs}; evaluate these anew.")
    records = [record, *(network.record for network in networks)]
    if any(one.patience is not None for one in records):
        raise InputError(
            f"{name} or a fold was trained with --patience: a fold would have chosen its network by the cases that it "
            "is evaluated on; train all without."
        )
    if any(one.mean_of for one in records):
        raise InputError(f"{name} or a fold is a mean of networks, which cannot be compared; evaluate it by itself.")
    own, recipe = recipe_of(name, record), networks[0].recipe
    if differing := own.differing(recipe):
        raise InputError(f"{name} was trained with other settings than the folds ({', '.join(differing)}).")
    starts = {digest_in(str(one.settings.get("start", ""))) for one in records}
    if len(starts) > 1:
        raise InputError(
            f"{name} and the folds did not all begin with the same network, or all without one, so nobody can tell "
            "whether they were trained in the same way."
        )
    assign_networks(judged, networks, marks)
    seen = reduce(or_, (network.record.seen_scans for network in networks))
    if missing := sorted(mark.name for mark in seen.marks if not record.seen_scans.holds_scan(mark)):
        raise InputError(
            f"{name} was not trained on all scans that the folds were trained on ({some_of(missing)}); train it on all "
            "patients: fit --validation-share 0, with a list that names no validation cases."
        )
    return folds


def judges_text(folds: int, unseen: int) -> str:
    """What figures of a cross-validation are of, in the card of a network that has not seen so many of its cases."""
    but = f" but those of {counted(unseen, 'case')}, which training left out," if unseen else ""
    return (
        f"They are of {folds} other networks, each trained in the same way without the patients that it evaluated; "
        f"this network was trained on all of them{but} and was itself evaluated on nobody. Only the settings of the "
        "last training were compared."
    )

"""The network file that a run leaves, and what it says of its training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from LungSegResNetLib import __version__
from LungSegResNetLib.errors import ModelError
from LungSegResNetLib.network.model_file import ModelCard, load_model, save_model

from ..data.scan_marks import ScanMark, ScanSet
from ..slices.slice_cache import CachedCase
from .best_validation import BestValidation
from .run_files import NETWORK
from .settings import TrainingSettings
from .start_network import StartNetwork
from .training_record import TrainingRecord
from .training_run import TrainingRun


def record_of(
    settings: TrainingSettings,
    training: Sequence[CachedCase],
    validation: Sequence[CachedCase],
    patience: int | None,
    start: StartNetwork | None,
    marks: Mapping[str, ScanMark],
) -> TrainingRecord:
    """What the file of a run's network says of its training, but for the steps done. Arguments as of ``fit``."""
    begun = start.record if start else TrainingRecord()
    validated = _recorded(validation, marks)
    return TrainingRecord(
        program=f"LungSegResNet {__version__}",
        settings=settings.as_json(),
        training_cases=[case.name for case in training],
        validation_cases=[case.name for case in validation],
        seen_scans=_recorded(training, marks) | begun.seen_scans,
        validation_scans=validated,
        choosing_scans=begun.choosing_scans if patience is None else begun.choosing_scans | validated,
        start_network_cases=begun.seen_scans.names,
        start_network_data=begun.sources,
        patience=patience,
    )


def _recorded(cases: Sequence[CachedCase], marks: Mapping[str, ScanMark]) -> ScanSet:
    return ScanSet(frozenset(marks.get(case.name, ScanMark(case.name)) for case in cases))


def export_network(run: TrainingRun, record: TrainingRecord, *, finished: bool) -> None:
    """Write the averaged network with its card, which says whether it is that of a finished run."""
    weights = {
        name: value.float().cpu().numpy()
        for name, value in run.averaged.state_dict().items()
        if value.is_floating_point()
    }
    card = ModelCard(
        run.averaged.config,
        run.folder.resolve().name,
        slice_shape=run.settings.slice_shape,
        scales=run.settings.scales,
        training=replace(record, steps_done=run.step, finished=finished).as_json(),
    )
    save_model(run.folder / NETWORK, weights, card)


def finish_network(
    run: TrainingRun,
    record: TrainingRecord,
    best: BestValidation,
    patience: int | None,
    on_warning: Callable[[str], None],
    *,
    went_on: bool,
) -> None:
    """Leave the last network or, with patience, that of the best validation, as the one of a finished run.

    A file that is this already is not written again, because others may know it by its digest; neither is that of a
    finished run where this one took no further step (``went_on``). Where the best one was deleted, or was before
    patience was asked for, the last one has to do.
    """
    path = run.folder / NETWORK
    try:
        card, weights = load_model(path)
    except ModelError:  # there is none, or it is damaged
        card, weights = None, {}
    step = run.step if card is None else TrainingRecord.of(card).steps_done
    is_another = patience is None and step != run.step
    if card is not None and is_another and not card.is_unfinished and not went_on:
        on_warning(
            f"The run was finished before, and {NETWORK} stays the network of step {step}, which --patience chose; for "
            f"that of the last step, {run.step}, move it away and run the same command again."
        )
    elif card is None or is_another:
        export_network(run, record, finished=True)
    elif card.is_unfinished:
        ended = replace(TrainingRecord.of(card), finished=True)
        save_model(path, weights, replace(card, training=ended.as_json()))
    if patience is not None and step == run.step and not best.is_the_last:
        on_warning(f"The network of the best validation is not there; {NETWORK} is the last one, of step {run.step}.")

"""Training settings, all in one place, and the presets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from LungSegResNetLib.errors import UsageError
from LungSegResNetLib.network.architecture import SLICE_SHAPE

from .. import choices
from ..choices import ADAM, MUON
from ..slices.augmentation import AugmentationSettings

# NiftyNet averages its L2 term over the regularised tensors: 21 kernels and 42 batch-norm tensors.
NIFTYNET_REGULARISED_TENSORS = 63

# Adam's decay rates of the first and the second moment, the first of which is Muon's momentum, too; one cycle takes it
# from the highest of two to the lowest and back, against the learning rate.
BETA1, BETA2 = 0.9, 0.999
ONE_CYCLE_BETA1 = (0.85, 0.95)
# Of the one-cycle schedule: share of the steps up to the peak, and by what the peak is divided for the first learning
# rate, and this one for the last.
RISING_SHARE, FIRST_DIVISOR, LAST_DIVISOR = 0.15, 25.0, 1e4


@dataclass(frozen=True)
class TrainingSettings:
    """What a training run does; the defaults are the recommended preset.

    Attributes
    ----------
    steps : optimiser steps of the whole run.
    batch_size : slices per step.
    optimiser : ``adam`` for all weights, or ``muon`` for the kernels of the residual blocks (see `WeightUpdates`).
    learning_rate : peak of the one-cycle schedule, or the constant rate.
    one_cycle : rise and fall of the learning rate (Smith and Topin 2018) instead of a constant one: along cosines from
        a 25th of the peak, which is reached after 15 % of the steps, to 4e-6 of it, while Adam's beta1, and
        Muon's momentum, go from 0.95 to 0.85 and back; with a constant one they are 0.9. Beta2 is always 0.999.
    loss : ``dice_ns`` or ``dice_and_cross_entropy``.
    decay : NiftyNet's L2 factor; Adam gets it divided by the 63 tensors NiftyNet averages over, Muon gets none.
    averaging : decay of the running average of the weights (Polyak and Juditsky 1992; with a decay as in Tarvainen and
        Valpola 2017); 0 for none.
    scales : passes of the finished network (see ``ModelCard.scales``); training draws from the same.
    full_size_share : share of steps at scale 1 when there is a second scale, at the start and the end of the run.
    joint : train all passes of a slice together by the mean of their logits, as they are used, instead of one pass a
        step; the statistics of the batch norms then stay as they are, because passes share them.
    own_pass : train the pass at 1/``own_pass`` of the size and nothing else, with weights of its own; 0 trains all
        passes. With ``joint`` it learns from the mean of all logits what the others lack, else from its own alone.
    single_slice_share : share of training slices that come from single-slice cases, at most their share of the cases.
    empty_share : share of training slices without lung.
    slice_shape : rows and columns of a network slice, multiples of 8.
    start : name and digest of the network that training begins with, known by its digest; empty for random weights.

    Raises
    ------
    UsageError : a number that cannot be trained with.
    """

    preset: str = choices.RECOMMENDED
    steps: int = 2000
    batch_size: int = 8
    optimiser: str = MUON
    learning_rate: float = 0.015
    one_cycle: bool = True
    loss: str = "dice_and_cross_entropy"
    decay: float = 1e-4
    averaging: float = 0.995
    scales: tuple[int, ...] = (1, 2)
    full_size_share: tuple[float, float] = (0.1, 0.7)
    joint: bool = False
    own_pass: int = 0
    single_slice_share: float = 0.4
    empty_share: float = 0.1
    seed: int = 0
    augmentation: AugmentationSettings = field(default_factory=AugmentationSettings)
    slice_shape: tuple[int, int] = SLICE_SHAPE
    start: str = ""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 1 or self.seed < 0 or not self.learning_rate > 0:
            raise UsageError("Steps, batch size and learning rate have to be above 0, and the seed not below.")
        if any(side < 8 or any(side % n for n in (8, *self.scales)) for side in self.slice_shape):
            rows, columns = self.slice_shape
            raise UsageError(
                f"Slices of {rows} x {columns} pixels cannot be trained with; both sides have to be multiples of 8."
            )

    @property
    def scales_of_a_step(self) -> tuple[int, ...]:
        """Passes that every step trains, on slices at full size; empty if each step has slices of one pass' size."""
        if self.joint:
            return self.scales
        return (self.own_pass,) if self.own_pass else ()

    @property
    def adam_weight_decay(self) -> float:
        """Weight decay (coupled L2) that has the same gradient as NiftyNet's averaged L2 term."""
        return self.decay / NIFTYNET_REGULARISED_TENSORS

    def differing(self, other: TrainingSettings) -> list[str]:
        """Names of the settings in which a run with others is another run; the file of a network may be renamed."""
        ours, theirs = (replace(settings, start=digest_in(settings.start)).as_json() for settings in (self, other))
        return [name for name in ours if ours[name] != theirs[name]]

    def as_json(self) -> dict[str, Any]:
        """Plain values for a model card or a checkpoint."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TrainingSettings:
        """Inverse of ``as_json``; before there was a choice, the optimiser was Adam."""
        values = {"optimiser": ADAM} | values
        lists = {key: tuple(values[key]) for key in ("scales", "full_size_share", "slice_shape")}
        return cls(**values | lists | {"augmentation": AugmentationSettings(**values["augmentation"])})


def optimiser_text(settings: Mapping[str, Any]) -> str:
    """The optimiser and its learning rate in words, by settings as JSON; empty where these do not say."""
    if not {"one_cycle", "learning_rate", "decay"} <= settings.keys():
        return ""
    peak, has_muon = settings["learning_rate"], settings.get("optimiser", ADAM) == MUON
    kernels = "Muon for the kernels of the residual blocks, without weight decay; for the rest " if has_muon else ""
    decay = f"weight decay (coupled L2) {settings['decay'] / NIFTYNET_REGULARISED_TENSORS:.4g}"
    momentum = "beta1 and Muon's momentum" if has_muon else "beta1"
    if not settings["one_cycle"]:
        return f"{kernels}Adam, {momentum} {BETA1}, beta2 {BETA2}, {decay}, constant learning rate {peak:g}"
    first, (low, high) = peak / FIRST_DIVISOR, ONE_CYCLE_BETA1
    return (
        f"{kernels}Adam, beta2 {BETA2}, {decay}; one cycle along cosines: in the first {100 * RISING_SHARE:.0f} % of "
        f"the steps the learning rate goes from {first:g} to {peak:g} and {momentum} from {high} to {low}, then the "
        f"learning rate to {first / LAST_DIVISOR:g} and {momentum} to {high}"
    )


def digest_in(start: str) -> str:
    """Of what `TrainingSettings.start` says, the digest, by which a network is known whatever its file is called."""
    return start.rpartition("sha256 ")[2].rstrip(")")


RECOMMENDED = TrainingSettings()

PAPER = replace(
    RECOMMENDED,
    preset=choices.PAPER,
    batch_size=17,
    optimiser=ADAM,
    learning_rate=0.02,
    one_cycle=False,
    loss="dice_ns",
    averaging=0.0,
    scales=(1,),
    augmentation=AugmentationSettings.none(),
)

# A network that has learnt already: a lower rate, so that it does not forget, and all passes together as they are used,
# with one at a quarter of the size that sees the whole thorax. Smaller masses, because large round ones taught the
# network to take domes of the diaphragm for masses; more disease, because dense lung is what is missed last. Adam,
# because nobody has measured yet whether Muon makes more of the same network.
FINE_TUNE = replace(
    RECOMMENDED,
    preset=choices.FINE_TUNE,
    steps=700,
    optimiser=ADAM,
    learning_rate=0.0015,
    scales=(1, 2, 4),
    joint=True,
    augmentation=AugmentationSettings(disease=0.65, largest_mass_mm=28.0),
)

# One of the coarser passes, whose steps cost a fraction: more slices, and a higher rate, because the weights begin as
# those that serve all passes.
ONE_PASS = replace(FINE_TUNE, preset="one pass", joint=False, steps=1600, batch_size=32, learning_rate=0.006)
# The others are computed, too, and what has been learnt alone is not to be forgotten.
ONE_PASS_WITH_OTHERS = replace(ONE_PASS, joint=True, steps=500, batch_size=16, learning_rate=0.001)

SETTINGS_OF_PRESETS = {settings.preset: settings for settings in (FINE_TUNE, RECOMMENDED, PAPER)}

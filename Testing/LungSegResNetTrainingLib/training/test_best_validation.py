"""When patience ends a run: a Dice that is only as good as the best one so far is no better."""

from __future__ import annotations

from LungSegResNetTrainingLib.training.best_validation import BestValidation
from LungSegResNetTrainingLib.training.progress import LoggedStep


def test_a_dice_that_stays_the_same_runs_out_of_patience() -> None:
    best = BestValidation()
    assert best.improves(0.9)
    assert not best.improves(None)
    assert best.is_the_last
    assert not best.improves(0.9000041)  # the log has five decimals
    assert not best.improves(0.9)
    assert (best.dice, best.since, best.is_the_last) == (0.9, 2, False)
    assert best.is_stale(2)
    assert not best.is_stale(3)
    assert not best.is_stale(None)
    assert best.improves(0.90001)
    assert best.is_the_last


def test_a_log_gives_the_best_validation_of_its_run() -> None:
    validations = [None, 0.8, 0.8, None, 0.7]
    best = BestValidation.of_log([LoggedStep(n, 0.5, 2.0, dice) for n, dice in enumerate(validations, start=1)])
    assert (best.dice, best.since) == (0.8, 2)

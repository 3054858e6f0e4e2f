"""When patience ends a run: a Dice that is only as good as the best one so far is no better."""

from __future__ import annotations

from LungSegResNetTrainingLib.training.best_validation import BestValidation


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

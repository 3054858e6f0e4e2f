"""The settings that follow NiftyNet."""

from __future__ import annotations

import pytest

from LungSegResNetTrainingLib.training.settings import PAPER


def test_the_decay_of_the_article_is_averaged_over_the_regularised_tensors() -> None:
    assert PAPER.decay == 1e-4
    assert PAPER.adam_weight_decay == pytest.approx(1e-4 / 63)

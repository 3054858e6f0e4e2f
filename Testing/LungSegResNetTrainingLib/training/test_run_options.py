"""Numbers that a training run cannot be given."""

from __future__ import annotations

import pytest

from LungSegResNetLib.errors import UsageError
from LungSegResNetTrainingLib.training.run_options import RunOptions


@pytest.mark.parametrize(
    ("name", "least"),
    [("workers", 0), ("validate_every", 1), ("patience", 1), ("slices_at_once", 1), ("checkpoint_every", 0)],
)
def test_the_least_of_each_number_is_taken_and_less_is_refused(name: str, least: int) -> None:
    RunOptions(**{name: least})
    with pytest.raises(UsageError, match=f"--{name.replace('_', '-')} has to be {least} or more, not {least - 1}"):
        RunOptions(**{name: least - 1})

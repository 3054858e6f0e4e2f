"""The best validation of a run so far, by which patience ends it."""

from __future__ import annotations


class BestValidation:
    """The best validation of a run so far, and how many came after it.

    Attributes
    ----------
    dice : of the best one; the log keeps five decimals, so they decide.
    since : validations after it.
    """

    def __init__(self, dice: float = float("-inf"), since: int = 0) -> None:
        self.dice, self.since = dice, since

    def improves(self, dice: float | None) -> bool:
        """Take note of a validation, if there was one; whether it is the best so far."""
        if dice is None:
            return False
        better = round(dice, 5) > self.dice
        self.dice, self.since = (round(dice, 5), 0) if better else (self.dice, self.since + 1)
        return better

    @property
    def is_the_last(self) -> bool:
        """Whether no validation came after it."""
        return self.since == 0

    def is_stale(self, patience: int | None) -> bool:
        """Whether as many validations came after it as patience allows."""
        return patience is not None and self.since >= patience

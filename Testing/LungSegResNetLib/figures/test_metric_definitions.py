"""How a value of a metric is written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from LungSegResNetLib.figures.metric_definitions import DICE, METRIC_BY_KEY


@pytest.mark.parametrize("value", [-0.00004, 0.0, 0.00004])
def test_what_is_written_as_0_has_no_sign(value: float) -> None:
    texts = (DICE.text(value), DICE.text(value, signed=True), METRIC_BY_KEY["hd95_mm"].text(value))
    assert texts == ("0.0000", "0.0000", "0.00")


@pytest.mark.parametrize(
    ("value", "options", "text"),
    [
        (0.98765, {}, "0.9877"),
        (0.98765, {"decimals": 3}, "0.988"),
        (0.01, {"signed": True}, "+0.0100"),
        (-0.01, {"signed": True}, "-0.0100"),
        (np.nan, {"signed": True}, "-"),
        (np.inf, {}, "inf"),
    ],
)
def test_a_value_has_the_decimals_of_its_unit_and_a_dash_where_it_is_not_known(
    value: float, options: dict[str, Any], text: str
) -> None:
    assert DICE.text(value, **options) == text

"""Table 1 of the article: what its network reached on 120 normal and 120 COVID-19 patients."""

from __future__ import annotations

import re

from .spread import Spread

NORMAL, COVID = "normal", "COVID-19"
HOW_GROUPS_ARE_CALLED = "Groups called normal (healthy, controls) and COVID-19 have the article's figures beside them."

# Metrics in the order of the article's table.
PAPER_METRICS = (
    "dice",
    "jaccard",
    "mean_error",
    "mean_absolute_error",
    "false_positive_ratio",
    "false_negative_ratio",
    "mean_hu_difference_percent",
    "absolute_mean_hu_difference_percent",
    "volume_difference_percent",
    "absolute_volume_difference_percent",
)
PAPER_DECIMALS = 3
_N = 120
_NORMAL = (
    Spread(_N, 0.980, 0.003, 0.970, 0.985),
    Spread(_N, 0.962, 0.007, 0.942, 0.971),
    Spread(_N, -0.015, 0.009, -0.031, 0.015),
    Spread(_N, 0.037, 0.007, 0.028, 0.057),
    Spread(_N, 0.005, 0.004, 0.001, 0.022),
    Spread(_N, 0.026, 0.003, 0.020, 0.036),
    Spread(_N, -2.679, 0.382, -3.673, -2.020),
    Spread(_N, 0.828, 1.318, 0.0, 0.374),
    Spread(_N, 2.405, 7.359, -4.726, 29.524),
    Spread(_N, 7.875, 6.548, 1.960, 33.164),
)
_COVID = (
    Spread(_N, 0.971, 0.017, 0.903, 0.986),
    Spread(_N, 0.938, 0.040, 0.823, 0.973),
    Spread(_N, -0.024, 0.042, -0.155, 0.042),
    Spread(_N, 0.061, 0.040, 0.026, 0.176),
    Spread(_N, 0.007, 0.004, 0.003, 0.028),
    Spread(_N, 0.044, 0.040, 0.011, 0.167),
    Spread(_N, -4.403, 4.097, -16.799, -1.183),
    Spread(_N, 3.253, 3.106, 0.921, 10.894),
    Spread(_N, 5.928, 17.261, -12.666, 90.561),
    Spread(_N, 12.743, 16.384, 2.199, 91.486),
)
PAPER: dict[str, dict[str, Spread]] = {
    NORMAL: dict(zip(PAPER_METRICS, _NORMAL, strict=True)),
    COVID: dict(zip(PAPER_METRICS, _COVID, strict=True)),
}


# What else a name may say and still mean all of the article's group: neither its severity nor that it is none.
_PERSONS = "patients?|subjects?|cases?|persons?|people|individuals?|volunteers?|adults?|group|lungs?|cts?|scans?"
_WORDS = {
    NORMAL: re.compile(r"normals?|healthy|controls?"),
    COVID: re.compile(r"covid|19|2019|disease|pneumonia|infection|infected|pcr|confirmed|positive|pos"),
}
_SPELLINGS = {"normal": NORMAL, "normals": NORMAL, "covid": COVID, "covid19": COVID}


def paper_group(group: str) -> str | None:
    """Group of the article that a group of a case list means: ``normal``, ``COVID-19``, or none of them.

    ``Healthy controls`` and ``COVID-19 pneumonia`` are the article's; ``abnormal``, ``non-COVID``, ``COVID-`` and
    ``severe COVID-19`` are not.
    """
    text = re.sub(r"sars\W*cov\W*2", "covid", group.lower())
    words = [word for word in re.findall(r"[^\W\d_]+|\d+", text) if not re.fullmatch(_PERSONS, word)]
    if not words or re.search(r"[-\N{EN DASH}\N{MINUS SIGN}]\W*$", text):
        return None
    meant = next((name for name, known in _WORDS.items() if all(map(known.fullmatch, words))), None)
    return None if meant == COVID and "covid" not in words else meant


def spelling_of(group: str) -> str:
    """Equal for names of a group that differ only in how they are spelt, as ``Normal`` and ``covid19`` may be."""
    plain = re.sub(r"[^a-z0-9]", "", group.lower())
    return _SPELLINGS.get(plain, group).casefold()

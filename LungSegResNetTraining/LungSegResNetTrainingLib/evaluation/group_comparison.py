"""Do two groups differ? The difference of their means, an interval, a p value and a sentence that says no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from LungSegResNetLib.figures.metric_definitions import METRIC_BY_KEY, Metric
from LungSegResNetLib.wording import counted

from .aggregation import NO_GROUP, groups_of, patients_of, values_of, with_lung
from .bootstrap import LEVEL_PERCENT, Interval, count_patients, interval_of, resampled_means
from .case_result import CaseResult
from .figure_text import excludes_zero, interval_text, is_significant, is_zero, p_text
from .paper_figures import NORMAL, paper_group
from .permutation import permutation_p

# Without ME, which is a hundredth of the relative volume difference: the same test twice is no second finding. Mean HU
# are compared in HU, because a part of a mean grows without bounds where dense lung brings that mean near 0.
COMPARED_METRICS = (
    "dice",
    "jaccard",
    "mean_absolute_error",
    "mean_hu_difference_hu",
    "volume_difference_percent",
    "hd95_mm",
)


@dataclass(frozen=True)
class GroupDifference:
    """Mean of a metric in ``group`` minus that in ``against``; counts are (group, against), of those with a value.

    The means are said to differ where ``interval`` excludes 0 and ``p``, of a permutation of patients, is small; both
    are None where there are too few patients. ``nothing_found`` counts cases without a value because nothing was found
    in them.
    """

    metric: Metric
    group: str
    against: str
    cases: tuple[int, int]
    patients: tuple[int, int]
    difference: float
    interval: Interval | None
    p: float | None
    nothing_found: int

    @property
    def too_few(self) -> bool:
        """Whether there are too few patients with a value for an interval, and so for a statement."""
        return self.interval is None

    @property
    def statement(self) -> str:
        """What can be said, in one sentence, and what it leaves out."""
        if not self.nothing_found:
            return self._difference_text
        have, are = ("has", "is") if self.nothing_found == 1 else ("have", "are")
        left_out = f"{counted(self.nothing_found, 'case')} in which nothing was found {have} none and {are} not in it"
        return f"{self._difference_text.removesuffix('.')}; {left_out}."

    @property
    def _difference_text(self) -> str:
        title, unit = self.metric.title, f" {self.metric.unit}" if self.metric.unit else ""
        if np.isnan(self.difference):
            return f"{title}: there are no values to compare."
        shown = f"{self.metric.text(self.difference)}{unit}"
        sizes = f"{self.cases[0]} and {self.cases[1]} cases"
        if self.interval is None or self.p is None:
            return (
                f"{title}: the means differ by {shown}, but {sizes} of {self.patients[0]} and {self.patients[1]} "
                "patients are too few for a statement."
            )
        limits = f"{LEVEL_PERCENT} % interval {interval_text(self.interval, self.metric)}; {p_text(self.p)}"
        if is_zero(self.difference, self.metric) and not self.interval.holds_zero:
            return f"{title}: the means do not differ at the precision shown, {shown} ({sizes})."
        if not (excludes_zero(self.interval, self.metric) and is_significant(self.p)):
            text = f"{title}: the difference of means, {shown} ({limits}), is not distinguishable from 0"
            return f"{text} with these {sizes}."
        word = "lower" if self.difference < 0 else "higher"
        return (
            f"{title}: the mean is {word} in {in_words(self.group)} than in {in_words(self.against)}, difference of "
            f"means {shown} ({limits}; {sizes})."
        )


def in_words(group: str) -> str:
    """A group as a sentence names it."""
    return "cases without a group" if group == NO_GROUP else group


def compare_groups(results: Sequence[CaseResult]) -> list[GroupDifference]:
    """Each group against the normal one, or against the largest where none is normal; empty with fewer than two."""
    groups = groups_of(with_lung(results))
    if len(groups) < 2:
        return []
    against = next((title for title in groups if paper_group(title) == NORMAL), None) or max(
        groups, key=lambda title: len(groups[title])
    )
    return [
        difference
        for title, members in groups.items()
        if title != against
        for difference in _differences(title, members, against, groups[against])
    ]


def statements_by_pair(differences: Sequence[GroupDifference]) -> dict[str, list[str]]:
    """Statements under a title for each pair of groups; where patients are too few, the first one says it for all."""
    pairs: dict[str, list[GroupDifference]] = {}
    for difference in differences:
        pair = f"{in_words(difference.group)} against {in_words(difference.against)}"
        chosen = pairs.setdefault(pair, [])
        if not (chosen and chosen[0].too_few and difference.too_few):
            chosen.append(difference)
    return {title: [difference.statement for difference in chosen] for title, chosen in pairs.items()}


def _differences(
    title: str, members: Sequence[CaseResult], against: str, others: Sequence[CaseResult]
) -> list[GroupDifference]:
    values, compared = values_of(members, COMPARED_METRICS), values_of(others, COMPARED_METRICS)
    patients, other_patients = patients_of(members), patients_of(others)
    # Both groups are drawn at once, in columns of their own: a patient with scans in both is drawn with all of them.
    columns = len(COMPARED_METRICS)
    both = np.full((len(values) + len(compared), 2 * columns), np.nan)
    both[: len(values), :columns], both[len(values) :, columns:] = values, compared
    everyone = [*patients, *other_patients]
    strata = [f"{patient in patients} {patient in other_patients}" for patient in everyone]
    means = resampled_means(both, everyone, strata)
    resampled = means[:, :columns] - means[:, columns:]
    pooled, in_group = np.concatenate([values, compared]), np.arange(len(everyone)) < len(values)
    differences = []
    for n, key in enumerate(COMPARED_METRICS):
        known = [np.isfinite(array[:, n]) for array in (values, compared)]
        counts = (count_patients(patients, known[0]), count_patients(other_patients, known[1]))
        some = all(counts)
        interval = interval_of(resampled[:, n], min(counts))
        differences.append(
            GroupDifference(
                METRIC_BY_KEY[key],
                title,
                against,
                (int(known[0].sum()), int(known[1].sum())),
                counts,
                float(values[known[0], n].mean() - compared[known[1], n].mean()) if some else np.nan,
                interval,
                permutation_p(pooled[:, n], everyone, in_group) if interval else None,
                sum(result.found_nothing() and np.isnan(result.value(key)) for result in (*members, *others)),
            )
        )
    return differences

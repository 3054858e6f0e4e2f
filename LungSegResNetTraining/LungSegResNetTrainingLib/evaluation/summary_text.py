"""The evaluation in plain words: what a reader should know before any table."""

from __future__ import annotations

from collections.abc import Sequence

from LungSegResNetLib.figures.metric_definitions import DICE
from LungSegResNetLib.wording import counted, some_of

from ..data.cases import Case, unnamed_patients
from ..data.draft_mask import LUNG_HU
from .aggregation import NO_GROUP, groups_of, patients_of, without_doubt
from .baseline_comparison import BaselineComparison
from .bootstrap import FOLDS_NOTE, LEVEL_PERCENT, too_few
from .case_choice import trained_patients
from .case_result import LUNGS, NETWORK, TRAINED_ON, CaseResult
from .evaluate import Evaluation
from .figure_text import excludes_zero, interval_text, is_significant, is_zero, p_text
from .findings import Findings, worst_first
from .left_out import doubted_text


def sentences(findings: Findings) -> list[str]:
    """Paragraphs of one to three sentences each; some case must have been judged."""
    evaluation, results, chosen = findings.evaluation, findings.results, findings.chosen
    unnamed = unnamed_text([result.case for result in results])
    paragraphs = [_what_was_judged(findings), *_not_finished(evaluation), *unnamed, *_copies(findings)]
    paragraphs += [*_trained_on(findings), *_doubted(findings)]
    if chosen:
        paragraphs += [_how_good(findings), *_by_kind(findings), *_by_fold(findings)]
        paragraphs += [*_chosen_by_judged(findings), *_nothing_found(findings), _what_goes_wrong(chosen)]
        paragraphs += _beside_thresholding(findings.beside_thresholding)
        paragraphs += [d.statement for d in findings.group_differences if d.metric.key == "dice" and not d.too_few]
    return [*paragraphs, *_doubtful(findings), *_accepted(results), *_no_lung(results), *_not_judged(evaluation)]


def _what_was_judged(findings: Findings) -> str:
    evaluation, results = findings.evaluation, findings.results
    counts = [f"{len(members)} {title}" for title, members in groups_of(results).items() if title != NO_GROUP]
    groups = f" ({', '.join(counts)})" if counts else ""
    slices = sum(result.slices for result in results)
    judged = (
        f"evaluated on {_cases(len(results))} of {counted(len(set(patients_of(results))), 'patient')}{groups} "
        f"with {counted(slices, 'slice')} in all"
    )
    if len(evaluation.judges) > 1:
        text = (
            f"{len(evaluation.judges)} networks, trained alike on all patients but those of one fold each, were "
            f"{judged}: each case by a network that had not seen its patient."
        )
        validated = {judge.fold: judge.record.validation_scans for judge in evaluation.judges}
        in_no_fold = sum(not validated[result.fold].holds_case(result.case, findings.marks) for result in results)
        if in_no_fold:
            were = "was" if in_no_fold == 1 else "were"
            text += f" {_cases(in_no_fold)} of patients whom training left out {were} given to the networks in turn."
        return text
    return f"The {network_name(evaluation)} was {judged}."


def unnamed_text(judged: Sequence[Case]) -> list[str]:
    """What to know where the patients of some judged cases are not known; nothing where all are."""
    unnamed = unnamed_patients(judged)
    if not unnamed:
        return []
    text = (
        f"{unnamed}: where some are of the same patient, there are fewer patients, the intervals are too narrow, and a "
        "network may have been trained on a patient on whom it was evaluated; the column patient of a case list says "
        "whose scans they are."
    )
    return [text]


def _copies(findings: Findings) -> list[str]:
    copies = [f"{copy.name} of {owner.name}" for copy, owner in findings.copies]
    if not copies:
        return []
    text = (
        f"Copies of one CT count as scans of several patients ({some_of(copies)}): there are fewer patients, and the "
        "intervals are too narrow."
    )
    return [text]


def _trained_on(findings: Findings) -> list[str]:
    judge, *others = findings.evaluation.judges
    if others:
        return []  # each case has a network that has not seen its patient
    cases = [result.case for result in findings.results]
    patients = trained_patients(cases, judge.record.seen_scans, findings.marks)
    count = sum(case.patient in patients for case in cases)
    if not count:
        return []
    return [f"It was trained on patients of {_cases(count)} among these; their figures say nothing about new scans."]


def _doubted(findings: Findings) -> list[str]:
    fine = [result.case.group for result in findings.results]
    fine += [one.group for one in findings.evaluation.left_out if one.cause == TRAINED_ON]
    text = doubted_text(fine, [one.group for one in findings.doubted])
    return [text] if text else []


def network_name(evaluation: Evaluation) -> str:
    """What was judged, such as ``network 'lungs', version 1.0``."""
    if len(evaluation.judges) > 1:
        return f"cross-validation by patient with {len(evaluation.judges)} folds"
    card = evaluation.judges[0].card
    return f"network '{card.name}', version {card.version}"


def _by_fold(findings: Findings) -> list[str]:
    parts = [f"{fold}: {DICE.text(dice.mean)} ({_cases(dice.cases)})" for fold, dice in findings.dice_by_fold.items()]
    if not parts:
        return []
    return [f"Mean Dice by fold: {', '.join(parts)}.{f' {FOLDS_NOTE}' if findings.dice.interval else ''}"]


def _chosen_by_judged(findings: Findings) -> list[str]:
    choosing = {judge.fold: judge.record.choosing_scans for judge in findings.evaluation.judges}
    count = sum(choosing[result.fold].holds_case(result.case, findings.marks) for result in findings.results)
    if count and len(findings.evaluation.judges) > 1:
        text = (
            "The Dice is optimistic: early stopping (--patience) selected the networks' steps on the same cases that "
            "are evaluated here."
        )
        return [text]
    return chosen_by_judged(count)


def chosen_by_judged(count: int) -> list[str]:
    """What to know where so many of the judged cases have chosen a network; nothing where none has."""
    if not count:
        return []
    text = (
        "The Dice is optimistic: training with --patience chose a step of the network, or of one that it came from, by "
        f"{_cases(count)} among these."
    )
    return [text]


def _not_finished(evaluation: Evaluation) -> list[str]:
    if not any(judge.card.is_unfinished for judge in evaluation.judges):
        return []
    return ["The training of this network has not finished: it is the best so far, and may change."]


def _how_good(findings: Findings) -> str:
    dice, worst = findings.dice, worst_first(findings.chosen)[0]
    about = "; ".join(filter(None, (dice.confidence_text, findings.range_of_folds)))
    text = f"The mean Dice{findings.of_cases_with_lung} is {DICE.text(dice.mean)} ({about})."
    if dice.cases == 1:
        return text
    group = f" ({worst.case.group})" if worst.case.group else ""
    return f"{text} The worst case is {worst.case.name}{group} with a Dice of {DICE.text(worst.dice)}."


def _by_kind(findings: Findings) -> list[str]:
    parts = [
        f"{counted(dice.cases, kind.removesuffix('s'))} with a mean Dice of {DICE.text(dice.mean)} "
        f"({dice.interval_text})"
        for kind, dice in findings.dice_by_kind.items()
    ]
    return [f"The pooled cases are {' and '.join(parts)}."] if parts else []


def _nothing_found(findings: Findings) -> list[str]:
    if not (count := len(findings.nothing_found)):
        return []
    whose = "its Dice is 0, and it is" if count == 1 else "their Dice is 0, and they are"
    return [f"In {_cases(count)} with lung the network found none: {whose} in no mean of distances or HU differences."]


def _what_goes_wrong(chosen: Sequence[CaseResult]) -> str:
    volume = sum(result.comparisons[NETWORK][LUNGS].reference_ml for result in chosen)
    missed, added = sum(result.missed_ml for result in chosen), sum(result.added_ml for result in chosen)
    dense_missed = sum(result.missed_dense_ml for result in chosen)
    dense_added = sum(result.added_dense_ml for result in chosen)
    text = (
        f"Of all reference lung taken together ({volume:.0f} ml) the network misses {_percent(missed, volume)} (false "
        f"negatives), and it adds {_percent(added, volume)} that the reference does not have (false positives)."
    )
    if missed:
        text += f" {_percent(dense_missed, missed)} of what it misses is denser than {LUNG_HU:.0f} HU "
        text += "(dense disease, vessels)"
        text += f", and so is {_percent(dense_added, added)} of what it adds." if added else "."
    return text


def _beside_thresholding(comparisons: Sequence[BaselineComparison]) -> list[str]:
    if not comparisons:
        return []
    dice = comparisons[0]
    text = f"Plain thresholding reaches a mean Dice of {DICE.text(dice.thresholding.mean)} on the same cases"
    difference = DICE.text(dice.difference, signed=True)
    if dice.interval is None or dice.p is None:
        return [f"{text}; the network differs by {difference}, but {too_few(dice.patients)} for a statement."]
    if is_zero(dice.difference, dice.metric) and not dice.interval.holds_zero:
        return [f"{text}; at this precision the network does not differ from it."]
    limits = f"{LEVEL_PERCENT} % interval {interval_text(dice.interval, signed=True)}; {p_text(dice.p)}"
    if not (excludes_zero(dice.interval, dice.metric) and is_significant(dice.p)):
        return [f"{text}; the difference of {difference} ({limits}) is not distinguishable from 0."]
    word = "better" if dice.difference > 0 else "worse"
    return [f"{text}; the network is {word} by {DICE.text(abs(dice.difference))} (difference {difference}, {limits})."]


def _doubtful(findings: Findings) -> list[str]:
    count = len(findings.results) - len(without_doubt(findings.results))
    if not count:
        return []
    marked = "it is" if count == 1 else "they are"
    text = f"In {_cases(count)} the reference is doubtful, at least in part; {marked} marked and counted in."
    if findings.certain:
        dice = findings.certain_dice
        text += f" Without them the mean Dice is {DICE.text(dice.mean)} ({dice.interval_text}; {_cases(dice.cases)})."
    return [text]


def _accepted(results: Sequence[CaseResult]) -> list[str]:
    count = sum(bool(result.accepted) for result in results)
    if not count:
        return []
    they = "it is marked and counts" if count == 1 else "they are marked and count"
    return [f"The check speaks against the reference of {_cases(count)}, which the case list accepts; {they} in full."]


def _no_lung(results: Sequence[CaseResult]) -> list[str]:
    empty = [result for result in results if not result.has_lung]
    if not empty:
        return []
    wrong = [result for result in empty if result.added_ml]
    text = f"The reference of {_cases(len(empty))} has no lung; such cases are in no mean."
    if not wrong:
        return [f"{text} The network found none there either."]
    worst = max(wrong, key=lambda result: result.added_ml)
    return [
        f"{text} In {len(wrong)} of them the network found some, at most {worst.added_ml:.0f} ml ({worst.case.name})."
    ]


def _not_judged(evaluation: Evaluation) -> list[str]:
    failed, left_out = len(evaluation.failed), len(evaluation.left_out)
    told = []
    if failed:
        told.append(f"{_cases(failed)} could not be evaluated; the reasons are listed at the end.")
    if left_out:
        verb = "was" if left_out == 1 else "were"
        told.append(f"{_cases(left_out)} {verb} left out; the reasons are listed at the end.")
    return told


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %"


def _cases(count: int) -> str:
    return counted(count, "case")

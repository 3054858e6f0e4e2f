"""What the report says below its summary, in its order, for the page and for Markdown alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from LungSegResNetLib.wording import counted

from ..data.dois import address_of
from ..data.draft_mask import LUNG_HU
from .aggregation import nothing_found_text, table1
from .baseline_comparison import BEGUN_NOTE
from .bootstrap import FEW_NOTE, FEW_PATIENTS, FOLDS_NOTE, LEVEL_PERCENT, RESAMPLES, SEED, SKEWED_NOTE
from .case_result import REGIONS, CaseResult
from .findings import Findings
from .group_comparison import GroupDifference, statements_by_pair
from .paper_figures import HOW_GROUPS_ARE_CALLED
from .permutation import LEVEL, PERMUTATIONS
from .permutation import SEED as PERMUTATION_SEED
from .picture_sections import BoxPlots, Figure, box_plot_figure, outlier_figures, typical_figures, typical_note
from .report_tables import (
    TextTable,
    baseline_text,
    cases_text,
    definitions_text,
    doubts_text,
    not_judged_text,
    notes_text,
    provenance_text,
    sides_text,
    sources,
    table1_text,
)

_TABLE1_NOTE = "Mean ± standard deviation (of the sample), below it (minimum, maximum) over cases, both lungs pooled."
_ARTICLE_NOTE = (
    "The figures of the article stand beside the groups it has, as printed. Its rows of relative differences cannot "
    "be compared with ours: by the definitions the relative volume difference is 100 times ME in every case, but it "
    "prints +2.405 % beside an ME of -0.015 and +5.928 % beside -0.024; and a mean of absolute values cannot be nearer "
    "to 0 than all the values are, but there is 0.828 % for mean HU differences of -3.673 % to -2.020 %, "
    "which is not even in its own range of 0 to 0.374 %."
)
_KINDS_NOTE = "Volumes and single slices are pooled but for the last two columns."
_THRESHOLDING_NOTE = (
    f"Thresholding means region growing at {LUNG_HU:.0f} HU with airways removed and the borders closed, on the same "
    "cases; where one of them has no value, as a distance to nothing, the case counts for neither. The difference is "
    "network minus thresholding, case by case; its interval is a bootstrap over patients, and p is two-sided, of "
    "exchanging the methods by patient."
)
_OUTLIER_NOTE = (
    "The worst slices of the worst cases: the slice as it is, and beside it reference (dashed) and network (solid) "
    "with the difference filled in the colour of the outline it lies in."
)
_DEFINITION_NOTE = (
    "R reference, P prediction; TP, FP and FN count voxels of the whole scan that are in both, in P alone and in R "
    "alone, TN those of the lung box, the box around R, that are in neither; V is the number of voxels of R. A mask "
    "has no border where the scan ends: what of the other mask stops short of such a cut is measured to the cut. "
    "Values that do not exist (no lung found, infinite PSNR of equal masks) count in no mean. Confidence intervals are "
    f"percentiles of {RESAMPLES} bootstrap draws of patients with all their cases, seed {SEED}. {SKEWED_NOTE}"
)


@dataclass(frozen=True)
class Statement:
    """A point of a list; ``link`` is an address and its words, which stand before the text."""

    text: str
    link: tuple[str, str] | None = None


@dataclass(frozen=True)
class Section:
    """A heading of the second level or, for a part of the section before it, of the third, and what stands below it.

    Figures are in the page only.
    """

    title: str
    note: str = ""
    table: TextTable | None = None
    statements: Sequence[Statement] = ()
    figures: Sequence[Figure] = ()
    level: int = 2


def sections_of(findings: Findings, plots: BoxPlots | None) -> list[Section]:
    """All sections in their order; ``plots`` is None where no case has lung."""
    sections = []
    if plots:
        sections += _table1_sections(findings)
        if comparisons := findings.beside_thresholding:
            nothing_found = nothing_found_text(comparisons[0].nothing_found)
            few = _note_on_few(one.patients for one in comparisons)
            note = _joined(_THRESHOLDING_NOTE, BEGUN_NOTE, nothing_found, few, findings.pooled)
            sections.append(Section("Comparison with plain thresholding", note, baseline_text(comparisons)))
        sections.append(Section("Distributions", findings.pooled, figures=[box_plot_figure(plots)]))
        sections += _group_sections(findings)
        sections.append(
            Section("Typical results", typical_note(findings.chosen), figures=typical_figures(findings.chosen))
        )
        if outliers := outlier_figures(findings.results):
            sections.append(Section("Outliers", _OUTLIER_NOTE, figures=outliers))
    sections += _case_sections(findings)
    about_folds = FOLDS_NOTE if findings.dice_by_fold else ""
    sections.append(Section("Definitions", _joined(_DEFINITION_NOTE, about_folds), definitions_text()))
    if statements := _sources(findings):
        sections.append(Section("Data", statements=statements))
    return [*sections, Section("How this was made", table=provenance_text(findings.provenance))]


def _table1_sections(findings: Findings) -> list[Section]:
    article, further = table1_text(findings.columns)
    beside_article = any(column.from_paper for column in findings.columns)
    nothing_found = nothing_found_text(len(findings.nothing_found))
    kinds = _KINDS_NOTE if findings.pooled else ""
    note = _joined(_TABLE1_NOTE, _ARTICLE_NOTE if beside_article else HOW_GROUPS_ARE_CALLED, nothing_found, kinds)
    sections = [Section("Table 1", note, article)]
    if findings.certain and len(findings.certain) < len(findings.chosen):
        certain, _ = table1_text(table1(findings.certain))
        sections.append(Section("Without cases whose reference is doubtful", table=certain, level=3))
    sections.append(Section("Further metrics", nothing_found, further, level=3))
    in_sides = [result for result in findings.chosen if any(result.found_nothing(region=one) for one in REGIONS)]
    note = _joined(_note_on_sides(findings.chosen), nothing_found_text(len(in_sides)), findings.pooled)
    sections.append(Section("Right and left lung", note, sides_text(findings.chosen), level=3))
    return sections


def _note_on_sides(results: Sequence[CaseResult]) -> str:
    """Which cases have no figures of their sides, and why; empty where all have."""
    if not (count := sum(not result.has_sides for result in results)):
        return ""
    they_are = "it is" if count == 1 else "they are"
    return (
        f"The reference of {counted(count, 'case')} has one value for both lungs. Both masks were divided by the same "
        f"function there, which would partly be compared with itself, so {they_are} in no figure of a side."
    )


def _group_sections(findings: Findings) -> list[Section]:
    if not (differences := findings.group_differences):
        return []
    return [
        Section("Groups compared", _joined(_interval_note(differences), findings.pooled)),
        *(
            Section(title, statements=[Statement(statement) for statement in statements], level=3)
            for title, statements in statements_by_pair(differences).items()
        ),
    ]


def _interval_note(differences: Sequence[GroupDifference]) -> str:
    note = (
        "The means of the groups are compared, not single cases. Intervals contain the difference of means of "
        f"{LEVEL_PERCENT} % of {RESAMPLES} bootstrap draws of patients (seed {SEED}); p is two-sided, from "
        f"{PERMUTATIONS} permutations of patients between the groups (seed {PERMUTATION_SEED}), or from all where "
        f"there are fewer. A mean is called lower or higher only where the interval excludes 0 and p < {LEVEL}, each "
        "metric on its own: of many comparisons up to one in twenty does so by chance."
    )
    return _joined(note, _note_on_few(min(difference.patients) for difference in differences))


def _note_on_few(patients: Iterable[int]) -> str:
    return FEW_NOTE if any(0 < count < FEW_PATIENTS for count in patients) else ""


def _joined(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


def _case_sections(findings: Findings) -> list[Section]:
    """The table of cases, and what a reader has to know of single ones."""
    evaluation = findings.evaluation
    about = {
        "Doubtful and accepted references": doubts_text(findings.results),
        "Notes of reading and segmenting": notes_text(findings.results),
        "Failed cases": not_judged_text(evaluation.failed),
        "Cases left out": not_judged_text(evaluation.left_out),
    }
    return [
        Section("Cases", _note_on_sides(findings.results), cases_text(findings.results)),
        *(Section(title, table=table, level=3) for title, table in about.items() if table.rows),
    ]


def _sources(findings: Findings) -> list[Statement]:
    statements = []
    for licence, doi, count in sources(findings.results):
        text = f"{licence or 'licence not stated'}, {counted(count, 'case')}"
        address = address_of(doi)
        link = (address, doi if doi == address else f"doi:{doi}") if doi else None
        statements.append(Statement(text if link else f"no DOI: {text}", link))
    return statements

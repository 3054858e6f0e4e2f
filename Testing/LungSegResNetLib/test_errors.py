from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from LungSegResNetLib.errors import EXIT_CODES, InputError, OutputExistsError, OutputInUseError, sentence_of


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (InputError("The mask is empty."), "The mask is empty."),
        (MemoryError("Unable to allocate 2 TiB"), "There is not enough memory for this scan."),
        (KeyError("spacing"), "The case could not be read (KeyError: 'spacing')."),
        (RuntimeError("sitk::ERROR: odd\nat line 3"), "The case could not be read (RuntimeError: sitk::ERROR: odd)."),
        (AssertionError(), "The case could not be read (AssertionError)."),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_case_that_fails_says_why_in_one_sentence(error: Exception, sentence: str) -> None:
    assert sentence_of(error, "The case could not be read") == sentence


def test_the_page_of_the_command_line_says_of_each_exit_code_what_the_help_says() -> None:
    page = (Path(__file__).parents[2] / "docs" / "command_line.md").read_text(encoding="utf-8")
    table = page.partition("## Exit codes\n")[2].partition("\n\n")[0]
    assert table.splitlines()[2:] == [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (InputError("The mask is empty."), "The mask is empty."),
        (OutputExistsError(Path("a.nrrd")), "a.nrrd exists already; choose another name."),
        (OutputExistsError("b", "holds another evaluation; choose another folder."), "b holds another evaluation; cho"),
        (OutputInUseError(Path("a.csv")), "a.csv cannot be replaced (is it open in another program?)"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_says_the_same_in_the_process_that_it_is_sent_to(error: Exception, sentence: str) -> None:
    sent = pickle.loads(pickle.dumps(error))
    assert type(sent) is type(error)
    assert str(sent) == str(error)
    assert str(sent).startswith(sentence)

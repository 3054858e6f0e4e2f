from __future__ import annotations

import pytest

from LungSegResNetLib.errors import InputError, sentence_of


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

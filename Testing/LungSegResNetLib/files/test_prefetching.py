"""Files are read at once, and come in their order."""

from __future__ import annotations

import threading

import pytest

from LungSegResNetLib.files.prefetching import read_ahead


def test_two_files_are_read_at_once_and_come_in_their_order() -> None:
    first_two = threading.Barrier(2)

    def read(number: int) -> int:
        if number < 2:
            first_two.wait(30)  # broken where one is read after the other
        return -number

    assert list(read_ahead(read, range(50))) == [-number for number in range(50)]


def test_few_results_wait_to_be_taken() -> None:
    begun: list[int] = []

    def read(number: int) -> int:
        begun.append(number)
        return number

    for taken in read_ahead(read, range(200)):
        assert len(begun) <= taken + 1 + 9


def test_an_error_comes_in_its_place_and_ends_the_reading() -> None:
    begun: list[int] = []

    def read(number: int) -> int:
        begun.append(number)
        if number == 3:
            raise ValueError("damaged")
        return number

    came: list[int] = []
    with pytest.raises(ValueError, match="damaged"):
        came.extend(read_ahead(read, range(1000)))
    assert came == [0, 1, 2]
    assert len(begun) < 20

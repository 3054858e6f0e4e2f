"""Tables that spreadsheets and programs read."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from LungSegResNetLib.tables import read_rows, write_rows


@pytest.mark.parametrize(("name", "is_marked"), [("Müller", True), ("Mueller", False)])
def test_a_table_with_umlauts_says_that_it_is_utf_8_and_any_other_is_plain(
    name: str, is_marked: bool, tmp_path: Path
) -> None:
    path = tmp_path / "results.csv"
    write_rows(path, [{"case": name, "volume_ml": 1.5}, {"case": "b", "side": "right"}], overwrite=False)
    content = path.read_bytes()
    assert content.startswith(codecs.BOM_UTF8) == is_marked  # Excel takes a table without it for Windows' own letters
    assert content.decode("utf-8-sig") == f"case,volume_ml,side\r\n{name},1.5,\r\nb,,right\r\n"
    assert read_rows(path, ("case",))[0] == {"case": name, "volume_ml": "1.5", "side": ""}

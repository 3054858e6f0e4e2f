"""Case lists: what a row has to have, what an earlier check left out, and whose scan a case is."""

from __future__ import annotations

from pathlib import Path

import pytest

from LungSegResNetLib.errors import InputError
from LungSegResNetLib.tables import read_rows, write_csv
from LungSegResNetTrainingLib.data.cases import (
    CASE_COLUMNS,
    DOUBTFUL,
    OK,
    TRAIN,
    VALIDATION,
    Case,
    ListedCase,
    read_case_list,
    read_cases,
    unnamed_patients,
)
from LungSegResNetTrainingLib.data.data_set import list_data_set

_CHECKED = """case,ct,mask,patient,status,reasons
a,a.nii,am.nii,p1,ok,
b,b.nii,bm.nii,p1,doubtful,Right and left are swapped.
c,,,,no pair,There is no mask.
d,d.nii,dm.nii,p2,excluded,
"""


def write_list(folder: Path, text: str) -> Path:
    path = folder / "list.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("p1", r"Line 3 \(p1\) of the case list .*list.csv lacks ct, mask"),
        ("p1,ct.nii, ", r"Line 3 \(p1\) of the case list .*list.csv lacks mask"),
        (",ct.nii,mask.nii", r"Line 3 of the case list .*list.csv lacks case"),
    ],
)
def test_a_row_that_lacks_something_is_named(tmp_path: Path, row: str, sentence: str) -> None:
    path = write_list(tmp_path, f"case,ct,mask\na,a.nii,b.nii\n{row}\n")
    with pytest.raises(InputError, match=sentence):
        read_cases(path)


@pytest.mark.parametrize(
    ("written", "split"),
    [("", TRAIN), ("Training", TRAIN), ("val", VALIDATION), ("valid", VALIDATION), ("VALIDATION", VALIDATION)],
)
def test_splits_are_known_by_their_usual_names(tmp_path: Path, written: str, split: str) -> None:
    (case,) = read_cases(write_list(tmp_path, f"case,ct,mask,split\na,a.nii,b.nii,{written}\n"))
    assert case.split == split


def test_empty_rows_and_cells_beyond_the_last_column_do_no_harm(tmp_path: Path) -> None:
    path = write_list(tmp_path, "case,ct,mask\na,a.nii,b.nii,more,and more\n,,\n\n")
    assert [case.name for case in read_cases(path)] == ["a"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_list_is_read_as_spreadsheets_of_any_country_save_it(tmp_path: Path, delimiter: str) -> None:
    text = "\ufeffCase,CT,Mask, Split ,Status,reasons\na,a.nii,b.nii,Validation,OK,\nb,b.nii,b.nii,,Doubtful,Moved\n"
    path = write_list(tmp_path, text.replace(",", delimiter))
    (case,) = read_cases(path)
    assert (case.name, case.split) == ("a", "validation")
    assert [(row.status, row.reasons) for row in read_case_list(path)] == [(OK, ""), (DOUBTFUL, "Moved")]
    path.write_text(text.replace(",", delimiter).replace("b.nii", "", 1), encoding="utf-8")
    with pytest.raises(InputError, match=r"Line 2 \(a\) .* lacks mask"):
        read_cases(path)


@pytest.mark.parametrize("above", ["\n", ",,,\r\n", ";;;\n\n", "sep=;\n", '\ufeff"sep=;"\n', "SEP=;;;\r\n \n"])
def test_empty_lines_and_excels_separator_may_lie_above_the_columns(tmp_path: Path, above: str) -> None:
    path = write_list(tmp_path, f"{above}case;ct;mask\na;a.nii;b.nii\nb;b.nii;\n")
    line = above.count("\n") + 3
    with pytest.raises(InputError, match=rf"Line {line} \(b\) .* lacks mask"):
        read_case_list(path)
    path.write_text(path.read_text(encoding="utf-8").replace("b;b.nii;", ";;"), encoding="utf-8")
    assert [case.name for case in read_cases(path)] == ["a"]
    assert read_rows(path, ("case", "mask"))[0] == {"case": "a", "ct": "a.nii", "mask": "b.nii"}


def test_the_separator_that_excel_is_told_may_be_any_and_another_program_may_have_replaced_it(tmp_path: Path) -> None:
    path = write_list(tmp_path, "sep=|\ncase|ct|mask\na|a,1.nii|b.nii\n")
    assert [case.ct.name for case in read_cases(path)] == ["a,1.nii"]
    path = write_list(tmp_path, "sep=;,,\ncase,ct,mask\na,a.nii,b.nii\n")
    assert [case.ct.name for case in read_cases(path)] == ["a.nii"]


@pytest.mark.parametrize("header", ["case;ct;mask;Note (age, sex, smoker, dose)", '"case";"ct";"mask";"a, b, c, d, e"'])
def test_what_parts_the_columns_that_are_needed_goes_before_commas_in_a_name(tmp_path: Path, header: str) -> None:
    path = write_list(tmp_path, f"{header}\na;a.nii;b.nii;60, m, no, 2\n")
    assert [case.mask.name for case in read_cases(path)] == ["b.nii"]
    assert read_rows(path, ("case", "mask"))[0]["mask"] == "b.nii"


def test_of_two_cases_of_one_name_in_two_splits_the_name_is_told_not_a_patient(tmp_path: Path) -> None:
    path = write_list(tmp_path, "case,ct,mask,split\na,a.nii,a.nii,train\na,b.nii,b.nii,validation\n")
    with pytest.raises(InputError, match="Two cases are called a, one in train and one in validation; give each its"):
        list_data_set(path)
    path = write_list(tmp_path, "case,ct,mask,split,patient\na,a.nii,a.nii,train,p\nb,b.nii,b.nii,validation,p\n")
    with pytest.raises(InputError, match=r"Patient p is in both train and validation \(case b\)"):
        list_data_set(path)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_list_in_another_encoding_says_how_to_save_it(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "cases.csv"
    path.write_text("case,ct,mask\nMüller,ct.nii,mask.nii\n", encoding=encoding)
    with pytest.raises(InputError, match="save it as 'CSV UTF-8'"):
        read_case_list(path)


def test_of_a_checked_list_all_rows_are_read_and_only_the_fine_ones_count(tmp_path: Path) -> None:
    path = write_list(tmp_path, _CHECKED)
    rows = read_case_list(path)
    assert [(row.name, row.status, row.case is None) for row in rows] == [
        ("a", OK, False), ("b", DOUBTFUL, False), ("c", "no pair", True), ("d", "excluded", False),
    ]  # fmt: skip
    assert [case.name for case in read_cases(path)] == ["a"]


def test_rows_come_back_from_the_table_that_they_were_written_to(tmp_path: Path) -> None:
    files = tmp_path / "a.nii", tmp_path / "m.nii"
    named = Case("a", *files, "validation", "p", "COVID-19", "base", "CC0", "10.1/2", accepted="R.")
    nobodys = Case("b", tmp_path / "b.nii", tmp_path / "n.nii", "test", "b", patient_is_named=False)
    rows = [
        ListedCase("a", named, DOUBTFUL, "Right and left are swapped.", {"right_ml": "2000"}),
        ListedCase("b", nobodys, OK, "", {"right_ml": ""}),
        ListedCase("c", None, "refused", "There is no mask.", {"right_ml": ""}, "normal"),
    ]
    write_csv(tmp_path / "table.csv", (*CASE_COLUMNS, "right_ml"), [row.cells(lambda file: file.name) for row in rows])
    assert read_case_list(tmp_path / "table.csv") == rows


def test_a_data_set_says_which_rows_of_its_list_are_left_out_and_why(tmp_path: Path) -> None:
    path = write_list(tmp_path, _CHECKED)
    found = list_data_set(path)
    assert [case.name for case in found.cases] == ["a"]
    assert {item.name: (item.verdict.status, item.reason) for item in found.left_out} == {
        "b": ("doubtful", "Right and left are swapped."),
        "c": ("no pair", "There is no mask."),
        "d": ("excluded", "The case list says so."),
    }
    assert [case.name for case in list_data_set(path, (OK, DOUBTFUL)).cases] == ["a", "b"]


def test_a_row_that_a_check_left_out_counts_once_it_is_accepted_and_no_other_does(tmp_path: Path) -> None:
    rows = [
        ("a", "doubtful", "seen by R."),
        ("b", "refused", "white lungs"),
        ("c", "excluded", "seen"),
        ("d", "ok", ""),
    ]
    rows += [("e", "refused", " No "), ("f", "refused", "")]
    lines = [f"{name},{name}.nii,{name}.nii,{status},{accepted}" for name, status, accepted in rows]
    path = write_list(tmp_path, "\n".join(["case,ct,mask,status,accepted", *lines]))
    assert [case.name for case in list_data_set(path).cases] == ["a", "b", "d"]
    assert [(case.name, case.accepted) for case in read_cases(path)] == [
        ("a", "seen by R."), ("b", "white lungs"), ("d", ""),
    ]  # fmt: skip
    assert [item.name for item in list_data_set(path).left_out] == ["c", "e", "f"]


def test_one_ct_of_two_patients_is_one_case_and_of_one_patient_two(tmp_path: Path) -> None:
    path = write_list(tmp_path, "case,ct,mask,patient\na,x.nii,a.nii,p1\nb,./x.nii,b.nii,p1\nc,x.nii,c.nii,\n")
    found = list_data_set(path)
    assert [case.name for case in found.cases] == ["a", "b"]
    assert [item.name for item in found.left_out] == ["c"]
    assert "name the same patient for both" in found.left_out[0].reason


def test_cases_that_name_no_patient_are_counted(tmp_path: Path) -> None:
    def told(*patients: str) -> str:
        rows = "".join(f"{n},{n}.nii,m{n}.nii,{patient}\n" for n, patient in enumerate(patients))
        return unnamed_patients(list_data_set(write_list(tmp_path, "case,ct,mask,patient\n" + rows)).cases)

    assert told("", "") == "Each case counts as a patient of its own"
    assert told("", "p", "q").startswith("1 of 3 cases name no patient")
    assert told("0", "1") == ""
    assert told("") == ""


def test_characters_that_no_path_has_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes(b"case,ct,mask\na,a\0.nii,a.nii\n")
    with pytest.raises(InputError, match=r"Line 2 of the case list .* has characters of no text"):
        read_cases(tmp_path / "list.csv")

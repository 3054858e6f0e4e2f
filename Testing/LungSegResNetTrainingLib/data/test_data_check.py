from __future__ import annotations

import io
from pathlib import Path

import dicom_files
import numpy as np
import ptk_files
import pytest
import SimpleITK as sitk
from PIL import Image, ImageDraw
from synthetic_thorax import Thorax
from training_cases import write_huge_ct

from LungSegResNetLib.ct_volume import CTVolume, Geometry
from LungSegResNetLib.errors import InputError, OutputError
from LungSegResNetLib.figures.drawing import TEXT, draw_tag
from LungSegResNetLib.tables import read_rows
from LungSegResNetTrainingLib.data.case_reading import read_case
from LungSegResNetTrainingLib.data.cases import OK, Case, read_cases
from LungSegResNetTrainingLib.data.contact_sheet import draw_row, write_contact_sheet
from LungSegResNetTrainingLib.data.data_check import check_case, check_data_set, write_check_table
from LungSegResNetTrainingLib.data.pair_check import PairVerdict, check_pair


@pytest.fixture
def data_set(tmp_path: Path) -> Path:
    """A good case, one with exchanged sides, one with a mask of another scan, a damaged CT, a CT without mask."""
    folder = tmp_path / "data"
    image, mask = Thorax().scan((4.0, 4.0, 8.0), (400.0, 300.0, 304.0))
    ct, truth = CTVolume.from_sitk(image, "phantom"), sitk.GetArrayFromImage(mask)
    for name in ("good", "exchanged", "foreign", "damaged", "lonely"):
        (folder / name).mkdir(parents=True)
        sitk.WriteImage(image, str(folder / name / "ct.nii.gz"))
    ptk_files.write_mhd(folder / "good" / "lungs.mhd", truth, ct)
    ptk_files.write_label_map(folder / "exchanged" / "lungs.nii.gz", np.array([0, 2, 1], np.uint8)[truth], ct)
    ptk_files.write_mat(folder / "foreign" / "lungs.mat", truth[1:])
    ptk_files.write_label_map(folder / "damaged" / "lungs.nii.gz", truth, ct)
    (folder / "damaged" / "ct.nii.gz").write_bytes(b"cut off")
    return folder


def test_one_broken_case_does_not_stop_the_others(data_set: Path) -> None:
    seen = []
    checks = {c.name: c for c in check_data_set(data_set, lambda *progress: seen.append(progress))}
    assert {name: c.verdict.status for name, c in checks.items()} == {
        "good": "ok", "exchanged": "doubtful", "foreign": "refused", "damaged": "refused", "lonely": "no pair",
    }  # fmt: skip
    assert checks["good"].format == "PTK MetaImage"
    assert all(len(c.verdict.reasons) == 1 for name, c in checks.items() if name != "good")
    assert seen == [(0, 4), (1, 4), (2, 4), (3, 4)]


def test_a_scan_too_large_for_the_memory_is_told_as_that(data_set: Path) -> None:
    write_huge_ct(data_set / "huge_ct.nrrd")
    case = Case("huge", data_set / "huge_ct.nrrd", data_set / "good" / "lungs.mhd", "train", "huge")
    assert check_case(case).verdict.reasons == ("There is not enough memory for this scan.",)


def test_the_table_is_a_case_list_of_what_may_be_trained_on(data_set: Path, tmp_path: Path) -> None:
    checks = check_data_set(data_set)
    write_check_table(tmp_path / "check.csv", checks, overwrite=False)
    assert "data/good/lungs.mhd" in (tmp_path / "check.csv").read_text(encoding="utf-8")
    (case,) = read_cases(tmp_path / "check.csv")
    assert case.name == "good"
    ct, mask = read_case(case)
    assert mask.labels.shape == ct.hu.shape
    with pytest.raises(OutputError):
        write_check_table(tmp_path / "check.csv", checks, overwrite=False)


def test_a_table_that_is_checked_again_loses_no_case_and_judges_what_was_doubted(
    data_set: Path, tmp_path: Path
) -> None:
    table = tmp_path / "check.csv"
    write_check_table(table, check_data_set(data_set), overwrite=False)
    before = {check.name: check.verdict for check in check_data_set(table)}
    assert before == {check.name: check.verdict for check in check_data_set(data_set)}
    assert {name: verdict.status for name, verdict in before.items()}["lonely"] == "no pair"
    (data_set / "damaged" / "ct.nii.gz").write_bytes((data_set / "good" / "ct.nii.gz").read_bytes())
    assert {check.name for check in check_data_set(table) if check.ok} == {"good", "damaged"}


def test_of_two_equal_series_of_a_ct_the_softer_one_is_read_and_told(tmp_path: Path) -> None:
    image, mask = Thorax().scan((6.0, 6.0, 20.0))
    for number, kernel in enumerate(("B70f", "B30f")):
        tags = {"SeriesDescription": kernel, "ConvolutionKernel": kernel, "SeriesNumber": number}
        dicom_files.write_series(tmp_path / "a" / "ct" / kernel, image + number, StudyInstanceUID="1.2.3", **tags)
    sitk.WriteImage(mask, str(tmp_path / "a" / "lungs.nii"))
    case = Case("a", tmp_path / "a" / "ct", tmp_path / "a" / "lungs.nii", "train", "a")
    np.testing.assert_array_equal(read_case(case)[0].hu, sitk.GetArrayFromImage(image) + 1)
    check = check_case(case, with_picture=False)
    assert check.ok
    (note,) = check.notes
    assert note == (
        "Of several CT series 'B30f' (number 2, 16 slices, 20 mm, kernel B30f) was taken; "
        "left aside: 'B70f' (number 1, 16 slices, 20 mm, kernel B70f)."
    )


def test_what_a_person_excluded_stays_excluded(data_set: Path, tmp_path: Path) -> None:
    table = tmp_path / "check.csv"
    write_check_table(table, check_data_set(data_set), overwrite=False)
    table.write_text(table.read_text(encoding="utf-8").replace(",ok,", ",excluded,"), encoding="utf-8")
    assert {check.name: check.verdict.status for check in check_data_set(table)}["good"] == "excluded"


def test_a_patient_whom_nobody_named_gets_no_name_by_the_check(data_set: Path, tmp_path: Path) -> None:
    table = tmp_path / "check.csv"
    write_check_table(table, check_data_set(data_set), overwrite=False)
    (case,) = read_cases(table)
    assert (case.patient, case.patient_is_named) == ("good", False)


def test_a_case_list_with_missing_files_is_checked_case_by_case(data_set: Path) -> None:
    (data_set / "cases.csv").write_text(
        "case,ct,mask,group\na,good/ct.nii.gz,good/lungs.mhd,normal\nb,gone.nii.gz,good/lungs.mhd,normal\n",
        encoding="utf-8",
    )
    first, second = check_data_set(data_set)
    assert (first.ok, second.ok) == (True, False)
    assert first.case is not None
    assert first.case.group == "normal"
    assert "gone.nii.gz" in second.verdict.reasons[0]


def test_a_name_that_no_disk_can_hold_costs_no_other_case(data_set: Path) -> None:
    (data_set / "cases.csv").write_text(
        f"case,ct,mask\na,good/ct.nii.gz,good/lungs.mhd\nb,{'x' * 300}.nii.gz,good/lungs.mhd\n", encoding="utf-8"
    )
    first, second = check_data_set(data_set)
    assert (first.ok, second.ok) == (True, False)
    assert "xxx" in second.verdict.reasons[0]


def test_a_folder_without_cases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No case was found"):
        check_data_set(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        check_data_set(tmp_path / "nowhere")


def test_the_contact_sheet_shows_both_outlines_and_lists_what_could_not_be_read(data_set: Path, tmp_path: Path) -> None:
    checks = check_data_set(data_set)
    (file,) = write_contact_sheet(tmp_path / "sheet.png", checks, overwrite=False)
    sheet = np.asarray(Image.open(file))
    drawn = [np.asarray(Image.open(io.BytesIO(c.row_png))) for c in checks if c.row_png]
    assert len(drawn) == 2
    captions, legend = 20 * (len(checks) - len(drawn)), 30
    assert sheet.shape == (sum(row.shape[0] for row in drawn) + captions + legend, 960, 3)
    blue, orange = ((sheet == color).all(axis=2) for color in ([89, 166, 217], [242, 178, 76]))
    assert np.count_nonzero(blue) > 300
    assert np.count_nonzero(orange) > 300
    assert blue[:legend].any()
    assert orange[:legend].any()


def test_the_contact_sheet_says_which_side_and_which_position_a_picture_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[str, bool, bool]] = []

    def tag(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, anchor: str) -> None:
        """As the real one, and noting on which half of the width and of the height the text stands."""
        width, height = draw._image.size
        drawn.append((text, at[0] > width / 2, at[1] > height / 2))
        draw_tag(draw, at, text, anchor)

    monkeypatch.setattr("LungSegResNetTrainingLib.data.contact_sheet.draw_tag", tag)
    labels = np.zeros((40, 60, 60), np.uint8)
    labels[10:30, 20:40, 10:30] = 1
    native = Geometry((60, 60, 40), (3.0, 3.0, 3.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    ct = CTVolume.from_array(np.where(labels, -900, 40).astype(np.int16), native, "blocks")
    row = draw_row(ct, labels, "blocks", PairVerdict(OK, ()))[20:]
    positions = [ct.position_text(0, 14), ct.position_text(0, 20), ct.position_text(0, 25), ct.position_text(1, 20)]
    assert drawn == [*((text, False, True) for text in positions), ("R", False, False), ("L", True, False)]
    for corner in (row[:30, :30], row[:30, -30:], row[-30:, :30]):
        assert (corner == TEXT).all(axis=2).any()


def test_the_contact_sheet_shows_slices_of_lung_that_the_mask_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    image, mask = Thorax().scan((4.0, 4.0, 8.0), (400.0, 300.0, 304.0))
    ct, truth = (CTVolume.from_sitk(volume, "phantom") for volume in (image, mask))
    slices = np.flatnonzero(truth.hu.any(axis=(1, 2)))
    upper = truth.hu.astype(np.uint8)
    upper[: int(slices.mean())] = 0
    told: list[str] = []
    place = "LungSegResNetTrainingLib.data.contact_sheet.draw_tag"
    monkeypatch.setattr(place, lambda draw, at, text, anchor: told.append(text))
    draw_row(ct, upper, "upper", check_pair(ct, upper))
    levels = [index for index in range(len(upper)) if ct.position_text(0, index) in told[:3]]
    assert len(levels) == 3
    assert slices[0] < levels[0] < slices[len(slices) // 3]
    assert slices[2 * len(slices) // 3] < levels[2] < slices[-1]


def test_the_coronal_outline_on_the_contact_sheet_lies_on_the_lung_with_the_head_up() -> None:
    labels = np.zeros((40, 60, 60), np.uint8)
    labels[24:36, 20:40, 10:30] = 1  # in the upper half
    native = Geometry((60, 60, 40), (3.0, 3.0, 3.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    ct = CTVolume.from_array(np.where(labels, -900, 40).astype(np.int16), native, "blocks")
    coronal = draw_row(ct, labels, "blocks", PairVerdict(OK, ()))[20:, 3 * 240 :]
    rows, columns = np.nonzero((coronal == (89, 166, 217)).all(axis=2))
    assert rows.max() < 90
    inside = coronal[(rows.min() + rows.max()) // 2, (columns.min() + columns.max()) // 2]
    assert inside.max() < 100 < coronal[150, 120].min(), "dark lung in bright tissue"


def test_a_single_slice_is_shown_large_without_and_with_its_outlines_on_the_contact_sheet() -> None:
    labels = np.zeros((1, 60, 60), np.uint8)
    labels[0, 20:40, 10:30] = 1
    native = Geometry((60, 60, 1), (3.0, 3.0, 3.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    ct = CTVolume.from_array(np.where(labels, -900, 40).astype(np.int16), native, "slice")
    row = draw_row(ct, labels, "slice", PairVerdict(OK, ()))
    assert row.shape == (20 + 360, 960, 3)  # as wide as other rows
    plain, outlined = np.split(row[20:], 2, axis=1)
    blue = [(tile == (89, 166, 217)).all(axis=2) for tile in (plain, outlined)]
    assert not blue[0].any()
    rows, columns = np.nonzero(blue[1])
    # 20 of 60 pixels of a slice that is as high as the tile.
    assert (np.ptp(rows), np.ptp(columns)) == pytest.approx((120, 120), abs=4)
    middle = (rows.min() + rows.max()) // 2, (columns.min() + columns.max()) // 2
    assert plain[middle].max() == outlined[middle].max() < 100


def test_pictures_are_drawn_only_where_a_sheet_is_asked_for(data_set: Path) -> None:
    assert not any(check.row_png for check in check_data_set(data_set, with_pictures=False))


def test_a_large_data_set_gets_several_contact_sheets(data_set: Path, tmp_path: Path) -> None:
    checks = check_data_set(data_set)[:1] * 41
    files = write_contact_sheet(tmp_path / "sheet.png", checks, overwrite=False)
    assert [file.name for file in files] == ["sheet.png", "sheet_2.png"]
    assert all(file.is_file() for file in files)


def test_a_smaller_data_set_leaves_no_page_of_an_earlier_contact_sheet(data_set: Path, tmp_path: Path) -> None:
    (check,) = check_data_set(data_set / "foreign")
    write_contact_sheet(tmp_path / "s.png", [check] * 81, overwrite=False)
    others = [tmp_path / name for name in ("s_5.png", "s_03.png", "s_2.txt", "ss_2.png")]
    for path in others:
        path.touch()
    assert write_contact_sheet(tmp_path / "s.png", [check], overwrite=True) == [tmp_path / "s.png"]
    assert sorted(tmp_path.glob("s*")) == sorted([tmp_path / "s.png", *others])


def test_volumes_of_right_and_left_lung_stand_under_their_names(
    data_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captions: list[str] = []
    place = "LungSegResNetTrainingLib.data.contact_sheet.fitted"
    monkeypatch.setattr(place, lambda draw, text, room, size: captions.append(text) or text)
    (check,) = (check for check in check_data_set(data_set) if check.name == "good")
    write_check_table(tmp_path / "check.csv", [check], overwrite=False)
    (row,) = read_rows(tmp_path / "check.csv")
    right, left = (f"{ml:.0f}" for ml in check.verdict.volumes_ml)
    assert right != left
    assert (row["right_ml"], row["left_ml"]) == (right, left)
    assert any(f"right {right} ml, left {left} ml, mean -" in text for text in captions if text.startswith("good "))


def test_the_axial_outlines_on_the_contact_sheet_have_the_right_lung_on_the_left() -> None:
    labels = np.zeros((40, 60, 60), np.uint8)
    labels[10:30, 20:40, 10:30] = 1
    native = Geometry((60, 60, 40), (3.0, 3.0, 3.0), (0.0, 0.0, 0.0), (1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0))
    ct = CTVolume.from_array(np.where(labels, -900, 40).astype(np.int16), native, "blocks")
    row = draw_row(ct, labels, "blocks", PairVerdict(OK, ()))[20:]
    for tile in np.split(row, 4, axis=1)[:3]:
        rows, columns = np.nonzero((tile == (89, 166, 217)).all(axis=2))
        assert columns.max() <= 120
        assert tile[(rows.min() + rows.max()) // 2, (columns.min() + columns.max()) // 2].max() < 100

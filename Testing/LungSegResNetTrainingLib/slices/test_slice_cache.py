from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import ptk_files
import pydicom
import pytest
import SimpleITK as sitk
from dicom_files import write_series
from synthetic_thorax import Thorax
from training_cases import write_case

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.network.architecture import SLICE_SHAPE
from LungSegResNetTrainingLib.data.cases import Case
from LungSegResNetTrainingLib.slices.slice_cache import (
    BODY,
    LEFT,
    OUTSIDE,
    PIXEL_MM,
    RIGHT,
    cache_case,
)


def test_another_picture_of_a_mask_that_is_named_by_one_of_them_is_noticed(tmp_path: Path) -> None:
    case = write_case(tmp_path, spacing=(6.0, 6.0, 20.0))
    ct, mask = CTVolume.from_sitk(sitk.ReadImage(str(case.ct)), "ct"), _mask_of(case).hu
    ptk_files.write_color_dicom(tmp_path / "colours", mask, ct)
    named = replace(case, mask=tmp_path / "colours" / "lungs0.dcm")
    before = len(cache_case(named, tmp_path / "cache").lung_slices)
    other = tmp_path / "colours" / f"lungs{len(mask) // 2}.dcm"
    section = pydicom.dcmread(other)
    section.PixelData = b"\0" * len(section.PixelData)
    section.save_as(other)
    assert len(cache_case(named, tmp_path / "cache").lung_slices) == before - 1


def test_other_rules_judge_a_cached_case_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = write_case(tmp_path, spacing=(6.0, 6.0, 20.0))
    assert cache_case(case, tmp_path / "cache").verdict.status == "ok"
    monkeypatch.setattr("LungSegResNetTrainingLib.slices.slice_cache.reading_digest", lambda: "of other code")
    monkeypatch.setattr("LungSegResNetTrainingLib.data.pair_check._AERATED_SHARE", 1.0)
    assert cache_case(case, tmp_path / "cache").verdict.status == "doubtful"


def _mask_of(case: Case) -> CTVolume:
    return CTVolume.from_sitk(sitk.ReadImage(str(case.mask)), "mask")


def _rewrite(path: Path, image: sitk.Image) -> None:
    path.unlink()
    sitk.WriteImage(image, str(path))


@pytest.mark.parametrize("spacing", [(0.8, 0.8, 20.0), (1.0, 1.0, 20.0), (1.5, 2.0, 20.0)])
def test_lungs_keep_their_size_and_place_at_one_millimetre(tmp_path: Path, spacing: tuple[float, float, float]) -> None:
    case = write_case(tmp_path, spacing=spacing)
    cached = cache_case(case, tmp_path / "cache")
    native = _mask_of(case)
    dy, dx = native.spacing_zyx[1:]
    assert cached.hu.shape == cached.labels.shape
    assert cached.hu[0].dtype == np.int16
    assert cached.spacing_z == pytest.approx(20.0)
    # Whole numbers of pixels fill the field, so that a pixel is 1 mm but for some thousandths.
    pixel_y, pixel_x = (n * d / m for n, d, m in zip(native.hu.shape[1:], (dy, dx), cached.hu.shape[1:], strict=True))
    assert (pixel_y, pixel_x) == pytest.approx((PIXEL_MM, PIXEL_MM), abs=0.003)
    for label, value in ((1, RIGHT), (2, LEFT)):
        _, y, x = (native.hu == label).nonzero()
        _, cached_y, cached_x = (np.asarray(cached.labels) == value).nonzero()
        assert len(cached_y) * PIXEL_MM**2 == pytest.approx(len(y) * dy * dx, rel=0.01)
        # Counted from the outer edge of the first pixel, which both grids share.
        assert (cached_y.mean() + 0.5) * pixel_y == pytest.approx((y.mean() + 0.5) * dy, abs=0.08)
        assert (cached_x.mean() + 0.5) * pixel_x == pytest.approx((x.mean() + 0.5) * dx, abs=0.08)


def test_hounsfield_units_body_and_outside_are_where_they_belong(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    cached = cache_case(case, tmp_path / "cache")
    hu, labels = np.asarray(cached.hu), np.asarray(cached.labels)
    assert np.median(hu[labels == OUTSIDE]) == pytest.approx(-1000.0, abs=2.0)  # but for the table
    assert -200.0 < hu[labels == BODY].mean() < 150.0
    assert hu[labels >= RIGHT].mean() == pytest.approx(-850.0, abs=100.0)
    section = cached.labels[cached.lung_slices[len(cached.lung_slices) // 2]]
    assert (section[: len(section) // 10] == OUTSIDE).all()


def test_lung_slices_and_frame_are_those_of_the_scan(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    cached = cache_case(case, tmp_path / "cache")
    np.testing.assert_array_equal(cached.lung_slices, np.flatnonzero(_mask_of(case).hu.any(axis=(1, 2))))
    assert 0 < len(cached.lung_slices) < len(cached.hu)
    assert cached.frame.shape == SLICE_SHAPE
    # A body of 350 x 230 mm and its margin, shown in 296 columns.
    assert 350.0 / 296 < cached.frame.pixel_mm < 380.0 / 296


def test_a_second_opening_reads_what_the_first_one_stored(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    first = cache_case(case, tmp_path / "cache")
    stored = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    second = cache_case(case, tmp_path / "cache")
    assert len(stored) == 3
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()} == stored
    np.testing.assert_array_equal(first.hu, second.hu)
    assert first.frame == second.frame


@pytest.mark.parametrize("letter", ["x", "肺"])
def test_a_case_deep_in_a_tree_is_cached_under_a_name_that_is_not_too_long(tmp_path: Path, letter: str) -> None:
    case = replace(write_case(tmp_path, spacing=(6.0, 6.0, 20.0)), name="_".join([letter * 70] * 4))
    cached = cache_case(case, tmp_path / "cache")
    assert cached.name == case.name
    assert len(cached.hu) == len(_mask_of(case).hu)


def test_a_changed_mask_is_read_anew(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    before = cache_case(case, tmp_path / "cache")
    mask = sitk.ReadImage(str(case.mask))
    _rewrite(case.mask, sitk.ChangeLabel(mask, {2: 0}))
    after = cache_case(case, tmp_path / "cache")
    assert (before.labels[...] == LEFT).any()
    assert not (after.labels[...] == LEFT).any()


def test_a_cache_that_was_interrupted_is_completed(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    before = np.array(cache_case(case, tmp_path / "cache").labels)
    next((tmp_path / "cache").glob("*.labels.npy")).unlink()
    np.testing.assert_array_equal(cache_case(case, tmp_path / "cache").labels, before)


def test_a_mask_stored_in_another_axis_order_is_brought_to_the_scan(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    expected = np.array(cache_case(case, tmp_path / "cache").labels)
    mask = sitk.ReadImage(str(case.mask))
    for orientation in ("RAS", "SPL"):
        _rewrite(case.mask, sitk.DICOMOrient(mask, orientation))
        np.testing.assert_array_equal(cache_case(case, tmp_path / "cache").labels, expected)


def test_a_mask_of_a_part_of_the_scan_is_brought_to_it_by_physical_space(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    expected = np.array(cache_case(case, tmp_path / "cache").labels)
    _rewrite(case.mask, sitk.ReadImage(str(case.mask))[20:-20, 10:-10, :])
    np.testing.assert_array_equal(cache_case(case, tmp_path / "cache").labels, expected)


def test_a_mask_beside_its_scan_is_refused(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    mask = sitk.ReadImage(str(case.mask))
    mask.SetOrigin((900.0, 900.0, 900.0))
    _rewrite(case.mask, mask)
    with pytest.raises(InputError):
        cache_case(case, tmp_path / "cache")


def test_a_doubtful_pair_says_so_in_the_cache(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    assert cache_case(case, tmp_path / "cache").verdict.status == "ok"
    _rewrite(case.mask, sitk.ChangeLabel(sitk.ReadImage(str(case.mask)), {1: 2, 2: 1}))
    for _ in ("read", "from the cache"):
        verdict = cache_case(case, tmp_path / "cache").verdict
        assert verdict.status == "doubtful"
        assert "swapped" in verdict.reasons[0]


def test_a_scan_in_a_dicom_folder_is_read_anew_when_a_file_of_it_changes(tmp_path: Path) -> None:
    image, mask = Thorax().scan((4.0, 4.0, 20.0), (400.0, 300.0, 320.0))
    folder = tmp_path / "ct"
    write_series(folder, image)
    sitk.WriteImage(mask, str(tmp_path / "lungs.nii"))
    case = Case("dicom", folder, tmp_path / "lungs.nii", "train", "dicom")
    first = cache_case(case, tmp_path / "cache")
    assert len(first.hu) == 16
    assert len(first.lung_slices) > 5
    file = next(folder.iterdir())
    stamp = file.stat().st_mtime_ns + 10**9
    os.utime(file, ns=(stamp, stamp))
    cache_case(case, tmp_path / "cache")
    assert len(list((tmp_path / "cache").glob("dicom-*.json"))) == 2


def test_a_scan_behind_a_link_is_read_anew_when_a_file_of_it_changes(tmp_path: Path) -> None:
    case = write_case(tmp_path, spacing=(6.0, 6.0, 20.0))
    files = write_series(tmp_path / "disk", sitk.ReadImage(str(case.ct)))
    (tmp_path / "ct").mkdir()
    try:
        (tmp_path / "ct" / "series").symlink_to(tmp_path / "disk", target_is_directory=True)
    except OSError:
        pytest.skip("links are forbidden to this user")
    linked = replace(case, ct=tmp_path / "ct")
    before = np.asarray(cache_case(linked, tmp_path / "cache").hu)
    write_series(tmp_path / "disk", sitk.ReadImage(str(case.ct)) + 8)
    assert sorted((tmp_path / "disk").iterdir()) == files
    np.testing.assert_array_equal(np.asarray(cache_case(linked, tmp_path / "cache").hu) - 8, before)


def test_a_file_that_is_no_image_is_refused_and_nothing_is_cached(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    broken = replace(case, ct=tmp_path / "broken.nii")
    broken.ct.write_text("no image")
    with pytest.raises(InputError, match=r"broken\.nii"):
        cache_case(broken, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*"))


def test_no_file_stays_open_and_a_case_travels_to_a_worker_as_its_path(tmp_path: Path) -> None:
    cached = cache_case(write_case(tmp_path), tmp_path / "cache")
    cached.hu[3]
    assert len(pickle.dumps(cached)) < 5000
    for path in (tmp_path / "cache").iterdir():
        path.unlink()  # an open mapping would forbid it on Windows
    with pytest.raises(FileNotFoundError):
        cached.hu[3]


def test_the_frame_has_the_shape_that_is_asked_for(tmp_path: Path) -> None:
    case = write_case(tmp_path)
    assert cache_case(case, tmp_path / "cache", (64, 88)).frame.shape == (64, 88)


@pytest.mark.parametrize("part", ["hu.npy", "labels.npy", "json"])
@pytest.mark.parametrize("kept", [0, 40])
def test_a_case_whose_stored_files_were_cut_off_is_prepared_again(tmp_path: Path, part: str, kept: int) -> None:
    case = write_case(tmp_path)
    whole = cache_case(case, tmp_path / "cache")
    hu, labels = np.asarray(whole.hu), np.asarray(whole.labels)
    (damaged,) = (tmp_path / "cache").glob(f"*.{part}")
    damaged.write_bytes(damaged.read_bytes()[:kept])
    again = cache_case(case, tmp_path / "cache")
    np.testing.assert_array_equal(again.hu, hu)
    np.testing.assert_array_equal(again.labels, labels)
    np.testing.assert_array_equal(again.lung_slices, whole.lung_slices)

"""The whole road with the shipped network: phantoms whose lungs are known, on many grids, and unusual scans."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import SimpleITK as sitk
from overlap import dice
from predictors import Fixed, StandIn
from synthetic_thorax import Thorax

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.errors import InputError
from LungSegResNetLib.lungs.segmentation import Segmentation, segment
from LungSegResNetLib.network.architecture import HU_WINDOW
from LungSegResNetLib.network.engines import EngineSettings, load_engine
from LungSegResNetLib.network.predictor import Predictor

COARSE = (2.5, 2.5, 12.0)
LUNG, TISSUE, MISTAKEN = -850, 40, 80


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return load_engine(EngineSettings(device="cpu")).predictor


def run(predictor: Predictor, image: sitk.Image) -> tuple[CTVolume, Segmentation]:
    ct = CTVolume.from_sitk(image, "phantom")
    return ct, segment(ct, predictor)


def centroid(mask: np.ndarray) -> np.ndarray:
    return np.array([axis.mean() for axis in np.nonzero(mask)])


@pytest.mark.parametrize("spacing", [(2.5, 2.5, 12.0), (0.8, 0.8, 24.0), (1.4, 1.1, 20.0), (3.0, 3.0, 8.0)])
def test_the_mask_lies_where_the_lungs_are_at_every_spacing(
    predictor: Predictor, spacing: tuple[float, float, float]
) -> None:
    image, truth = Thorax().scan(spacing)
    labels = sitk.GetArrayFromImage(truth)
    _, result = run(predictor, image)
    assert dice(result.mask > 0, labels > 0) > 0.99
    # The middle between the lungs' centroids: what the network itself adds at hilum or pleura cancels out.
    shift = np.mean([centroid(result.mask == side) - centroid(labels == side) for side in (1, 2)], axis=0)
    assert np.abs(shift).max() < 0.1


@pytest.mark.parametrize(
    "direction",
    [
        (1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, -1.0),
        (0.0, 1.0, 0.0, 0.0, 0.0, -1.0, -1.0, 0.0, 0.0),
        (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
    ],
)
def test_the_axis_order_of_the_file_does_not_matter(predictor: Predictor, direction: tuple[float, ...]) -> None:
    straight, _ = Thorax(noise=0.0).scan(COARSE)
    axes = np.abs(np.array(direction).reshape(3, 3))
    spacing = tuple(float(value) for value in np.array(COARSE) @ axes)
    extent = tuple(float(value) for value in np.array((400.0, 300.0, 320.0)) @ axes)
    turned, _ = Thorax(noise=0.0).scan(spacing, extent, direction)
    ct, result = run(predictor, turned)
    _, expected = run(predictor, straight)
    np.testing.assert_array_equal(result.mask, expected.mask)
    assert ct.to_native(result.mask).GetDirection() == turned.GetDirection()


def test_thick_and_thin_slices_give_the_same_lungs(predictor: Predictor) -> None:
    thick, _ = Thorax().scan((2.5, 2.5, 5.0), (400.0, 300.0, 120.0))
    thin, _ = Thorax().scan((2.5, 2.5, 1.25), (400.0, 300.0, 120.0))
    (thick_ct, thick_result), (thin_ct, thin_result) = run(predictor, thick), run(predictor, thin)
    on_thin = sitk.Resample(
        thick_ct.to_native(thick_result.mask),
        thin_ct.to_native(thin_result.mask),
        sitk.Transform(),
        sitk.sitkNearestNeighbor,
    )
    assert dice(sitk.GetArrayFromImage(on_thin) > 0, thin_result.mask > 0) > 0.97


@pytest.mark.parametrize(("axis", "degrees"), [(0, 15), (1, -30), (1, 30), (2, -30), (2, 30)])
def test_an_oblique_scan_is_segmented(predictor: Predictor, axis: int, degrees: int) -> None:
    turn = sitk.VersorTransform(np.eye(3)[axis].tolist(), np.deg2rad(degrees).item())
    image, truth = Thorax().scan(COARSE, (500.0, 420.0, 420.0), turn.GetMatrix())
    ct, result = run(predictor, image)
    labels, expected = (sitk.GetArrayFromImage(i) for i in (ct.to_native(result.mask), truth))
    assert min(dice(labels == side, expected == side) for side in (1, 2)) > 0.97


@pytest.mark.parametrize("header_says_so", [True, False])
def test_a_prone_patient_has_the_sides_that_the_header_says(predictor: Predictor, header_says_so: bool) -> None:
    image, truth = Thorax(prone=True).scan(COARSE, direction=(-1, 0, 0, 0, -1, 0, 0, 0, 1))
    if not header_says_so:
        image.SetDirection(np.eye(3).ravel())
    ct, result = run(predictor, image)
    labels, expected = (sitk.GetArrayFromImage(i) for i in (ct.to_native(result.mask), truth))
    for side in (1, 2):
        assert dice(labels == (side if header_says_so else 3 - side), expected == side) > 0.97
    assert any("spine seems to lie in front" in text for text in result.warnings) != header_says_so


def test_one_missing_lung_is_said_and_the_other_one_keeps_its_side(predictor: Predictor) -> None:
    image, truth = Thorax(left_lung=False).scan(COARSE)
    _, result = run(predictor, image)
    assert dice(result.mask == 1, sitk.GetArrayFromImage(truth) == 1) > 0.98
    assert any("No left lung" in text for text in result.warnings)
    assert not any("middle of the view" in text for text in result.warnings)


def test_a_field_of_view_with_one_lung_gives_one_lung_and_asks_for_a_look_at_its_side(predictor: Predictor) -> None:
    image, truth = Thorax().scan(COARSE)
    labels = sitk.GetArrayFromImage(truth)
    columns = np.flatnonzero((labels == 1).any(axis=(0, 1)))
    view = slice(max(0, int(columns[0]) - 6), int(columns[-1]) + 7)
    _, result = run(predictor, image[view, :, :])
    inside = labels[..., view]
    assert dice(result.mask == 1, inside == 1) > 0.97
    assert np.count_nonzero(result.mask == 2) == 0
    assert any("middle of the view" in text for text in result.warnings)


def test_disease_at_the_chest_wall_stays_inside(predictor: Predictor) -> None:
    image, truth = Thorax(consolidation=True).scan(COARSE)
    _, result = run(predictor, image)
    assert dice(result.mask == 2, sitk.GetArrayFromImage(truth) == 2) > 0.85


def test_gas_in_the_stomach_is_no_lung(predictor: Predictor) -> None:
    image, truth = Thorax(stomach_gas=True).scan(COARSE)
    _, result = run(predictor, image)
    assert dice(result.mask > 0, sitk.GetArrayFromImage(truth) > 0) > 0.97


def test_a_very_noisy_scan_is_segmented(predictor: Predictor) -> None:
    image, truth = Thorax(noise=150.0).scan(COARSE)
    _, result = run(predictor, image)
    assert dice(result.mask > 0, sitk.GetArrayFromImage(truth) > 0) > 0.97


def test_a_narrow_field_of_view_is_segmented_with_a_warning(predictor: Predictor) -> None:
    image, truth = Thorax().scan(COARSE, (220.0, 160.0, 320.0))
    _, result = run(predictor, image)
    assert dice(result.mask > 0, sitk.GetArrayFromImage(truth) > 0) > 0.93
    assert any("field of view" in text for text in result.warnings)


def test_a_scan_that_ends_inside_the_lung_is_segmented_with_a_warning(predictor: Predictor) -> None:
    image, truth = Thorax().scan(COARSE, (400.0, 300.0, 100.0))
    _, result = run(predictor, image)
    assert dice(result.mask > 0, sitk.GetArrayFromImage(truth) > 0) > 0.97
    assert any("cuts them off" in text for text in result.warnings)


def test_a_single_slice_is_segmented_with_a_warning(predictor: Predictor) -> None:
    image, truth = Thorax().scan((1.5, 1.5, 5.0), (400.0, 300.0, 5.0))
    _, result = run(predictor, image)
    assert dice(result.mask == 1, sitk.GetArrayFromImage(truth) == 1) > 0.97
    assert any("single slice" in text for text in result.warnings)


def test_values_outside_the_scanners_field_do_not_matter(predictor: Predictor) -> None:
    image, _ = Thorax(noise=0.0).scan(COARSE)
    _, expected = run(predictor, image)
    hu = sitk.GetArrayFromImage(image)
    hu[hu <= -1000] = -3024
    changed = sitk.GetImageFromArray(hu)
    changed.CopyInformation(image)
    _, result = run(predictor, changed)
    assert dice(result.mask > 0, expected.mask > 0) > 0.99


def test_a_scan_without_lung_is_refused(predictor: Predictor) -> None:
    image, _ = Thorax(left_lung=False, right_lung=False).scan(COARSE)
    with pytest.raises(InputError, match="No lung was found in phantom"):
        run(predictor, image)


def test_progress_counts_every_slice_and_can_cancel(predictor: Predictor) -> None:
    image, _ = Thorax().scan(COARSE)
    ct = CTVolume.from_sitk(image, "phantom")
    seen: list[int] = []

    def note(done: int, total: int) -> None:
        assert total == len(ct.hu)
        seen.append(done)
        if done >= 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        segment(ct, predictor, note)
    assert seen[0] == 0
    assert seen == sorted(seen)
    assert seen[-1] < len(ct.hu)


class Mistaken(StandIn):
    """Finds lung, and takes tissue of one density for it."""

    def predict(self, slices: np.ndarray, on_slices_done: Callable[[int], None] = lambda done: None) -> np.ndarray:
        low, high = HU_WINDOW
        hu = low + slices * (high - low)
        return ((abs(hu - LUNG) < 20) | (abs(hu - MISTAKEN) < 20)).astype(np.float32)


def test_dense_tissue_that_the_network_took_for_lung_goes_by_the_densities_of_the_scan() -> None:
    hu = np.full((24, 120, 180), TISSUE, np.int16)
    hu[1:, 15:105, 10:80] = LUNG
    hu[1:, 15:105, 100:170] = LUNG
    rows, columns = np.ogrid[:120, :180]
    hu[1:5, np.hypot(rows - 60, columns - 45) < 20] = MISTAKEN  # a dome of the diaphragm
    hu[12, 30:90, 80:100] = MISTAKEN  # between the lungs, in a slice
    image = sitk.GetImageFromArray(hu)
    image.SetSpacing((2.0, 2.0, 5.0))
    _, result = run(Mistaken(), image)
    assert (result.mask[hu == LUNG] > 0).mean() > 0.98
    assert (result.mask[1:5][hu[1:5] == MISTAKEN] > 0).mean() < 0.15
    assert (result.mask[12][hu[12] == MISTAKEN] > 0).mean() < 0.15


def test_the_predictor_is_asked_for_the_one_that_suits_the_number_of_slices() -> None:
    class InEightBits(Fixed):
        precision = "int8"

        def for_scan(self, slices: int) -> Fixed:
            assert slices == 2
            return Fixed()

    image, _ = Thorax().scan((4.0, 4.0, 20.0), (400.0, 300.0, 40.0))
    _, result = run(InEightBits(), image)
    assert result.precision == Fixed.precision != InEightBits.precision

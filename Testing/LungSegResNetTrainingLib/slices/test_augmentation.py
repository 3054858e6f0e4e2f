from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from scipy import ndimage
from training_cases import small_case, write_case

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.lungs.preprocessing import frame_for, scale_hu, to_frame_matrices
from LungSegResNetLib.network.architecture import HU_WINDOW, SLICE_SHAPE
from LungSegResNetTrainingLib.data.cases import Case
from LungSegResNetTrainingLib.slices import simulated_disease as disease
from LungSegResNetTrainingLib.slices.augmentation import AugmentationSettings, raise_diaphragm, training_slice
from LungSegResNetTrainingLib.slices.slice_cache import BODY, PIXEL_MM, RIGHT, CachedCase, cache_case

NONE = AugmentationSettings.none()


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return write_case(tmp_path_factory.mktemp("case"))


@pytest.fixture(scope="module")
def cached(case: Case, tmp_path_factory: pytest.TempPathFactory) -> CachedCase:
    return cache_case(case, tmp_path_factory.mktemp("cache"))


def _middle(cached: CachedCase) -> int:
    return int(cached.lung_slices[len(cached.lung_slices) // 2])


def _plain(cached: CachedCase, index: int, shrink: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    return training_slice(cached, index, NONE, np.random.default_rng(0), shrink)


def test_without_augmentation_a_slice_is_what_the_network_sees_when_it_is_used(case: Case, cached: CachedCase) -> None:
    ct = CTVolume.from_sitk(sitk.ReadImage(str(case.ct)), "ct")
    mask = CTVolume.from_sitk(sitk.ReadImage(str(case.mask)), "mask")
    # Millimetres are counted from the first pixel's centre, the grids share its outer corner.
    dy, dx = ct.spacing_zyx[1:]
    start_y, start_x = (
        cached.frame.start_y + (PIXEL_MM - dy) / 2,
        cached.frame.start_x + (PIXEL_MM - dx) / 2,
    )
    own = frame_for(ct.hu, ct.spacing_zyx, SLICE_SHAPE)
    assert (own.start_y, own.start_x) == pytest.approx((start_y, start_x), abs=6.0)
    assert own.pixel_mm == pytest.approx(cached.frame.pixel_mm, rel=0.03)

    frame = replace(cached.frame, start_y=start_y, start_x=start_x)
    rows, columns = to_frame_matrices(frame, ct.hu.shape[1:], (dy, dx))
    for index in (int(cached.lung_slices[4]), _middle(cached)):
        slices, target = _plain(cached, index)
        expected = rows @ scale_hu(ct.hu[index], HU_WINDOW) @ columns.T
        # Resampling by way of 1 mm blurs edges and noise a little; a shift would do so more to one side than the other.
        seen = slices[0].numpy()
        error = _mean_error(seen, expected)
        assert error < 0.006
        for axis in (0, 1):
            before, after = (_mean_error(np.roll(seen, step, axis), expected) for step in (-1, 1))
            assert min(before, after) > 1.7 * error
            assert before == pytest.approx(after, rel=0.1)
        lung = rows @ (mask.hu[index] > 0).astype(np.float32) @ columns.T
        assert 2 * (target.numpy() * (lung > 0.5)).sum() / (target.numpy().sum() + (lung > 0.5).sum()) > 0.985
        assert _centroid(target.numpy()) == pytest.approx(_centroid(lung), abs=0.2)


def test_without_augmentation_the_cached_slice_is_only_resampled(cached: CachedCase) -> None:
    index = _middle(cached)
    slices, target = _plain(cached, index)
    assert slices.shape == (1, *SLICE_SHAPE)
    assert slices.dtype == torch.float32
    assert target.shape == SLICE_SHAPE
    assert target.dtype == torch.int64
    rows, columns = to_frame_matrices(cached.frame, cached.hu.shape[1:], (1.0, 1.0))
    expected = rows @ scale_hu(cached.hu[index], HU_WINDOW) @ columns.T
    assert np.abs(slices[0].numpy() - expected).mean() < 0.006
    lung = rows @ (cached.labels[index] >= RIGHT).astype(np.float32) @ columns.T > 0.5
    assert (lung != (target.numpy() == 1)).mean() < 0.002


def test_without_augmentation_chance_changes_nothing(cached: CachedCase) -> None:
    index = _middle(cached)
    slices, target = _plain(cached, index)
    again, target_again = training_slice(cached, index, NONE, np.random.default_rng(99))
    assert torch.equal(slices, again)
    assert torch.equal(target, target_again)


def test_a_shrunk_slice_is_the_mean_of_its_pixels(cached: CachedCase) -> None:
    index = _middle(cached)
    full, target = _plain(cached, index)
    half, half_target = _plain(cached, index, shrink=2)
    assert half.shape == (1, 108, 148)
    expected = torch.nn.functional.avg_pool2d(full, 2)
    assert (half - expected).abs().mean() < 0.002  # window and mean change places at dense bone only
    assert int(half_target.sum()) * 4 == pytest.approx(int(target.sum()), rel=0.02)


def test_the_same_chance_gives_the_same_sample_and_another_gives_another(cached: CachedCase) -> None:
    index = _middle(cached)
    samples = [training_slice(cached, index, AugmentationSettings(), np.random.default_rng(seed)) for seed in (5, 5, 6)]
    assert torch.equal(samples[0][0], samples[1][0])
    assert torch.equal(samples[0][1], samples[1][1])
    assert not torch.equal(samples[0][0], samples[2][0])


def test_augmented_samples_are_always_usable(cached: CachedCase) -> None:
    everything = AugmentationSettings(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    shares = []
    for seed in range(40):
        index = seed % len(cached.hu)
        slices, target = training_slice(cached, index, everything, np.random.default_rng(seed), 1 + seed % 2)
        assert bool(torch.isfinite(slices).all())
        assert float(slices.min()) >= 0.0
        assert float(slices.max()) <= 1.0
        assert set(target.unique().tolist()) <= {0, 1}
        if index in cached.lung_slices:
            shares.append(float(target.float().mean()))
        else:
            assert not target.any()
    assert np.median(shares) > 0.03


def test_geometry_moves_the_lung_together_with_its_mask(cached: CachedCase) -> None:
    geometry = replace(NONE, geometry=1.0)
    plain = _plain(cached, _middle(cached))[1]
    for seed in range(8):
        slices, target = training_slice(cached, _middle(cached), geometry, np.random.default_rng(seed))
        assert not torch.equal(target, plain)
        # Lung is at about 0.1 of the window, what surrounds it at about 0.65.
        assert float(slices[0][target == 1].median()) < 0.2


@pytest.mark.parametrize(
    "changes",
    [
        {"emphysema": 1.0},
        {"disease": 1.0},
        {"gas": 1.0},
        {"wall_air": 1.0},
        {"even_tissue": 1.0},
        {"surroundings": 1.0},
    ],
    ids=str,
)
def test_disease_gas_and_table_change_the_slice_but_never_the_target(
    cached: CachedCase, changes: dict[str, float]
) -> None:
    index = _middle(cached)
    slices, target = _plain(cached, index)
    changed = 0
    for seed in range(10):
        result, result_target = training_slice(cached, index, replace(NONE, **changes), np.random.default_rng(seed))
        assert torch.equal(result_target, target)
        different = (result - slices).abs()[0] > 1e-6
        changed += bool(different.any())
        # The border of the lung, where pixels are partly lung, follows a disease.
        border = ndimage.binary_dilation(target.numpy() == 1, np.ones((5, 5)))
        elsewhere = torch.from_numpy(~border) if changes.keys() & {"disease", "emphysema"} else target == 1
        assert not bool((different & elsewhere).any())
    assert changed >= 5


@pytest.mark.parametrize("changes", [{"effusion": 1.0}, {"scanner": 1.0}], ids=str)
def test_effusion_and_field_of_view_only_take_from_the_target(cached: CachedCase, changes: dict[str, float]) -> None:
    index = _middle(cached)
    _, target = _plain(cached, index)
    taken = 0
    for seed in range(30):
        _, result = training_slice(cached, index, replace(NONE, **changes), np.random.default_rng(seed))
        # Thicker slices (scanner) average neighbours, but the target stays that of the middle one.
        assert not bool(((result == 1) & (target == 0)).any())
        taken += int(result.sum()) < int(target.sum())
    assert taken >= 1


def test_effusion_is_dense_and_leaves_the_other_lung_alone(cached: CachedCase) -> None:
    right, left, hu, pixel_mm = _lungs(cached)
    before = hu.clone()
    taken = disease.effusion(hu, left, pixel_mm, np.random.default_rng(0))
    assert bool(taken.any())
    assert not bool((taken & ~left).any())
    assert float(hu[taken].median()) > -100.0
    assert torch.equal(hu[~left], before[~left])
    assert torch.equal(hu[right], before[right])


def test_a_raised_diaphragm_shows_the_tissue_from_below_on_one_side_and_takes_it_from_the_lung() -> None:
    case = small_case(slices=30, with_lung=tuple(range(10, 30)))
    hu = case.hu.copy()
    hu[:10] = np.where(case.labels[:10] > 0, 70, hu[:10])  # liver, here on both sides
    case = replace(case, hu=hu)
    risen = replace(NONE, raised_diaphragm=1.0)
    plain, target = _plain(case, 11)
    liver = float(scale_hu(np.array([69.0]), HU_WINDOW)[0])
    sides = []
    for seed in range(20):
        slices, result = training_slice(case, 11, risen, np.random.default_rng(seed))
        taken = (target == 1) & (result == 0)
        assert not bool(((result == 1) & (target == 0)).any())
        assert float((slices[0][taken] > liver).float().mean()) > 0.9  # all but the border
        torch.testing.assert_close(slices[0][result == 1], plain[0][result == 1])
        sides.append(float(torch.nonzero(taken)[:, 1].float().mean()) < target.shape[1] / 2)
    assert 8 <= sum(sides) <= 16
    # Above nothing but lung, nothing rises.
    _, target = _plain(case, 29)
    for seed in range(5):
        assert torch.equal(training_slice(case, 29, risen, np.random.default_rng(seed))[1], target)


@pytest.mark.parametrize("reach", [0, 2])
def test_a_raised_diaphragm_is_as_thick_as_the_slice_and_so_as_noisy(reach: int) -> None:
    case = replace(small_case(slices=60, with_lung=tuple(range(30, 60))), spacing_z=1.0)
    thick = case.hu[36 - reach : 37 + reach].mean(axis=0).astype(np.float32)
    hu, labels = thick.copy(), case.labels[36].copy()
    raise_diaphragm(case, 36, reach, hu, labels, np.random.default_rng(2))
    risen = labels != case.labels[36]
    assert risen.sum() > 500
    assert float(hu[risen].std() / thick[case.labels[36] == BODY].std()) == pytest.approx(1.0, abs=0.1)
    np.testing.assert_array_equal(hu[~risen], thick[~risen])


@pytest.mark.parametrize("paint", [disease.opacity, disease.fibrosis])
def test_opacities_raise_the_density_inside_the_lung_only(cached: CachedCase, paint: Callable[..., None]) -> None:
    right, left, hu, pixel_mm = _lungs(cached)
    lung, before = right | left, hu
    for seed in range(10):
        painted = before.clone()
        paint(painted, lung, pixel_mm, np.random.default_rng(seed))
        assert torch.equal(painted[~lung], before[~lung])
        assert float(painted[lung].mean()) > float(before[lung].mean())


def test_disease_may_stay_on_one_side_and_spares_specks_of_lung(cached: CachedCase) -> None:
    right, left, hu, pixel_mm = _lungs(cached)
    before, none = hu.clone(), torch.zeros_like(left)
    disease.paint_disease(hu, right, none, pixel_mm, np.random.default_rng(1))
    assert torch.equal(hu[left], before[left])
    assert not torch.equal(hu[right], before[right])
    speck = none.clone()
    speck[50:53, 50:53] = True
    before = hu.clone()
    disease.paint_disease(hu, speck, none, pixel_mm, np.random.default_rng(1))
    assert torch.equal(hu, before)


def test_thick_slices_average_neighbours_but_never_beyond_eight_millimetres() -> None:
    scanner = replace(NONE, scanner=1.0)
    thin = small_case(slices=5)
    hu = thin.hu.copy()
    hu[2] = 40  # one slice without contrast between two with lung
    thick = replace(thin, hu=hu, spacing_z=9.0)
    thin = replace(thin, hu=hu, spacing_z=1.0)

    def lung_seen(case: CachedCase, seed: int) -> float:
        slices, target = training_slice(case, 2, scanner, np.random.default_rng(seed))
        return float(slices[0][target == 1].median())

    seen_thin = [lung_seen(thin, seed) for seed in range(30)]
    seen_thick = [lung_seen(thick, seed) for seed in range(30)]
    assert min(seen_thin) < 0.45  # lung of the neighbours shines through
    assert min(seen_thick) > 0.55


def _lungs(cached: CachedCase) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, float]:
    """Right and left lung (bool) and HU of a slice in the middle, and its pixel size."""
    index = _middle(cached)
    labels = torch.from_numpy(np.array(cached.labels[index]))
    return labels == RIGHT, labels == RIGHT + 1, torch.from_numpy(cached.hu[index].astype(np.float32)), 1.0


def _mean_error(image: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(image - expected)[2:-2, 2:-2].mean())


def _centroid(weights: np.ndarray) -> tuple[float, float]:
    rows, columns = np.indices(weights.shape)
    return float((rows * weights).sum() / weights.sum()), float((columns * weights).sum() / weights.sum())

from __future__ import annotations

import numpy as np
import pytest
from overlap import dice
from synthetic_thorax import Thorax

from LungSegResNetLib.ct_volume import CTVolume
from LungSegResNetLib.errors import InputError
from LungSegResNetTrainingLib.data.draft_airways import find_airways
from LungSegResNetTrainingLib.data.draft_mask import draft_lungs

GRID = ((2.0, 2.0, 5.0), (400.0, 300.0, 320.0))


def scan(thorax: Thorax, **options: tuple[float, ...]) -> tuple[CTVolume, np.ndarray]:
    image, mask = thorax.scan(*GRID, **options)
    return CTVolume.from_sitk(image, "phantom"), CTVolume.from_sitk(mask, "truth").hu


@pytest.mark.parametrize("thorax", [Thorax(), Thorax(stomach_gas=True), Thorax(touching_lungs=True)])
def test_aerated_lungs_are_found_on_their_side(thorax: Thorax) -> None:
    ct, truth = scan(thorax)
    labels = draft_lungs(ct)
    assert labels.dtype == np.uint8
    assert dice(labels == 1, truth == 1) > 0.97
    assert dice(labels == 2, truth == 2) > 0.97


def test_dense_lung_is_missed_as_a_threshold_has_to() -> None:
    ct, truth = scan(Thorax(consolidation=True))
    labels = draft_lungs(ct)
    assert dice(labels == 1, truth == 1) > 0.97
    assert dice(labels == 2, truth == 2) < 0.9


def test_the_trachea_is_found_and_left_out() -> None:
    ct, truth = scan(Thorax(noise=5.0))
    air = (ct.hu < -420) & (truth == 0)
    air[:, :60] = air[:, 110:] = False
    air[..., :90] = air[..., 115:] = False
    trachea = air & (ct.hu < -950)
    assert np.count_nonzero(trachea) > 500
    midline = ct.hu.shape[2] * ct.spacing_zyx[2] / 2
    found = find_airways(ct.hu.astype(np.float32), ct.hu < -420, ct.spacing_zyx, midline)
    assert np.mean(found[trachea]) > 0.95
    assert np.mean(draft_lungs(ct)[trachea] > 0) < 0.05


def test_the_air_around_a_patient_on_a_table_is_no_lung() -> None:
    ct, truth = scan(Thorax(right_lung=False))
    labels = draft_lungs(ct)
    assert dice(labels > 0, truth > 0) > 0.95
    assert not (labels == 1).any()


def test_a_stored_axis_order_does_not_matter() -> None:
    plain, _ = scan(Thorax(noise=0.0))
    turned, _ = scan(Thorax(noise=0.0), direction=(-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0))
    np.testing.assert_array_equal(draft_lungs(plain), draft_lungs(turned))


def test_a_scan_without_lung_is_refused() -> None:
    ct, _ = scan(Thorax(right_lung=False, left_lung=False))
    with pytest.raises(InputError, match="No aerated lung"):
        draft_lungs(CTVolume(np.full_like(ct.hu, 40), ct.geometry, ct.native, "block"))


def test_a_nodule_at_the_border_of_a_lung_belongs_to_it() -> None:
    ct, truth = scan(Thorax())
    z, column = 35, 60
    row = int(np.flatnonzero(truth[z, :, column] == 1)[0])
    nodule = np.s_[z - 1 : z + 2, row - 3 : row + 4, column - 2 : column + 3]  # 10 mm wide, half of it in the lung
    ct.hu[nodule] = 30
    assert (draft_lungs(ct)[nodule][truth[nodule] == 1] == 1).mean() > 0.5

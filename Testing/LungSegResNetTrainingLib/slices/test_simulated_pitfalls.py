"""What is painted outside of the lungs stays there and looks as it should."""

from __future__ import annotations

import numpy as np
import torch
from drawn_chest import chest
from scipy import ndimage

from LungSegResNetTrainingLib.slices.simulated_pitfalls import even_tissue, wall_air


def test_air_of_the_chest_wall_stays_in_the_body_and_away_from_the_lung() -> None:
    rng = np.random.default_rng(0)
    hu, lung = chest(rng)
    body = torch.zeros_like(lung)
    body[10:150, 10:190] = True
    near_lung = torch.from_numpy(ndimage.binary_dilation(lung.numpy(), iterations=2))
    painted = 0
    for seed in range(10):
        image = hu.clone()
        wall_air(image, body, lung, 1.0, np.random.default_rng(seed))
        changed = (image - hu).abs() > 1.0
        assert not bool((changed & (near_lung | ~body)).any())
        painted += int((image[body & ~lung] < -600.0).sum()) > 50
    assert painted >= 5


def test_tissue_loses_its_structure_and_neither_lung_nor_bone_changes() -> None:
    rng = np.random.default_rng(0)
    hu, lung = chest(rng)
    body = torch.zeros_like(lung)
    body[10:150, 10:190] = True
    hu[10:150:8, 130:190] -= 120.0  # layers of fat
    hu[60:80, 150:170] = 600.0
    soft = body & ~lung & (hu < 150.0)
    evened = 0
    for seed in range(10):
        image = hu.clone()
        even_tissue(image, body & ~lung, 1.0, np.random.default_rng(seed))
        assert torch.equal(image[~soft], hu[~soft])
        layers, between = image[10:146:8, 130:145], image[14:150:8, 130:145]
        gone = (layers - between).abs() < 60.0
        evened += float(gone.float().mean()) > 0.3
    assert evened >= 5


def test_where_there_is_no_tissue_none_is_evened() -> None:
    hu = torch.full((40, 50), -1000.0)
    even_tissue(hu, torch.ones(hu.shape, dtype=torch.bool), 1.0, np.random.default_rng(0))
    assert bool((hu == -1000.0).all())

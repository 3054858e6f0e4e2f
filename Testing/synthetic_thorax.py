"""A thorax made of formulas, sampled on any grid: the known answer behind the geometry tests.

Shapes are defined in millimetres of patient space (LPS: x to the left, y to the back, z upwards), so that one
thorax can be scanned at any spacing, orientation and field of view.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

AIR, LUNG, FAT, SOFT, BONE = -1000.0, -850.0, -90.0, 45.0, 500.0


@dataclass(frozen=True)
class Thorax:
    """Options of the phantom; lengths in mm, densities in HU."""

    centre: tuple[float, float, float] = (12.0, -20.0, -150.0)
    consolidation: bool = False  # dense left lower lobe up to the pleura
    right_lung: bool = True
    left_lung: bool = True
    table: bool = True
    prone: bool = False  # on the table, which is in front then
    stomach_gas: bool = False
    touching_lungs: bool = False  # the anterior junction is thinner than a voxel
    noise: float = 15.0

    def scan(
        self,
        spacing: tuple[float, float, float] = (2.0, 2.0, 5.0),
        extent: tuple[float, float, float] = (400.0, 300.0, 320.0),
        direction: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
        seed: int = 0,
    ) -> tuple[sitk.Image, sitk.Image]:
        """CT (int16 HU) and mask (uint8: 1 right, 2 left) on a grid of ``spacing`` centred on the thorax.

        ``direction`` are ITK direction cosines; the grid covers ``extent`` along its own axes.
        """
        size = [max(1, round(e / s)) for e, s in zip(extent, spacing, strict=True)]
        axes = np.array(direction, float).reshape(3, 3)
        origin = np.array(self.centre) - axes @ (np.array(spacing) * (np.array(size) - 1) / 2)
        k, j, i = np.meshgrid(*(np.arange(n) for n in reversed(size)), indexing="ij", sparse=True)
        steps = [axes[:, n] * spacing[n] for n in range(3)]
        # Coordinates relative to the thorax' centre, one array for each of x, y, z.
        x, y, z = ((origin[n] - self.centre[n]) + steps[0][n] * i + steps[1][n] * j + steps[2][n] * k for n in range(3))
        hu, mask = self._paint(x, y, z)
        if self.noise:
            hu = hu + self.noise * np.random.default_rng(seed).standard_normal(hu.shape)
        images = []
        for array in (np.rint(hu).astype(np.int16), mask):
            image = sitk.GetImageFromArray(array)
            image.SetSpacing(spacing)
            image.SetOrigin(origin.tolist())
            image.SetDirection(direction)
            images.append(image)
        return images[0], images[1]

    def _paint(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        def ellipsoid(cx: float, cy: float, cz: float, rx: float, ry: float, rz: float) -> np.ndarray:
            return ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 + ((z - cz) / rz) ** 2

        def ellipse(cx: float, cy: float, rx: float, ry: float) -> np.ndarray:
            return ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 + 0.0 * z

        body = ellipse(0, 0, 175, 115)
        hu = np.where(body < 1, FAT, AIR)
        hu[ellipse(0, 0, 160, 100) < 1] = SOFT
        cage = ellipse(0, 2, 148, 92)
        ribs = (np.abs(cage - 1.0) < 0.06) & (np.cos(2 * np.pi * (z + 0.4 * y) / 28.0) > 0.4)
        hu[ribs] = BONE
        hu[ellipse(0, 78, 18, 18) < 1] = 250.0  # spine

        gap, behind = (1.0, -20.0) if self.touching_lungs else (9.0, -60.0)
        heart = ellipsoid(18, -28, -40, 62, 48, 75) < 1
        mediastinum = (np.abs(x) < gap / 2 + 22 * np.clip((y - behind) / 60, 0, 1)) | (ellipse(0, 70, 34, 40) < 1)
        lung = np.zeros(hu.shape, np.uint8)
        for present, label, sign in ((self.right_lung, 1, -1), (self.left_lung, 2, 1)):
            dome = ellipsoid(sign * 72, -5, -150, 80, 85, 95 if label == 1 else 85) < 1
            shape = (ellipsoid(sign * 66, 0, -60, 72, 84, 190) < 1) & (z > -140) & ~dome & ~heart & ~mediastinum
            if present:
                lung[shape & (sign * x > 0)] = label
        vessels = np.sin(x / 7.0) * np.sin(y / 6.0) * np.sin(z / 9.0) > 0.93
        hu[lung > 0] = LUNG
        hu[(lung > 0) & vessels] = 30.0
        if self.consolidation:
            dense = (lung == 2) & (z < -20) & (y > 0)
            hu[dense] = 30.0
        trachea = (ellipse(0, 8, 9, 9) < 1) & (z > 0)
        hu[trachea & (lung == 0)] = AIR
        if self.stomach_gas:
            hu[ellipsoid(70, -20, -150, 45, 40, 45) < 1] = -990.0
        if self.table:
            table_y = -128 if self.prone else 128
            hu[(np.abs(y - table_y) < 3) & (np.abs(x) < 190) & (body >= 1)] = -100.0
        return hu, lung

"""A CT in memory: Hounsfield units in LPS axial order with its geometry, and the way back to the file's grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import SimpleITK as sitk  # large; imported where it is needed, so that Slicer starts without it

_SIDES = (("I", "S"), ("A", "P"), ("R", "L"))  # of the array axes z, y and x


@dataclass(frozen=True)
class Geometry:
    """Grid of an image: size, spacing (mm), origin (mm, LPS) and direction cosines, all in ITK's x, y, z order."""

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: tuple[float, ...]

    @classmethod
    def of(cls, image: sitk.Image | sitk.ImageFileReader) -> Geometry:
        """Geometry of a 3D SimpleITK image, or of a file whose header was read."""
        return cls(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())

    def apply_to(self, image: sitk.Image) -> sitk.Image:
        """Give ``image`` (same size) exactly this geometry and return it."""
        image.SetSpacing(self.spacing)
        image.SetOrigin(self.origin)
        image.SetDirection(self.direction)
        return image

    @property
    def axes(self) -> np.ndarray:
        """Directions of the axes in LPS, a column of length 1 for each, shape (3, 3)."""
        return np.array(self.direction).reshape(3, 3)

    @property
    def steps(self) -> np.ndarray:
        """Steps from voxel to voxel in mm in LPS, a column for each axis, shape (3, 3)."""
        return self.axes * self.spacing

    @property
    def corners(self) -> np.ndarray:
        """Corners of the box that the voxels fill, shape (8, 3): LPS coordinates in mm."""
        ends = np.meshgrid(*([-0.5, size - 0.5] for size in self.size), indexing="ij")
        return np.array(self.origin) + np.stack(ends, axis=-1).reshape(-1, 3) @ self.steps.T

    @property
    def orientation(self) -> str:
        """Nearest anatomical axis order, such as ``LPS`` or ``RAS``."""
        import SimpleITK as sitk

        return sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(self.direction)

    @property
    def to_lps(self) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
        """Axis of this grid that becomes the LPS grid's x, y and z, and whether it has to be turned round."""
        code = self.orientation
        axes = tuple(next(n for n, letter in enumerate(code) if letter in pair) for pair in ("LR", "PA", "SI"))
        return axes, tuple(code[n] in "RAI" for n in axes)  # type: ignore[return-value]

    @property
    def in_lps(self) -> Geometry:
        """The same voxels with axes ordered and turned to the left, the back and upwards (exact, no resampling)."""
        origin = np.array(self.origin)
        columns = []
        for axis, turned in zip(*self.to_lps, strict=True):
            column = self.axes[:, axis]
            if turned:
                origin = origin + column * self.spacing[axis] * (self.size[axis] - 1)
            columns.append(-column if turned else column)
        i, j, k = self.to_lps[0]
        return Geometry(
            (self.size[i], self.size[j], self.size[k]),
            (self.spacing[i], self.spacing[j], self.spacing[k]),
            tuple(origin.tolist()),
            tuple(np.stack(columns, axis=1).ravel().tolist()),
        )


@dataclass(frozen=True)
class CTVolume:
    """A CT scan, reoriented so that array axes are (slice upwards, row to the back, column to the left).

    Attributes
    ----------
    hu : Hounsfield units, shape (z, y, x): z grows to superior, y to posterior, x to the patient's left.
    geometry : grid of ``hu`` in LPS order.
    native : grid of the file or node the scan came from; masks are handed back on it.
    source : what to call the scan in messages (a file name, a node name).
    """

    hu: np.ndarray
    geometry: Geometry
    native: Geometry
    source: str

    @classmethod
    def from_sitk(cls, image: sitk.Image, source: str) -> CTVolume:
        """Take a 3D (or 2D: one slice) scalar image; axes are decided by physical space, never by array order."""
        import SimpleITK as sitk

        if image.GetDimension() == 2:
            image = sitk.JoinSeries(image)
        return cls.from_array(sitk.GetArrayFromImage(image), Geometry.of(image), source)

    @classmethod
    def from_array(cls, hu: np.ndarray, native: Geometry, source: str) -> CTVolume:
        """Take an array in SimpleITK's order (z, y, x of ``native``); it is copied only where its axes have to turn."""
        axes, turned = native.to_lps
        # Array axes run against ITK's: axis n of the image is axis 2 - n of the array.
        reordered = hu.transpose([2 - n for n in reversed(axes)])
        reordered = np.flip(reordered, tuple(2 - n for n in range(3) if turned[n]))
        return cls(np.ascontiguousarray(reordered), native.in_lps, native, source)

    @property
    def spacing_zyx(self) -> tuple[float, float, float]:
        """Voxel size in mm in array order (z, y, x)."""
        x, y, z = self.geometry.spacing
        return z, y, x

    @property
    def steps_zyx(self) -> np.ndarray:
        """Steps from voxel to voxel in mm, shape (3, 3): for each array axis (z, y, x) a row of LPS coordinates."""
        return self.geometry.steps.T[::-1]

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in millilitres, also on a grid whose axes are not at right angles."""
        return float(abs(np.linalg.det(self.geometry.steps))) / 1000.0

    def native_slice(self, index: int) -> int:
        """Index (from 0) that slice ``index`` of ``hu`` has in the file or node, where slices may run downwards.

        DICOM slices are put in order of their positions along their normal, as a rule from the lowest upwards.
        """
        return len(self.hu) - 1 - index if self.native.to_lps[1][2] else index

    def point_mm(self, z: float, y: float, x: float) -> tuple[float, float, float]:
        """Where a voxel of ``hu`` lies: its centre as LPS coordinates (x, y, z) in mm."""
        left, back, up = self.geometry.origin + self.geometry.steps @ (x, y, z)
        return float(left), float(back), float(up)

    def position_text(self, axis: int, index: int) -> str:
        """Where an array plane lies, such as ``S 12.5 mm``: its middle, along the axis nearest to its normal."""
        middle = [(n - 1) / 2 for n in self.hu.shape]
        middle[axis] = index
        mm = self.point_mm(*middle)[2 - axis]
        # Letters instead of signs: they mean the same in LPS and in RAS coordinates.
        return f"{_SIDES[axis][int(mm >= 0)]} {abs(mm):.1f} mm"

    def to_native(self, mask: np.ndarray) -> sitk.Image:
        """Image on the native grid from a mask with the shape of ``hu``."""
        import SimpleITK as sitk

        axes, turned = self.native.to_lps
        restored = np.flip(mask, tuple(2 - n for n in range(3) if turned[n]))
        restored = restored.transpose(np.argsort([2 - n for n in reversed(axes)]))
        return self.native.apply_to(sitk.GetImageFromArray(np.ascontiguousarray(restored)))

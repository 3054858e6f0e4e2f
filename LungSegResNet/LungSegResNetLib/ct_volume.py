"""A CT in memory: Hounsfield units in LPS axial order with its geometry, and the way back to the file's grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk


@dataclass(frozen=True)
class Geometry:
    """Grid of an image: size, spacing (mm), origin (mm, LPS) and direction cosines, all in ITK's x, y, z order."""

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: tuple[float, ...]

    @classmethod
    def of(cls, image: sitk.Image) -> Geometry:
        """Geometry of a 3D SimpleITK image."""
        return cls(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())

    def apply_to(self, image: sitk.Image) -> sitk.Image:
        """Give ``image`` (same size) exactly this geometry and return it."""
        image.SetSpacing(self.spacing)
        image.SetOrigin(self.origin)
        image.SetDirection(self.direction)
        return image

    @property
    def orientation(self) -> str:
        """Nearest anatomical axis order, such as ``LPS`` or ``RAS``."""
        return sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(self.direction)


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
        """Take a 3D scalar image in any axis order; axes are decided by physical space, never by array order."""
        lps = sitk.DICOMOrient(image, "LPS")
        return cls(sitk.GetArrayFromImage(lps), Geometry.of(lps), Geometry.of(image), source)

    @property
    def spacing_zyx(self) -> tuple[float, float, float]:
        """Voxel size in mm in array order (z, y, x)."""
        x, y, z = self.geometry.spacing
        return z, y, x

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in millilitres."""
        return float(np.prod(self.geometry.spacing)) / 1000.0

    def to_native(self, mask: np.ndarray) -> sitk.Image:
        """Image on the native grid from a mask with the shape of ``hu``."""
        image = self.geometry.apply_to(sitk.GetImageFromArray(mask))
        return self.native.apply_to(sitk.DICOMOrient(image, self.native.orientation))

"""Is this a CT in Hounsfield units? Collects voxel values slice by slice, and repairs what their statistics tell."""

from __future__ import annotations

import numpy as np

from ..errors import InputError

AIR_HU = -1024
_INT16 = np.iinfo(np.int16)
# Padding goes down to -3024 on some scanners; the extended scale of metal ends above 10000.
_LOWEST_HU, _HIGHEST_HU = -3100, 10000
_PADDING_HU = -1300  # nothing a scanner measures lies below
_LIGHTEST_HU = -800  # a chest CT has air, in the airways if not around the patient, and it is lighter
_METAL_SHARE = 0.01
_SAMPLE_VOXELS = 2_000_000
_MOST_LABELS = 24
_GREY_LEVELS = 255  # of pictures; a scan scaled to 0..1 stays below, too


class HounsfieldBuffer:
    """Voxel values of a scan, filled slice by slice: int16 as long as all values fit exactly, else float32.

    Attributes
    ----------
    array : shape (z, y, x).
    not_numbers : how many NaN or infinite values were replaced by air.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.array = np.empty(shape, np.int16)
        self.not_numbers = 0

    def put(self, index: int, values: np.ndarray) -> None:
        """Set slice ``index``."""
        if np.issubdtype(values.dtype, np.floating):
            bad = ~np.isfinite(values)
            if bad.any():
                self.not_numbers += int(bad.sum())
                values = np.where(bad, AIR_HU, values)
        if self.array.dtype == np.int16 and not _fits_int16(values):
            self.array = self.array.astype(np.float32)
        self.array[index] = values


def to_hounsfield(buffer: HounsfieldBuffer, source: str) -> list[str]:
    """Make sure that the buffer holds Hounsfield units, repairing (in place) what is unmistakable; return warnings.

    Repaired are a missing rescale of -1024, values outside -3100..10000 HU and values that are no numbers. Where many
    voxels lie above, they must have one value, which was filled in and becomes air. What lies below -1300 HU was filled
    in around the field of view, not measured; it becomes air without a warning.

    Raises
    ------
    InputError : the values are constant, labels, or not in Hounsfield units.
    """
    scan = _Scan(buffer.array, source)
    scan.refuse_other_images()
    warnings = []
    if buffer.not_numbers:
        warnings.append(f"{source} has {buffer.not_numbers} voxels that are not numbers; they count as air.")
    warnings += scan.fill()
    warnings += scan.offset()
    warnings += scan.window()
    warnings += scan.clip()
    return warnings


class _Scan:
    """Voxels on their way to Hounsfield units; each step changes them in place and returns warnings."""

    def __init__(self, hu: np.ndarray, source: str) -> None:
        self._hu, self._source = hu, source
        self._low, self._high = float(hu.min()), float(hu.max())
        step = max(1, int(np.ceil((hu.size / _SAMPLE_VOXELS) ** (1 / 3))))
        # A view, which changes with the voxels.
        self._sample = hu[step // 2 :: step, step // 2 :: step, step // 2 :: step] if min(hu.shape) > step else hu

    def refuse_other_images(self) -> None:
        """Raise InputError for a constant image and for labels."""
        if self._low == self._high:
            raise InputError(f"{self._source} is empty: all its voxels have the value {self._low:g}.")
        if is_label_like(self._sample):
            raise InputError(f"{self._source} holds labels (a mask), not a CT; give the CT scan it belongs to.")

    def fill(self) -> list[str]:
        """Make air of a value far above those of a CT that was filled in. Raises InputError if there are several."""
        above = self._sample[self._sample > _HIGHEST_HU]
        if above.size <= _METAL_SHARE * self._sample.size:
            return []
        value = self._high
        if above.min() != value:
            raise _not_hounsfield(self._source, self._low, value)
        filled_in = self._hu == value
        share = 100 * filled_in.mean()
        self._hu[filled_in] = AIR_HU
        self._high = float(self._hu.max())
        text = (
            f"{self._source} has the value {value:g} in {share:.0f} % of its voxels, as some scanners fill in around "
            "the field of view; they count as air."
        )
        return [text]

    def offset(self) -> list[str]:
        """Subtract 1024 where the rescale is missing. Raises InputError for values that are no Hounsfield units."""
        if is_shifted(self._sample):
            np.maximum(self._hu, _LOWEST_HU - 1, out=self._hu)  # or subtraction would go beyond the smallest int16
            self._hu -= np.array(1024, self._hu.dtype)
            self._low, self._high = self._low - 1024, self._high - 1024
            text = (
                f"{self._source} has no rescale to Hounsfield units; 1024 was subtracted, as its histogram suggests. "
                "If 1000 was added when it was stored, all densities are 24 HU too low."
            )
            return [text]
        if _is_shifted_twice(self._sample):
            raise InputError(
                f"{self._source} is not in Hounsfield units: its histogram looks as if 1024 had been subtracted twice "
                "(air at about -2000, soft tissue at about -1000); convert it again."
            )
        measured = self._sample[self._sample > _PADDING_HU]
        if not measured.size or np.mean(measured < -500) < 0.005:
            raise _not_hounsfield(self._source, self._low, self._high)
        return []

    def window(self) -> list[str]:
        """A warning where the dark end of the values is missing; nothing can be repaired."""
        if self._low <= _LIGHTEST_HU:
            return []
        text = (
            f"{self._source} has no value below {self._low:g} HU, as if a grey-level window had been burnt in: air "
            "cannot be told from lung, the mask may hold both, and densities are wrong; use the scan as it came from "
            "the scanner."
        )
        return [text]

    def clip(self) -> list[str]:
        """Make air of what was not measured, and the highest value of what lies above it."""
        if self._low < _PADDING_HU or self._high > _HIGHEST_HU:
            for section in self._hu:
                section[section < _PADDING_HU] = AIR_HU
                section[section > _HIGHEST_HU] = _HIGHEST_HU
        if self._low >= _LOWEST_HU and self._high <= _HIGHEST_HU:
            return []
        text = (
            f"{self._source} has values from {self._low:g} to {self._high:g}; "
            f"those below {_LOWEST_HU} HU count as air, those above {_HIGHEST_HU} HU as metal."
        )
        return [text]


def is_label_like(values: np.ndarray) -> bool:
    """True for few different small whole numbers from 0 upwards."""
    if values.min() < 0 or values.max() > 255 or values.dtype != np.int16:
        return False
    return int(np.count_nonzero(np.bincount(values.ravel()))) <= _MOST_LABELS


def is_shifted(values: np.ndarray) -> bool:
    """True for the histogram of a CT stored with an offset of 1024.

    Air and lung lie in 0..350, fat and soft tissue form one narrow peak around 924..1100, and there is little
    between. Other modalities spread their tissues over a wide range or have no such peak.
    """
    values = _without_padding(values)
    if not values.size or np.mean(values < -200) > 0.001:
        return False
    air = np.mean(values < 350)
    tissue = values[values >= 350]
    if air < 0.02 or tissue.size < 0.05 * values.size:
        return False
    return bool(np.mean((tissue > 850) & (tissue < 1200)) > 0.6)


def _without_padding(values: np.ndarray) -> np.ndarray:
    """Values without those that no scanner measures, and without the lowest one, with which the surroundings of the
    field of view may be filled also where an offset has brought it up to air."""
    values = values[values > _PADDING_HU]
    return values[values > values.min()] if values.size and values.min() < -200 else values


def _is_shifted_twice(values: np.ndarray) -> bool:
    """True for the histogram of a CT less 1024: without soft tissue near 0, and with air and tissue at their places."""
    return bool(np.mean(np.abs(values) < 250) < 0.02) and is_shifted(values + np.float32(2 * 1024))


def _fits_int16(values: np.ndarray) -> bool:
    if values.size and (values.min() < _INT16.min or values.max() > _INT16.max):
        return False
    return not np.issubdtype(values.dtype, np.floating) or bool((values == np.rint(values)).all())


def _not_hounsfield(source: str, low: float, high: float) -> InputError:
    text = (
        f"{source} is not a chest CT in Hounsfield units: its values run from {low:g} to {high:g} "
        "without air (about -1000) or lung (about -850)"
    )
    if low >= 0 and high <= _GREY_LEVELS:
        white = _GREY_LEVELS if high > 1 else 1
        text += (
            "; if they are grey levels of a window, use the scan as it came from the scanner, or turn them back: "
            f"HU = lower end of the window + value x width / {white}"
        )
    return InputError(text + ".")

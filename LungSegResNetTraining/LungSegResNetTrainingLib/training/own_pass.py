"""Gives passes of a network weights of their own, so that one can be trained alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from LungSegResNetLib.network.architecture import whole_config


def with_own_weights(
    config: dict[str, Any], weights: Mapping[str, np.ndarray], scales: Sequence[int]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Config and weights of a network file, whose passes at ``scales`` have weights of their own.

    Where they have none yet, these are those that the passes share; the network computes the same.
    """
    own = whole_config(config)["own_scales"]
    shared = {name: value for name, value in weights.items() if not name.startswith("own.")}
    added = {f"own.{scale}.{name}": value for scale in scales if scale not in own for name, value in shared.items()}
    both = sorted({*own, *scales})
    return config | ({"own_scales": both} if both else {}), {**weights} | added

"""Gives a pass of a network weights of its own, so that it can be trained alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from LungSegResNetLib.network.architecture import whole_config
from LungSegResNetLib.network.network import HighRes2DNet


def with_own_pass(network: HighRes2DNet, scale: int) -> HighRes2DNet:
    """The same network, whose pass at 1/scale of the size has weights of its own, to begin with those it has now."""
    if str(scale) in network.own:
        return network
    own_scales = (*map(int, network.own), scale)
    result = HighRes2DNet(**network.config | {"own_scales": own_scales}).train(network.training)
    result.load_state_dict(network.state_dict(), strict=False)
    result.at(scale).load_state_dict(network.state_dict(), strict=False)
    return result


def with_own_weights(
    config: Mapping[str, Any], weights: Mapping[str, np.ndarray], scales: Sequence[int]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Config and weights of a network file, whose passes at ``scales`` have weights of their own.

    Where they have none yet, these are those that the passes share; the network computes the same.
    """
    own = whole_config(dict(config))["own_scales"]
    shared = {name: value for name, value in weights.items() if not name.startswith("own.")}
    added = {f"own.{scale}.{name}": value for scale in scales if scale not in own for name, value in shared.items()}
    both = sorted({*own, *scales})
    return {**config} | ({"own_scales": both} if both else {}), {**weights} | added

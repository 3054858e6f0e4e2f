from __future__ import annotations

import highresnet
import pytest
import torch
from torch import nn

from LungSegResNetLib.network.network import HighRes2DNet, ResidualBlock


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("classes", "penultimate_channels", "expected"), [(2, 80, 274_132), (3, 80, 274_214), (2, None, 268_820)]
)
def test_the_number_of_parameters_is_that_of_niftynet(
    classes: int, penultimate_channels: int | None, expected: int
) -> None:
    network = HighRes2DNet(classes=classes, penultimate_channels=penultimate_channels)
    assert _parameters(network) == expected


def test_no_convolution_has_a_bias_and_21_convolutions_are_batch_normalised() -> None:
    modules = list(HighRes2DNet().modules())
    convolutions = [module for module in modules if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 21
    assert all(convolution.bias is None for convolution in convolutions)
    assert sum(isinstance(module, nn.BatchNorm2d) for module in modules) == 21


def test_a_slice_costs_as_many_multiplications_as_the_documentation_says() -> None:
    weights = sum(module.weight.numel() for module in HighRes2DNet().modules() if isinstance(module, nn.Conv2d))
    assert weights * 216 * 296 / 1e9 == pytest.approx(17.4, abs=0.05)


def test_same_weights_give_the_same_features_as_the_highresnet_package_after_every_block() -> None:
    torch.manual_seed(0)
    reference = highresnet.HighRes2DNet(in_channels=1, out_channels=2, add_dropout_layer=True).train()
    for norm in (module for module in reference.modules() if isinstance(module, nn.BatchNorm2d)):
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, std=0.3)
    slices = torch.rand(2, 1, 40, 56)
    with torch.no_grad():
        for _ in range(20):  # running means and variances away from 0 and 1
            reference(torch.rand(2, 1, 40, 56))
    reference.eval()
    network = HighRes2DNet().eval()
    theirs, ours = reference.state_dict(), network.state_dict()
    assert [value.shape for value in ours.values()] == [value.shape for value in theirs.values()]
    network.load_state_dict(dict(zip(ours, theirs.values(), strict=True)))

    their_blocks = [block for stage in (1, 2, 3) for block in reference.block[stage].dilation_block]
    pairs = [(reference.block[0], network.stem), *zip(their_blocks, network.blocks, strict=True)]
    features: dict[int, list[torch.Tensor]] = {}
    for number, pair in enumerate(pairs):
        for module in pair:
            module.register_forward_hook(
                lambda _module, _input, output, number=number: features.setdefault(number, []).append(output)
            )
    with torch.no_grad():
        expected, result = reference(slices), network(slices)
    assert len(features) == 10
    for number, (theirs_after, ours_after) in features.items():
        torch.testing.assert_close(ours_after, theirs_after, atol=1e-5, rtol=1e-5, msg=f"after block {number}")
    assert expected.std() > 0.1
    torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-5)


def test_the_receptive_field_is_exactly_87_by_87_pixels() -> None:
    network = HighRes2DNet().double().eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):  # positive everywhere, so that no rectifier blocks a path
                module.weight.abs_()
    slices = torch.ones(1, 1, 101, 101, dtype=torch.float64, requires_grad=True)
    network(slices)[0, 1, 50, 50].backward()
    assert slices.grad is not None
    seen = slices.grad[0, 0] != 0
    expected = torch.zeros_like(seen)
    expected[50 - 43 : 50 + 44, 50 - 43 : 50 + 44] = True
    assert torch.equal(seen, expected)


def test_weights_start_with_the_spread_of_he_and_no_outliers() -> None:
    torch.manual_seed(0)
    for module in HighRes2DNet().modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight.detach()
            expected = (2.0 / (module.in_channels * module.kernel_size[0] * module.kernel_size[1])) ** 0.5
            # Standard error of a standard deviation, six times.
            assert weight.std().item() == pytest.approx(expected, rel=6 / (2 * weight.numel()) ** 0.5)
            assert weight.abs().max().item() <= 2.0 * expected / 0.8796 + 1e-6


@pytest.mark.parametrize(("channels_in", "channels_out"), [(16, 32), (32, 64)])
def test_a_widening_shortcut_is_padded_with_zeros_evenly_on_both_sides(channels_in: int, channels_out: int) -> None:
    block = ResidualBlock(channels_in, channels_out, dilation=2).eval()
    nn.init.zeros_(block.conv2.weight)
    features = torch.rand(1, channels_in, 9, 9) + 0.1
    with torch.no_grad():
        result = block(features)
    side = (channels_out - channels_in) // 2
    assert torch.equal(result[:, side:-side], features)
    assert not result[:, :side].any()
    assert not result[:, -side:].any()

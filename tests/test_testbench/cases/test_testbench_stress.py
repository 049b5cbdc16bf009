"""Stress cases: the same for one seed, realizable, and short of what they should be short of."""

from functools import cache

import numpy as np

from sim.realizability import check
from sim.spec.network import PRODUCT_KINDS, LayerKind
from stress_cases import draw_stress, random_accelerator, random_windows
from testbench.cases.random_networks import Case


@cache
def cases() -> list[Case]:
    return draw_stress(80, 1)


def test_a_seed_draws_the_same_cases_in_any_number() -> None:
    again = draw_stress(10, 1)
    for case, other in zip(cases(), again, strict=False):
        assert case.config == other.config
        assert [layer.output for layer in case.network.layers] == [
            layer.output for layer in other.network.layers
        ]
        np.testing.assert_array_equal(case.images, other.images)
    assert draw_stress(1, 2)[0].config != cases()[0].config
    assert [case.index for case in cases()] == list(range(80))


def test_every_case_is_realizable() -> None:
    assert not any(check(case.config, case.network) for case in cases())


def test_every_accelerator_can_be_built_with_any_bus() -> None:
    rng = np.random.default_rng(0)
    configs = [random_accelerator(rng) for _ in range(400)]
    built = [config for config in configs if not check(config)]
    # the others have a bank of a single vector
    assert all(config.bank_depth < 2 for config in configs if check(config))
    assert len(built) > 350
    assert {config.bus_bytes for config in built} == {1, 2, 4, 8, 16, 32, 64, 128}
    assert any(config.pacing != (1, 1) for config in built)
    assert min(config.weight_rows for config in built) == 1
    assert min(config.accumulator_rows for config in built) == 1


def test_networks_have_windows_of_every_shape() -> None:
    rng = np.random.default_rng(0)
    layers = [layer for _ in range(300) for layer in random_windows(rng).layers]
    assert {layer.kind for layer in layers} == set(LayerKind) - {*PRODUCT_KINDS}
    convs = [layer for layer in layers if layer.kind is LayerKind.CONV]
    assert any(layer.kernel[0] != layer.kernel[1] for layer in convs)
    assert any(layer.stride[0] != layer.stride[1] for layer in convs)
    assert any(layer.padding.top > layer.padding.bottom for layer in convs)
    assert any(layer.padding.left >= layer.kernel[1] for layer in convs)
    assert any(layer.kernel[0] < layer.stride[0] for layer in convs)

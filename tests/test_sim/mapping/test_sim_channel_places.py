"""Where the channels of concatenations lie, and that the network computes the same there."""

import itertools

import numpy as np
import pytest

from sim import golden
from sim.arrays.plan_columns import LayerPlan, TensorPlan
from sim.arrays.tables import TensorColumn
from sim.mapping.channel_places import channel_places, with_gaps
from sim.realizability import attempt, check
from sim.spec.network import Network
from sim.spec.spaces import TINY
from testbench.cases.random_graphs import random_graph

WIDTHS = list(itertools.product((4, 8), (1, 4)))


def graphs(count: int) -> list[Network]:
    rng = np.random.default_rng(4)
    drawn = (random_graph(TINY.default, rng, f"g{i}") for i in itertools.count())
    return list(itertools.islice((made for made in drawn if made.concatenations), count))


@pytest.mark.parametrize(("simd", "lanes"), WIDTHS)
def test_parts_begin_with_vectors_and_no_round_straddles_planes(simd: int, lanes: int) -> None:
    gaps = 0
    for network in graphs(12):
        places = channel_places(network, simd, lanes)
        form = with_gaps(network, simd, lanes)
        for joint in form.concatenations:
            if joint.pixels:  # the parts of mosaics have all channels
                assert joint.starts == ()
                continue
            taken = 0
            for start, part in zip(joint.starts, joint.parts, strict=True):
                groups = -(-form.tensors[part].channels // simd)
                assert start % simd == 0
                first = start // simd % lanes
                assert first == 0 or first + groups <= lanes
                # lanes that take turns with pixels store to every second or fourth bank
                turns = (1 << n for n in range(lanes.bit_length()))
                assert all(first % turn == 0 or first % turn + groups <= turn for turn in turns)
                assert start >= taken
                gaps += start > taken
                taken = start + form.tensors[part].channels
            assert joint.output.channels == taken
        for name, tensor in network.tensors.items():
            assert sum(count for _, count in places[name]) == tensor.channels
            assert tuple(count for _, count in places[name]) == network.segments[name]
    assert gaps > 3


@pytest.mark.parametrize(("simd", "lanes"), WIDTHS)
def test_every_channel_has_the_same_values_among_gaps(simd: int, lanes: int) -> None:
    for network in graphs(10):
        form = with_gaps(network, simd, lanes)
        places = channel_places(network, simd, lanes)
        x = np.random.default_rng(1).integers(-128, 128, (1, *network.input.shape)).astype(np.int8)
        plain, wide = golden.run(network, x), golden.run(form, x)
        for name, values in plain.items():
            own = np.concatenate([np.arange(first, first + n) for first, n in places[name]])
            np.testing.assert_array_equal(wide[name][..., own], values)


def test_a_network_without_concatenations_is_its_own_form() -> None:
    rng = np.random.default_rng(2)
    network = next(
        made
        for made in (random_graph(TINY.default, rng, "g") for _ in range(100))
        if not made.concatenations
    )
    assert with_gaps(network, 8, 2) is network


def test_parts_lie_together_where_they_can_and_side_by_side_elsewhere() -> None:
    together = apart = aside = 0
    for network in graphs(30):
        _, mapped = attempt(TINY.default, network)
        if mapped is None:
            continue
        plan, tensors = mapped.tensor_plan, mapped.tensors
        for t in range(len(network.layers) + 1, len(tensors)):
            if tensors[t, TensorColumn.ROOT] != t:
                continue
            parts = np.flatnonzero(tensors[:, TensorColumn.ROOT] == t)
            group = tensors[parts, TensorColumn.PLACE]
            if plan[t, TensorPlan.JOINED]:
                together += 1
                lanes = mapped.config.compute_lanes
                planes = group // lanes * plan[t, TensorPlan.PLANE]
                first = plan[t, TensorPlan.ADDRESS]
                np.testing.assert_array_equal(plan[parts, TensorPlan.ADDRESS], first + planes)
                np.testing.assert_array_equal(plan[parts, TensorPlan.BANK], group % lanes)
            else:
                apart += 1
                assert plan[parts, TensorPlan.STORED].all()
            if plan[t, TensorPlan.STORED]:
                pixels = tensors[t, TensorColumn.HEIGHT] * tensors[t, TensorColumn.WIDTH]
                step = pixels * plan[t, TensorPlan.PIXEL_BYTES]
                places = plan[t, TensorPlan.EXTERNAL] + group * step
                np.testing.assert_array_equal(plan[parts, TensorPlan.EXTERNAL], places)
        aside += int((mapped.layer_plan[:, LayerPlan.OUT_BANK] > 0).sum())
    assert min(together, apart, aside) > 2


def test_channels_that_are_too_many_in_vectors_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    config = TINY.default

    def largest(network: Network) -> int:
        return max(int(np.prod(tensor.shape)) for tensor in network.tensors.values())

    network = next(
        made
        for made in graphs(20)
        if largest(with_gaps(made, config.simd_units, config.compute_lanes)) > largest(made)
    )
    most = largest(network)
    monkeypatch.setattr("sim.spec.tensors.VALUES_LIMIT", most)
    (violation,) = check(TINY.default, network)
    assert violation.code == "MAP_CHANNELS"
    pattern = r"with the parts of concatenations in whole vectors, tensor '\w+' must have at most "
    assert violation.detail.startswith(pattern.split("'")[0])

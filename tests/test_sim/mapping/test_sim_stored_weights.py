"""Which weights stay in the weight store, where, and what cold and warm runs do with them."""

import itertools
import zlib
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from convolution_case import convolution
from hwgen.program import compile_mapped
from sim.arrays.plan_columns import LayerPlan
from sim.arrays.tables import COLUMNS
from sim.model import predict, predict_mapped
from sim.networks.named import named_network
from sim.plan import Mapped
from sim.realizability import map_realizable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import DESCRIPTOR_BYTES, LoadKind, LoadStore, Queue
from sim.spec.header import HEADER_BYTES, read_header
from sim.spec.network import Network
from sim.spec.spaces import NAHAS, TINY

CONFIG = replace(TINY.default, simd_units=16, register_file_kb=16)


def _weight_loads(mapped: Mapped) -> NDArray[np.int64]:
    rows = mapped.rows
    chosen = (rows[:, COLUMNS["queue"]] == Queue.LOAD) & (
        rows[:, COLUMNS["kind"]] == LoadKind.WEIGHTS
    )
    loads: NDArray[np.int64] = rows[chosen]
    return loads


def layer_rows(mapped: Mapped) -> list[int]:
    """Rows of each layer's weights, from the blocks' distances in external memory."""
    loads = _weight_loads(mapped)
    rows = [0] * len(mapped.layers)
    for row in np.unique(loads[:, [COLUMNS[n] for n in NAMES]], axis=0):
        layer, _, lanes, parameters, weights = row.tolist()
        rows[layer] += lanes * (parameters + weights)
    return rows


NAMES = ("layer", "address", "lanes", "parameter_rows", "weight_rows")


def stored(mapped: Mapped) -> list[int]:
    """First rows in the store, -1 where weights come from memory."""
    places: list[int] = mapped.layer_plan[:, LayerPlan.STORE_ROW].tolist()
    return places


def test_all_weights_are_stored_if_they_fit() -> None:
    network = named_network("ds_cnn")
    mapped = map_realizable(replace(CONFIG, weight_store_kb=256), network)
    rows = layer_rows(mapped)
    assert stored(mapped) == [sum(rows[:i]) for i in range(len(rows))]


@pytest.mark.parametrize("size", [2, 4, 8, 16, 24])
def test_stored_layers_lie_one_behind_the_other_and_fill_the_store(size: int) -> None:
    """A single layer is there in part."""
    config = replace(CONFIG, weight_store_kb=size)
    mapped = map_realizable(config, named_network("ds_cnn"))
    rows, place, parts = layer_rows(mapped), 0, []
    for i, (first, own) in enumerate(zip(stored(mapped), rows, strict=True)):
        part = int(mapped.layer_plan[i, LayerPlan.STORED_ROWS])
        assert first == (place if part else -1)
        place += part
        if part not in (0, own):
            parts.append(i)
    assert place == config.store_rows
    assert len(parts) <= 1


@pytest.mark.parametrize(("name", "size"), [("ds_cnn", 8), ("resnet8", 32), ("autoencoder", 64)])
def test_of_a_layer_that_does_not_fit_the_first_loads_are_stored(name: str, size: int) -> None:
    config = replace(TINY.default, weight_store_kb=size)
    mapped = map_realizable(config, named_network(name))
    plan, loads = mapped.layer_plan, _weight_loads(mapped)
    (partial,) = (
        i for i, own in enumerate(layer_rows(mapped)) if 0 < plan[i, LayerPlan.STORED_ROWS] < own
    )
    room = int(plan[partial, LayerPlan.STORED_ROWS])
    kinds = set()
    own = loads[loads[:, COLUMNS["layer"]] == partial]
    sizes = own[:, COLUMNS["lanes"]] * (
        own[:, COLUMNS["parameter_rows"]] + own[:, COLUMNS["weight_rows"]]
    )
    stream = dict(zip(own[:, COLUMNS["address"]].tolist(), sizes.tolist(), strict=True))
    for row in own:
        address = row[COLUMNS["address"]]
        first = sum(size for place, size in stream.items() if place < address)
        fits = first + stream[address] <= room
        assert row[COLUMNS["store"]] == (LoadStore.READ if fits else LoadStore.NONE)
        if fits:
            assert row[COLUMNS["store_row"]] == plan[partial, LayerPlan.STORE_ROW] + first
        kinds.add(bool(fits))
    assert kinds == {False, True}


@pytest.mark.parametrize("size", [4, 8, 16, 32])
def test_room_that_is_too_small_for_a_layer_goes_to_others(size: int) -> None:
    """A layer has rows of the store of which it uses none only where no other could begin there."""
    network, used = named_network("ds_cnn"), 0
    for columns, lanes, units in itertools.product((1, 2, 4), (2, 4, 8), (8, 16)):
        config = replace(
            TINY.default,
            pes_x=columns,
            compute_lanes=lanes,
            simd_units=units,
            register_file_kb=16,
            weight_store_kb=size,
        )
        mapped = map_realizable(config, network)
        loads, rooms = _weight_loads(mapped), mapped.layer_plan[:, LayerPlan.STORED_ROWS]
        sizes = loads[:, COLUMNS["lanes"]] * (
            loads[:, COLUMNS["parameter_rows"]] + loads[:, COLUMNS["weight_rows"]]
        )
        layers, reads = loads[:, COLUMNS["layer"]], loads[:, COLUMNS["store"]] == LoadStore.READ
        firsts = np.array([sizes[layers == layer][0] for layer in range(len(rooms))])
        for layer in np.flatnonzero(rooms):
            if (layers[reads] == layer).any():
                used += 1
            else:
                assert firsts[layer] > rooms[layer]
                assert (firsts[rooms == 0] > rooms[layer]).all()
    assert used > 20


def test_weights_that_are_kept_in_part_take_less_time() -> None:
    """256 KiB hold nine tenths of the autoencoder's weights: all layers but a part of the last."""
    network = named_network("autoencoder")
    config = replace(TINY.default, weight_store_kb=256)
    mapped, streamed = map_realizable(config, network), predict(TINY.default, network)
    assert max(layer_rows(mapped)) < config.store_rows < sum(layer_rows(mapped))
    assert predict_mapped(mapped).total_cycles < streamed.total_cycles / 4


def test_the_layers_that_save_most_are_stored() -> None:
    """The classifier of MobileNetV2: a third of the weights, and hardly any computation."""
    network = named_network("mobilenet_v2")
    mapped = map_realizable(replace(NAHAS.default, weight_store_kb=2048), network)
    assert stored(mapped)[-1] >= 0
    assert -1 in stored(mapped)


def test_without_a_store_a_cold_run_is_the_only_run() -> None:
    mapped = map_realizable(CONFIG, named_network("ds_cnn"))
    program = compile_mapped(mapped)
    assert not mapped.stored
    assert mapped.cold_rows is mapped.rows
    assert not mapped.rows[:, COLUMNS["store"]].any()
    assert program.warm_address == program.header_address
    prediction = predict_mapped(mapped)
    assert prediction.cold_cycles == prediction.total_cycles
    assert prediction.cold_read_bytes == prediction.read_bytes
    assert prediction.store_bytes == 0


FULL = replace(CONFIG, weight_store_kb=32, local_memory_kb=4, register_file_kb=2)

IN_PART = replace(CONFIG, weight_store_kb=1, register_file_kb=1, simd_units=64)
"""Accelerator whose store ends with a split of a single row, which every block reads again."""


@pytest.mark.parametrize(
    ("config", "network", "images"),
    [
        (FULL, named_network("resnet8"), 1),
        (FULL, named_network("resnet8"), 3),
        (IN_PART, convolution(3), 1),
    ],
)
def test_a_cold_run_fills_every_stored_row_before_it_is_read(
    config: AcceleratorConfig, network: Network, images: int
) -> None:
    mapped = map_realizable(config, network, images)
    cold, warm = mapped.cold_rows, mapped.rows
    filled = np.zeros(config.store_rows, np.int64) - 1
    fills = reads = 0
    for row, same in zip(cold, warm, strict=True):
        first, kind = row[COLUMNS["store_row"]], row[COLUMNS["store"]]
        own = row[COLUMNS["parameter_rows"]] + row[COLUMNS["weight_rows"]]
        places = slice(first, first + row[COLUMNS["lanes"]] * own)
        address = row[COLUMNS["address"]] * config.store_rows + np.arange(places.stop - first)
        if kind == LoadStore.FILL:
            assert (filled[places] < 0).all()
            filled[places] = address
            fills += 1
        elif kind == LoadStore.READ:
            assert np.array_equal(filled[places], address)
            reads += 1
        wanted = row.copy()
        wanted[COLUMNS["store"]] = LoadStore.READ if kind else LoadStore.NONE
        assert np.array_equal(wanted, same)
    assert fills > 0
    assert reads > 0


def test_a_program_has_two_sealed_lists_over_the_same_memory() -> None:
    config = replace(CONFIG, weight_store_kb=16)
    mapped = map_realizable(config, named_network("ds_cnn"))
    program = compile_mapped(mapped)
    assert program.warm_address == program.header_address + HEADER_BYTES + len(program.encoded)
    assert len(program.image) == program.warm_address + HEADER_BYTES + len(program.encoded)
    for entry in (program, program.warm):
        header = read_header(program.image[entry.header_address :])
        assert header.count == len(program.descriptors)
        assert header.checksum == zlib.crc32(entry.encoded[:DESCRIPTOR_BYTES])
    assert program.encoded != program.warm.encoded
    again = program.with_descriptors(program.encoded)
    assert again.image == program.image


@pytest.mark.parametrize("name", ["mobilenet_v2", "efficientnet_lite0"])
def test_stored_weights_take_time_and_bytes_from_a_warm_run(name: str) -> None:
    """A cold run takes at most 0.5 % longer than without a store, which its own loads fill."""
    network = named_network(name)
    streamed = predict(NAHAS.default, network)
    kept = predict(replace(NAHAS.default, weight_store_kb=8192), network)
    assert kept.total_cycles < streamed.total_cycles / 2
    assert kept.cold_cycles <= 1.005 * streamed.total_cycles
    assert kept.read_bytes < streamed.read_bytes / 8
    assert kept.read_bytes + kept.store_bytes >= kept.cold_read_bytes

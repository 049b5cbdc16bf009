"""Streams of images: what a steady run loads, when, and where there can be none."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from sim.arrays.plan_columns import LayerPlan
from sim.arrays.tables import COLUMNS
from sim.model import predict_mapped, predict_stream
from sim.networks.named import named_network
from sim.plan import Mapped
from sim.realizability import map_realizable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import ExecuteOp, LoadKind, Queue
from sim.spec.spaces import EDGE, TINY
from sim.stream import Stream, stream_of
from testbench.cases.random_networks import draw_cases


@cache
def streams() -> list[tuple[AcceleratorConfig, Mapped, Stream]]:
    """Drawn pairs whose images can be a stream."""
    drawn = []
    for space in (TINY, EDGE):
        for case in draw_cases(240, space, 8, max_macs=1 << 17):
            mapped = map_realizable(case.config, case.network)
            stream = stream_of(mapped)
            if stream is not None:
                drawn.append((case.config, mapped, stream))
    assert len(drawn) >= 100
    return drawn


def column(rows: NDArray[np.int64], name: str) -> NDArray[np.int64]:
    values: NDArray[np.int64] = rows[:, COLUMNS[name]]
    return values


def tiles(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """LOADs of tiles of the network's input."""
    loads = column(rows, "queue") == Queue.LOAD
    inputs: NDArray[np.int64] = rows[loads & (column(rows, "gather") == 1)]
    return inputs


def loaded_rows(rows: NDArray[np.int64], place: int) -> list[tuple[int, ...]]:
    """Every image row that is loaded, for which PEs, and where in their part of local memory it goes."""
    loaded = []
    for row in tiles(rows):
        d = {name: int(row[at]) for name, at in COLUMNS.items()}
        assert d["kind"] == LoadKind.TILE
        shape = [d[name] for name in ("pe_y", "pe_x", "bank", "columns", "pe_vectors", "lead")]
        for k in range(d["rows"]):
            address = d["address"] + k * d["row_stride"]
            loaded.append((*shape, address, d["local_address"] + k * d["local_row"] - place))
    return sorted(loaded)


def test_first_and_steady_runs_load_an_input_as_a_warm_run_does() -> None:
    for _, mapped, stream in streams():
        place, own = (
            int(plan.layer_plan[0, LayerPlan.IN_ADDRESS]) for plan in (mapped, stream.mapped)
        )
        expected = loaded_rows(mapped.rows, place)
        assert expected
        assert loaded_rows(stream.first.rows, own) == expected
        assert loaded_rows(stream.mapped.rows, own) == expected


def test_all_else_is_as_in_a_warm_run() -> None:
    """Descriptors differ in local addresses and tokens only."""
    free = [
        *("in_address", "in2_address", "out_address", "local_address"),
        *("wait", "post", "after_load", "after_execute", "after_store"),
    ]
    kept = [at for name, at in COLUMNS.items() if name not in free]
    for _, mapped, stream in streams():
        others = [
            rows[(column(rows, "gather") == 0)][:, kept]
            for rows in (mapped.rows, stream.mapped.rows)
        ]
        assert np.array_equal(*others)


def test_no_input_comes_while_its_bank_is_used() -> None:
    """A bank has one port: no EXECUTE may read it or store to it, and no STORE read it."""
    beside = stored = 0
    for config, _, stream in streams():
        rows = stream.mapped.rows
        steady = predict_stream(stream)[1]
        execute = column(rows, "queue") == Queue.EXECUTE
        first, lanes = column(rows, "out_bank"), column(rows, "lanes")
        last = config.compute_lanes - 1
        keeps = (first <= last) & (first + lanes > last)
        keeps |= (column(rows, "spread") == 1) & (lanes > 0)
        op = column(rows, "op")
        groups = np.where(
            op == ExecuteOp.CONV,
            column(rows, "groups"),
            config.compute_lanes // np.maximum(1, column(rows, "pixels")),
        )
        keeps |= (column(rows, "bank") + groups > last) | (op == ExecuteOp.POOL)
        keeps = execute & (keeps | (column(rows, "layer") == 0))
        stores = (column(rows, "queue") == Queue.STORE) & (column(rows, "groups") > last)
        stored += stores.any()
        pieces = (column(rows, "queue") == Queue.LOAD) & (column(rows, "gather") == 1)
        for begin, end in zip(steady.start[pieces], steady.done[pieces], strict=True):
            together = (steady.start < end) & (steady.done > begin)
            assert not (together & (keeps | stores)).any()
            beside += (together & execute).any()
    assert beside >= 20
    assert stored >= 10


@pytest.mark.parametrize("name", ["resnet8", "mobilenet_v1_025"])
def test_an_image_of_a_stream_takes_less_than_a_warm_run(name: str) -> None:
    mapped = map_realizable(EDGE.default, named_network(name, 0))
    stream = stream_of(mapped)
    assert stream is not None
    warm, steady = predict_mapped(mapped), predict_stream(stream)[1]
    assert steady.execute_busy == warm.execute_busy < steady.total_cycles < warm.total_cycles


def test_there_is_no_stream_without_a_bank_or_room_for_the_input() -> None:
    config, network = EDGE.default, named_network("resnet8", 0)
    assert stream_of(map_realizable(config, network, images=2)) is None
    single = replace(config, compute_lanes=1, local_memory_kb=config.local_memory_kb // 4)
    assert stream_of(map_realizable(single, network)) is None
    assert stream_of(map_realizable(TINY.default, network)) is None

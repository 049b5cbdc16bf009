"""Invariants of mapper and schedule on seeded random networks and configurations."""

import dataclasses

import numpy as np
import pytest

from sim.geometry import (
    aligned,
    ceil_div,
    initiation_interval,
    stores_of_last_window,
    tile_candidate,
)
from sim.mapper import Failure, LayerPlan, TensorPlan
from sim.plan import Mapped, map_network
from sim.realizability import check
from sim.schedule import FIELD_HIGH, FIELD_LOW
from sim.spec.descriptor import ExecuteOp, LoadKind, Queue
from sim.spec.spaces import TINY
from sim.tables import COLUMNS
from testbench.cases import Case, draw_cases

CASES = draw_cases(120, TINY, 23)


def mapped(case: Case) -> Mapped:
    found = map_network(case.config, case.network)
    assert found.failure is Failure.NONE
    return found


def column(found: Mapped, name: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return found.rows[:, COLUMNS[name]]


def test_every_value_fits_its_field() -> None:
    for case in CASES:
        rows = mapped(case).rows
        assert ((rows >= FIELD_LOW) & (rows <= FIELD_HIGH)).all()


def test_tokens_pair_up_in_order_and_none_is_left() -> None:
    for case in CASES:
        found = mapped(case)
        queue, post, wait = (column(found, name) for name in ("queue", "post", "wait"))
        for giver in Queue:
            for taker in Queue:
                given = np.flatnonzero((queue == giver) & (post >> taker & 1))
                taken = np.flatnonzero((queue == taker) & (wait >> giver & 1))
                assert len(given) == len(taken)
                assert (given < taken).all()


def test_a_half_is_refilled_only_after_its_last_user() -> None:
    for case in CASES:
        found = mapped(case)
        users: dict[int, int] = {}
        seen = -1
        for i, row in enumerate(found.rows):
            half = int(row[COLUMNS["half"]])
            if row[COLUMNS["queue"]] == Queue.EXECUTE:
                users[half] = i
            elif row[COLUMNS["queue"]] == Queue.LOAD and row[COLUMNS["kind"]] == LoadKind.WEIGHTS:
                seen = max(seen, int(row[COLUMNS["after_execute"]]))
                assert users.get(half, -1) <= seen
            elif row[COLUMNS["queue"]] == Queue.LOAD:
                seen = max(seen, int(row[COLUMNS["after_execute"]]))


def test_live_tensors_never_share_local_memory() -> None:
    for case in CASES:
        found = mapped(case)
        lanes, simd = case.config.compute_lanes, case.config.simd_units
        spans = []
        for t, tensor in enumerate(case.network.tensors.values()):
            plan = found.tensor_plan[t]
            until = int(plan[TensorPlan.RESIDENT_UNTIL])
            if t == 0 or until < 0:
                continue
            rows = plan[TensorPlan.PLANE] // plan[TensorPlan.ROW]
            first = (
                plan[TensorPlan.ADDRESS]
                - plan[TensorPlan.HALO_TOP] * plan[TensorPlan.ROW]
                - plan[TensorPlan.HALO_LEFT]
            )
            planes = ceil_div(ceil_div(tensor.channels, simd), lanes)
            size = planes * rows * plan[TensorPlan.ROW]
            assert first >= 0
            assert first + size <= case.config.bank_depth
            spans.append((first, first + size, t - 1, until))
        for i, (a, b, born, dies) in enumerate(spans):
            for c, d, other, ends in spans[i + 1 :]:
                assert b <= c or d <= a or dies < other or ends < born


def test_execute_interval_holds_steps_and_stores() -> None:
    for case in CASES:
        found = mapped(case)
        for row in found.rows[column(found, "queue") == Queue.EXECUTE]:
            value = {name: int(row[i]) for name, i in COLUMNS.items()}
            stores = [
                (1 + (oy < value["halo_bottom"]) + (oy >= value["tile_rows"] - value["halo_top"]))
                * (
                    1
                    + (ox < value["halo_right"])
                    + (ox >= value["tile_columns"] - value["halo_left"])
                )
                for oy in range(value["tile_rows"])
                for ox in range(value["tile_columns"])
            ]
            assert value["initiation_interval"] >= max(stores)
            assert stores[-1] == stores_of_last_window(
                value["tile_rows"],
                value["tile_columns"],
                value["halo_top"],
                value["halo_bottom"],
                value["halo_left"],
                value["halo_right"],
            )
            if value["op"] == ExecuteOp.CONV:
                quads = (value["groups"] - 1) * (case.config.simd_units // 4) + value["last_quads"]
                taps = value["kernel_rows"] * value["kernel_columns"]
                assert value["initiation_interval"] >= quads * taps


def test_a_smaller_local_memory_never_becomes_realizable_by_shrinking() -> None:
    for case in CASES[:40]:
        sizes = (64, 32, 16, 8, 4, 2, 1)
        realizable = [
            not check(dataclasses.replace(case.config, local_memory_kb=kb), case.network)
            for kb in sizes
        ]
        assert realizable == sorted(realizable, reverse=True)


def test_plan_covers_every_output_pixel() -> None:
    for case in CASES:
        found = mapped(case)
        for layer, plan in zip(case.network.layers, found.layer_plan, strict=True):
            covered_y = plan[LayerPlan.TILE_Y] * plan[LayerPlan.PASSES_Y] * case.config.pes_y
            covered_x = plan[LayerPlan.TILE_X] * plan[LayerPlan.PASSES_X] * case.config.pes_x
            assert covered_y >= layer.output.height
            assert covered_x >= layer.output.width


@pytest.mark.parametrize(
    ("size", "pes", "power", "tile"),
    [(8, 2, 0, 4), (7, 2, 0, 4), (7, 4, 1, 0), (9, 4, 1, 4), (1, 4, 0, 1), (1, 4, 1, 0)],
)
def test_tile_candidates(size: int, pes: int, power: int, tile: int) -> None:
    assert tile_candidate(size, pes, power) == tile


def test_a_halo_beyond_the_neighbour_is_not_aligned() -> None:
    assert aligned(ExecuteOp.DEPTHWISE, 5, 1, 2, 8, 2, 8, 2)
    assert not aligned(ExecuteOp.DEPTHWISE, 7, 1, 3, 8, 2, 8, 2)
    assert not aligned(ExecuteOp.CONV, 1, 2, 0, 8, 3, 4, 1)


def test_interval_counts_nine_stores_on_a_tile_of_one_pixel() -> None:
    assert initiation_interval(ExecuteOp.DEPTHWISE, 4, 1, 1, 1, 1, 1, 1) == 9
    assert initiation_interval(ExecuteOp.DEPTHWISE, 4, 2, 2, 1, 1, 1, 1) == 4

"""Where STOREs write the parts of mosaics: pixel by pixel, against the definition."""

import itertools

import numpy as np
import pytest

from sim.arrays.plan_columns import TensorPlan
from sim.arrays.tables import COLUMNS, TensorColumn, tensor_table
from sim.realizability import attempt
from sim.spec.descriptor import Queue
from sim.spec.network import Concatenation
from sim.spec.spaces import TINY
from testbench.cases.random_graphs import random_graph

GRAPHS = 12


def written(row: np.ndarray, size: int) -> list[int]:
    """Pixels of external memory that a STORE writes, in its order."""

    def field(name: str) -> int:
        return int(row[COLUMNS[name]])

    return [
        (field("address") + group * field("group_stride") + line * field("row_stride")) // size
        + place
        for group in range(field("groups"))
        for line in range(field("rows"))
        for place in range(field("columns"))
    ]


def expected(mosaic: Concatenation, part: int, shape: tuple[int, int], groups: int) -> set[int]:
    place, (height, width) = mosaic.pixels[part], mosaic.output.shape[:2]
    rows, columns = (
        [
            begin + index * step + time
            for index, time in itertools.product(range(count), range(times))
        ]
        for begin, count, step, times in zip(
            place.begin, shape, place.step, place.times, strict=True
        )
    )
    return {
        (group * height + row) * width + column
        for group, row, column in itertools.product(range(groups), rows, columns)
    }


def test_the_table_says_where_pixels_lie() -> None:
    rng, met = np.random.default_rng(4), 0
    while met < GRAPHS:
        network = random_graph(TINY.default, rng, "g")
        table, names = tensor_table(network, 1), list(network.tensors)
        for joint in network.concatenations:
            for part, place in zip(joint.parts, joint.pixels, strict=False):
                met += 1
                row = table[names.index(part)]
                assert row[TensorColumn.STEP_Y :].tolist() == [
                    *place.step,
                    *place.begin,
                    *place.times,
                ]
        parts = {part for joint in network.concatenations if joint.pixels for part in joint.parts}
        for name, row in zip(names, table, strict=True):
            assert (row[TensorColumn.STEP_Y] > 0) == (name in parts)


@pytest.mark.slow
def test_every_part_is_stored_where_its_pixels_lie() -> None:
    rng, met, apart = np.random.default_rng(4), 0, 0
    while met < GRAPHS:
        network = random_graph(TINY.default, rng, "g")
        mosaics = [joint for joint in network.concatenations if joint.pixels]
        within = {part for joint in network.concatenations for part in joint.parts}
        _, mapped = attempt(TINY.default, network, 1)
        if mapped is None:
            continue
        names = list(network.tensors)
        stores = mapped.rows[mapped.rows[:, COLUMNS["queue"]] == Queue.STORE]
        for mosaic in mosaics:
            if mosaic.name in within:  # it lies among others' channels
                continue
            met += 1
            plan = mapped.tensor_plan[names.index(mosaic.name)]
            size, start = int(plan[TensorPlan.PIXEL_BYTES]), int(plan[TensorPlan.EXTERNAL])
            for number, part in enumerate(mosaic.parts):
                spec, layer = network.tensors[part], names.index(part) - 1
                own = stores[stores[:, COLUMNS["layer"]] == layer]
                pixels = [pixel - start // size for row in own for pixel in written(row, size)]
                groups = int(plan[TensorPlan.IMAGE_GROUPS])
                assert len(pixels) == len(set(pixels))
                assert set(pixels) == expected(mosaic, number, spec.shape[:2], groups)
                apart += mosaic.pixels[number].step[1] > 1
                for row in own:
                    assert (row[COLUMNS["columns"]] == 1) or mosaic.pixels[number].step[1] == 1
    assert apart > 3

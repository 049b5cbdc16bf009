"""Several images per program: what they share, what each has of its own, and what that costs."""

import dataclasses
import zlib
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from sim.arrays.plan_columns import Failure, LayerPlan
from sim.arrays.tables import COLUMNS, accelerator_row
from sim.mapping.splits import share_rows
from sim.model import predict
from sim.networks.named import named_network
from sim.plan import Mapped, map_network
from sim.prediction import cycles_by_layer
from sim.realizability import check
from sim.spec.descriptor import LoadKind, Queue
from sim.spec.network import Network
from sim.spec.spaces import NAHAS
from stress_cases import draw_stress
from testbench.cases.named_layers import LAYER_CONFIGS
from testbench.cases.random_networks import Case


@cache
def stress() -> list[Case]:
    return draw_stress(60, 29)


BATCHES = (2, 3, 4, 7)

ONE_IMAGE = {
    "mobilenet_v2": (
        2338297450, 3530820979, 3045271238, 3362066580, 3864331378, 2436710662, 4052100212,
        1931884365, 681492029,
    ),
    "efficientnet_lite0": (
        2463109082, 1485514836, 1586156788, 3726098563, 3525616975, 3287580213, 3229987171,
        1891025971, 3470125508,
    ),
}  # fmt: skip
"""Digests of the schedules of one image on ``LAYER_CONFIGS``: a change must be seen."""


@cache
def network(name: str) -> Network:
    return named_network(name)


@cache
def mapped(case: Case, images: int) -> Mapped:
    return map_network(case.config, case.network, images)


def column(mapping: Mapped, name: str) -> NDArray[np.int64]:
    values: NDArray[np.int64] = mapping.rows[:, COLUMNS[name]]
    return values


def digest(mapping: Mapped) -> int:
    """Digest of every column that is not all 0, by name."""
    value = 0
    for name in sorted(COLUMNS):
        values = column(mapping, name)
        if values.any():
            value = zlib.crc32(values.tobytes(), zlib.crc32(name.encode(), value))
    return value


@pytest.mark.parametrize("name", ONE_IMAGE)
def test_schedules_of_one_image_are_as_ever(name: str) -> None:
    configs = (NAHAS.default, *LAYER_CONFIGS[1:])
    digests = [digest(map_network(config, network(name))) for config in configs]
    assert tuple(digests) == ONE_IMAGE[name]


def test_images_are_counted_from_one() -> None:
    with pytest.raises(ValueError, match=r"^images must be positive, not 0$"):
        accelerator_row(NAHAS.default, 0)


def test_what_is_realizable_for_one_image_is_for_several() -> None:
    for case in stress():
        for images in BATCHES:
            assert check(case.config, case.network, images=images) == []


def test_weights_serve_all_images_that_go_together() -> None:
    """Each LOAD of weights is followed by the same EXECUTEs for every image, before the next."""
    several = 0
    for case in stress():
        for images in BATCHES:
            mapping = mapped(case, images)
            weights = (column(mapping, "queue") == Queue.LOAD) & (
                column(mapping, "kind") == LoadKind.WEIGHTS
            )
            for part in np.split(mapping.rows, np.flatnonzero(weights))[1:]:
                plan = mapping.layer_plan[part[0, COLUMNS["layer"]]]
                executes = part[part[:, COLUMNS["queue"]] == Queue.EXECUTE]
                together = int(plan[LayerPlan.IMAGES])
                if plan[LayerPlan.SPLITS] > 1:
                    together, _ = share_rows(together, case.config.accumulator_rows)
                    if plan[LayerPlan.IMAGES] % together:
                        continue
                turns = executes[:, COLUMNS["image"]]
                assert len(turns) % together == 0
                for turn in turns.reshape(-1, together):
                    assert turn.tolist() == list(range(turn[0], turn[0] + together))
                several += together > 1
    assert several > 500


def test_images_that_go_together_differ_in_their_places_only() -> None:
    places = ("image", "in_address", "in2_address", "out_address", "accumulator_row")
    tokens = ("half", "wait", "post", "wait_drain", "after_load", "after_execute", "after_store")
    differ = {*places, *tokens, "store_slack"}
    same = [i for name, i in COLUMNS.items() if name not in differ]
    moved = ended = 0
    for case in stress():
        mapping = mapped(case, 3)
        rows = mapping.rows[column(mapping, "queue") == Queue.EXECUTE]
        image = rows[:, COLUMNS["image"]]
        first = rows[image == 0]
        for other in (1, 2):
            own = rows[image == other]
            np.testing.assert_array_equal(own[:, same], first[:, same])
            together = mapping.layer_plan[own[:, COLUMNS["layer"]], LayerPlan.IMAGES]
            # what follows a layer's last EXECUTE, of the last image that goes along, waits for its end
            final = first[:, COLUMNS["final"]] == 1
            ends = final & (((other + 1) % together == 0) | (other == 2))
            begins = final & (together == 1)
            slack, others = own[:, COLUMNS["store_slack"]], first[:, COLUMNS["store_slack"]]
            assert not slack[ends].any()
            assert (slack == others)[~ends & ~begins].all()
            ended += int((slack != others).sum())
            expected = np.where(together > 1, other * (case.config.bank_depth // 3), 0)
            moved += int((expected > 0).sum())
            for name in ("in_address", "out_address"):
                distance = (own - first)[:, COLUMNS[name]]
                np.testing.assert_array_equal(distance & 0xFFFF, expected)
    assert moved > 100
    assert ended > 20


def test_a_drain_serves_all_images() -> None:
    for case in stress():
        mapping = mapped(case, 4)
        drains = mapping.rows[column(mapping, "wait_drain") == 1]
        together = mapping.layer_plan[drains[:, COLUMNS["layer"]], LayerPlan.IMAGES] == 4
        later = drains[together & (drains[:, COLUMNS["restore"]] == 0)]
        assert (later[:, COLUMNS["image"]] == 0).all()


def test_more_images_than_accumulator_rows_take_turns() -> None:
    assert share_rows(1, 16) == (1, 16)
    assert share_rows(3, 16) == (3, 5)
    assert share_rows(6, 4) == (4, 1)


def test_layers_that_run_image_after_image_have_the_sum_of_their_turns() -> None:
    queues = np.array([0, 1, 1, 0, 1, 2, 1, 1, 1])
    layers = np.array([0, 0, 1, 0, 0, 1, 2, 2, 3])
    done = np.array([5, 10, 30, 90, 36, 50, 60, 65, 80])
    assert cycles_by_layer(queues, layers, done, 4).tolist() == [16, 34, 15, 15]


def test_layers_of_a_program_take_its_time() -> None:
    for case in stress()[:20]:
        for images in (1, 3):
            prediction = predict(case.config, case.network, images=images)
            rest = prediction.total_cycles - sum(layer.cycles for layer in prediction.layers)
            assert prediction.images == images
            assert 0 < rest < 10


@pytest.mark.parametrize("name", ONE_IMAGE)
def test_an_image_takes_less_time_the_more_there_are(name: str) -> None:
    """The weights of the default accelerator take longer than what it computes with them."""
    each = [predict(NAHAS.default, network(name), images=b).total_cycles / b for b in (1, 2, 4, 8)]
    assert each == sorted(each, reverse=True)
    assert each[2] < 0.45 * each[0]


def test_early_layers_run_image_after_image_where_local_memory_is_short() -> None:
    mapping = map_network(NAHAS.default, network("mobilenet_v2"), 8)
    images = mapping.layer_plan[:, LayerPlan.IMAGES]
    cut = int((images == 1).sum())
    assert 0 < cut < len(images)
    assert (images[cut:] == 8).all()
    roomy = dataclasses.replace(NAHAS.default, local_memory_kb=16384)
    mapping = map_network(roomy, network("mobilenet_v2"), 8)
    assert mapping.failure is Failure.NONE
    assert (mapping.layer_plan[:, LayerPlan.IMAGES] == 8).all()

"""Energy of runs: every activity has its price, and many accelerators cost what each costs."""

from dataclasses import asdict, astuple, replace

import numpy as np
import pytest

from accelerators import small_accelerator
from sim.cost.energy import (
    Activity,
    cold_energy,
    energies,
    energy,
    energy_delay,
    layer_energy,
)
from sim.cost.energy_activities import ACTIVITIES, activity_counts
from sim.cost.energy_parts import Work
from sim.model import predict, predict_mapped
from sim.networks.named import named_network
from sim.realizability import map_realizable
from sim.spec.bus import DESCRIPTOR_PORT_BYTES
from sim.spec.header import HEADER_BYTES
from sim.spec.spaces import TINY

CONFIG = small_accelerator(
    3,
    2,
    simd_units=16,
    compute_lanes=4,
    local_memory_kb=128,
    register_file_kb=8,
    io_bandwidth_gbps=1.6,
)
IDLE = Activity(
    total_cycles=0, execute_busy=0, read_bytes=0, write_bytes=0, descriptor_bytes=0, layers=()
)
BUSY = Activity(
    total_cycles=1500,
    execute_busy=1000,
    read_bytes=640,
    write_bytes=160,
    descriptor_bytes=320,
    layers=(Work(macs=300_000, results=20_000), Work(macs=0, results=0)),
)


def test_nothing_done_costs_nothing() -> None:
    assert energy(CONFIG, IDLE).total == 0


def test_parts_add_up() -> None:
    parts = energy(CONFIG, BUSY)
    assert parts.total == pytest.approx(sum(astuple(parts)), rel=1e-12)
    assert parts.weight_store == 0
    assert all(part >= 0 for part in astuple(parts))
    assert min(parts.multiply_accumulate, parts.requantizers, parts.control, parts.leakage) > 0


def test_time_alone_costs_leakage_and_the_clock() -> None:
    parts = energy(CONFIG, replace(IDLE, total_cycles=1000))
    assert parts.leakage > 0
    assert parts.accumulators > 0
    assert parts.external_memory == 0


def test_every_image_costs_its_work() -> None:
    three = replace(
        BUSY,
        total_cycles=4500,
        execute_busy=3000,
        read_bytes=1920,
        write_bytes=480,
        descriptor_bytes=960,
        images=3,
    )
    for part, single in zip(
        astuple(energy(CONFIG, three)), astuple(energy(CONFIG, BUSY)), strict=True
    ):
        assert part == pytest.approx(3 * single, rel=1e-12)


@pytest.mark.parametrize("images", [1, 3])
def test_a_prediction_of_many_images_costs_all_their_work(images: int) -> None:
    network = named_network("ds_cnn")
    prediction = predict(TINY.default, network, images=images)
    whole = replace(
        BUSY,
        total_cycles=prediction.total_cycles,
        execute_busy=prediction.execute_busy,
        read_bytes=prediction.read_bytes,
        write_bytes=prediction.write_bytes,
        store_bytes=prediction.store_bytes,
        descriptor_bytes=prediction.descriptor_bytes,
        layers=(Work(macs=images * network.macs, results=images * network.results),),
    )
    assert energy(TINY.default, prediction) == energy(TINY.default, whole)


@pytest.mark.parametrize(
    "field", ["total_cycles", "execute_busy", "read_bytes", "write_bytes", "descriptor_bytes"]
)
def test_more_activity_costs_more(field: str) -> None:
    more = replace(BUSY, **{field: getattr(BUSY, field) + 1})
    assert energy(CONFIG, more).total > energy(CONFIG, BUSY).total


@pytest.mark.parametrize(
    "more", [Work(macs=300_001, results=20_000), Work(macs=300_000, results=20_001)]
)
def test_more_work_costs_more(more: Work) -> None:
    assert energy(CONFIG, replace(BUSY, layers=(more,))).total > energy(CONFIG, BUSY).total


@pytest.mark.parametrize("field", ["pes_x", "pes_y", "local_memory_kb"])
def test_the_same_time_costs_more_on_a_larger_accelerator(field: str) -> None:
    larger = replace(CONFIG, **{field: 2 * getattr(CONFIG, field)})
    waits = replace(IDLE, total_cycles=1000)
    assert energy(larger, waits).total > energy(CONFIG, waits).total


def test_a_byte_from_the_weight_store_costs_its_memory() -> None:
    stored = replace(CONFIG, weight_store_kb=32)
    before, after = energy(stored, BUSY), energy(stored, replace(BUSY, store_bytes=8000))
    assert after.weight_store > before.weight_store
    assert after.external_memory == before.external_memory
    small, large = (
        energy(replace(CONFIG, weight_store_kb=size), replace(IDLE, store_bytes=8000)).weight_store
        for size in (32, 1024)
    )
    assert small < large


def test_many_accelerators_cost_what_each_costs() -> None:
    small = Activity(
        total_cycles=9,
        execute_busy=7,
        read_bytes=5,
        write_bytes=3,
        descriptor_bytes=128,
        layers=BUSY.layers,
    )
    totals = energies(
        [CONFIG] * 2,
        cycles=np.array([1500, 9]),
        execute_busy=np.array([1000, 7]),
        read_bytes=np.array([640, 5]),
        write_bytes=np.array([160, 3]),
        store_bytes=np.array([0, 0]),
        descriptor_bytes=np.array([320, 128]),
        macs=300_000,
        results=20_000,
    )
    assert totals.tolist() == [energy(CONFIG, run).total for run in (BUSY, small)]


def test_results_count_by_what_all_requantizers_make_at_once() -> None:
    counts = activity_counts(CONFIG, dict.fromkeys(ACTIVITIES, 19_200))
    assert counts["result"] == 19_200 / (6 * 4 * CONFIG.requantizer_width)
    assert counts["mac"] == 19_200 / CONFIG.macs
    assert counts["cycle"] == counts["busy"] == 19_200
    assert counts["read"] == counts["write"] == 19_200 / CONFIG.bus_bytes
    assert counts["descriptor"] == 19_200 / DESCRIPTOR_PORT_BYTES


def test_a_byte_of_a_descriptor_costs_what_a_byte_of_data_that_is_read_does() -> None:
    data = energy(CONFIG, replace(IDLE, read_bytes=1 << 20))
    descriptors = energy(CONFIG, replace(IDLE, descriptor_bytes=1 << 20))
    assert descriptors.external_memory == pytest.approx(data.external_memory, rel=1e-12)
    # what fetching takes on the chip is in the fits
    assert descriptors.total == descriptors.external_memory


def test_a_cold_run_costs_its_own_counts() -> None:
    config = replace(TINY.default, weight_store_kb=64)
    mapped = map_realizable(config, named_network("ds_cnn"))
    warm, cold = predict_mapped(mapped), predict_mapped(mapped, cold=True)
    assert mapped.stored
    assert cold_energy(config, warm) == energy(config, cold) == cold_energy(config, cold)
    assert cold_energy(config, warm).external_memory > energy(config, warm).external_memory
    assert cold_energy(config, warm).weight_store < energy(config, warm).weight_store
    without = predict(TINY.default, named_network("ds_cnn"))
    assert cold_energy(TINY.default, without) == energy(TINY.default, without)


def test_layers_with_the_header_and_what_is_idle_cost_what_the_run_costs() -> None:
    prediction = predict(TINY.default, named_network("ds_cnn"))
    layers = [layer_energy(TINY.default, layer, 1) for layer in prediction.layers]
    rest = replace(
        IDLE,
        total_cycles=prediction.total_cycles - sum(layer.cycles for layer in prediction.layers),
        descriptor_bytes=HEADER_BYTES,
    )
    whole = energy(TINY.default, prediction)
    for part, own in asdict(whole).items():
        apart = sum(getattr(layer, part) for layer in (*layers, energy(TINY.default, rest)))
        assert own == pytest.approx(apart, rel=1e-12)


def test_energy_times_delay_is_in_seconds_at_the_clock() -> None:
    assert energy_delay(TINY.default, 5e6, 200_000_000) == 5e6

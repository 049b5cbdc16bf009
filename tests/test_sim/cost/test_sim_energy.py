"""The energy proxy: prices of the source, each activity charged where it happens."""

import itertools
from dataclasses import astuple, replace

import numpy as np
import pytest

from accelerators import small_accelerator
from sim.cost import energy as asked
from sim.cost.energy import Activity, energies
from sim.cost.energy_proxy import proxy_energy as energy
from sim.cost.energy_proxy import sram_pj_per_byte
from sim.model import predict
from sim.networks.named import named_network
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


class Macs:
    """Layer as the energy proxy sees it."""

    def __init__(self, macs: int) -> None:
        self.macs, self.results = macs, 0


IDLE = Activity(total_cycles=0, execute_busy=0, read_bytes=0, write_bytes=0, layers=())
BUSY = Activity(
    total_cycles=1500,
    execute_busy=1000,
    read_bytes=640,
    write_bytes=160,
    layers=(Macs(300), Macs(0)),
)


@pytest.mark.parametrize(
    ("size_bytes", "pj"), [(8 << 10, 10.0 / 8), (32 << 10, 20.0 / 8), (1 << 20, 100.0 / 8)]
)
def test_sram_energy_meets_the_published_points(size_bytes: int, pj: float) -> None:
    assert sram_pj_per_byte(size_bytes) == pytest.approx(pj, rel=1e-12)


def test_sram_energy_grows_with_capacity() -> None:
    prices = [sram_pj_per_byte(1 << k) for k in range(8, 24)]
    assert prices == sorted(set(prices))
    assert sram_pj_per_byte(2 << 10) == pytest.approx(5.0 / 8)  # half for a quarter


def test_sram_energy_is_a_power_of_the_capacity_between_and_beyond_the_points() -> None:
    """Straight lines in logarithms: a geometric mean of sizes has that of the prices."""
    points = [(8 << 10, 1.25), (32 << 10, 2.5), (1 << 20, 12.5)]
    for (low, cheap), (high, dear) in itertools.pairwise(points):
        for share in (0.25, 0.5, 0.75):
            size = round(low ** (1 - share) * high**share)
            price = cheap ** (1 - share) * dear**share
            assert sram_pj_per_byte(size) == pytest.approx(price, rel=1e-4)  # sizes are rounded
    # beyond: the nearest line goes on, doubling for four times the size below, 5-fold for 32 times above
    assert sram_pj_per_byte(1 << 10) == pytest.approx(1.25 / 8**0.5)
    assert sram_pj_per_byte(32 << 20) == pytest.approx(62.5)


def test_nothing_done_costs_nothing() -> None:
    assert energy(CONFIG, IDLE).total == 0


def test_each_activity_has_its_price() -> None:
    parts = energy(CONFIG, BUSY)
    assert parts.multiply_accumulate == pytest.approx(300 * 0.3)
    # 6 PEs of 4 lanes read rows of 64 bytes from 8 KiB
    assert parts.register_files == pytest.approx(1000 * 6 * 4 * 64 * 1.25)
    # 6 PEs read vectors of 16 bytes from banks of 32 KiB, and 800 bytes pass through
    assert parts.local_memory == pytest.approx((1000 * 6 * 16 + 800) * 2.5)
    assert parts.external_memory == pytest.approx(800 * 162.5)
    assert parts.total == pytest.approx(sum(astuple(parts)), rel=1e-12)


def test_every_image_costs_its_multiplications() -> None:
    three = replace(BUSY, execute_busy=3000, read_bytes=1920, write_bytes=480, images=3)
    for part, single in zip(
        astuple(energy(CONFIG, three)), astuple(energy(CONFIG, BUSY)), strict=True
    ):
        assert part == pytest.approx(3 * single, rel=1e-12)


@pytest.mark.parametrize("images", [1, 3])
def test_a_prediction_of_many_images_costs_all_their_multiplications(images: int) -> None:
    network = named_network("ds_cnn")
    prediction = predict(TINY.default, network, images=images)
    parts = energy(TINY.default, prediction)
    assert parts.multiply_accumulate == images * network.macs * (0.2 + 0.1)


@pytest.mark.parametrize("field", ["execute_busy", "read_bytes", "write_bytes"])
def test_more_activity_costs_more(field: str) -> None:
    more = replace(BUSY, **{field: getattr(BUSY, field) + 1})
    assert energy(CONFIG, more).total > energy(CONFIG, BUSY).total


@pytest.mark.parametrize(
    "field", ["pes_x", "pes_y", "simd_units", "local_memory_kb", "register_file_kb"]
)
def test_same_work_costs_more_on_a_larger_accelerator(field: str) -> None:
    larger = replace(CONFIG, **{field: 2 * getattr(CONFIG, field)})
    assert energy(larger, BUSY).total > energy(CONFIG, BUSY).total


def test_more_lanes_read_more_rows_from_the_same_vectors() -> None:
    narrow, wide = energy(CONFIG, BUSY), energy(replace(CONFIG, compute_lanes=8), BUSY)
    assert wide.register_files == 2 * narrow.register_files
    assert wide.local_memory < narrow.local_memory  # the same bytes lie in smaller banks


def test_a_byte_from_the_weight_store_costs_what_its_memory_does() -> None:
    stored = replace(CONFIG, weight_store_kb=32)
    read = energy(stored, replace(BUSY, store_bytes=800))
    assert read.weight_store == 800 * 20.0 / 8
    assert read.total == pytest.approx(energy(stored, BUSY).total + read.weight_store)
    assert energy(CONFIG, BUSY).weight_store == 0


def test_many_accelerators_cost_what_each_costs() -> None:
    small = Activity(
        total_cycles=9, execute_busy=7, read_bytes=5, write_bytes=3, layers=(Macs(300),)
    )
    totals = energies(
        [CONFIG] * 2,
        cycles=np.array([1500, 9]),
        execute_busy=np.array([1000, 7]),
        read_bytes=np.array([640, 5]),
        write_bytes=np.array([160, 3]),
        store_bytes=np.array([0, 0]),
        macs=300,
        results=0,
    )
    assert totals.tolist() == [asked.energy(CONFIG, run).total for run in (BUSY, small)]

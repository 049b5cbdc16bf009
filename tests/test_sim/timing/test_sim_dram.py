"""The burst-level DRAM model against the harness's, which schedules every access by itself."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dram_parameters import true_parameters
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.dram import DRAM_PRESETS, DramSystem
from sim.spec.errors import CosilicoError
from sim.spec.spaces import NAHAS, TINY
from sim.timing import calibration, dram_organization
from sim.timing.dram import PIECES, DramParameter, initial_state, read_burst, write_burst
from testbench.judges.dram_driver import Burst, build_driver, random_bursts, stepped
from testbench.rtl.dram_channel import DramChannel, dram_channel

LPDDR4 = DRAM_PRESETS["lpddr4-3200"]
IN_ORDER = [system for system in DRAM_PRESETS.values() if system.controller.policy == "in-order"]


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_driver(tmp_path_factory.mktemp("dram"))


def closed(dram: DramChannel, bursts: list[Burst]) -> list[list[int]]:
    """Delivery of a port that takes one beat per cycle, or the response, from the closed forms."""
    parameters = true_parameters(dram)
    state = initial_state(parameters)
    pieces = np.zeros((PIECES, 2), np.int64)
    cycles = []
    for burst in bursts:
        place = (state, parameters, burst.address, burst.beats, burst.beat_bytes, burst.arrival)
        if burst.write:
            cycles.append([write_burst(*place)])
            continue
        beats: list[int] = []
        for cycle, count in pieces[: read_burst(*place, pieces)].tolist():
            begin = max(cycle, beats[-1] + 1 if beats else 0)
            beats += range(begin, begin + count)
        cycles.append(beats)
    return cycles


def one_per_cycle(there: list[int]) -> list[int]:
    """Cycles in which a port takes the beats, at most one per cycle, given when each is there."""
    taken: list[int] = []
    for cycle in there:
        taken.append(max(cycle, taken[-1] + 1 if taken else 0))
    return taken


def config(clock_mhz: int, gbps: float) -> AcceleratorConfig:
    return replace(TINY.default, clock_mhz=clock_mhz, io_bandwidth_gbps=gbps)


CONFIGS = [
    config(200, 0.4),
    config(200, 0.8),
    config(200, 3.2),
    config(1600, 6.4),
    config(300, 2.0),
    config(333, 5.1),
    config(100, 6.4),
    config(900, 6.0),
    replace(NAHAS.default, io_bandwidth_gbps=5.0),
    replace(NAHAS.default, io_bandwidth_gbps=25.0),
]


@pytest.mark.parametrize("gap", [4, 60, 700])
@pytest.mark.parametrize("accelerator", CONFIGS, ids=lambda c: f"{c.clock_mhz}-{c.bus_bytes}")
@pytest.mark.parametrize("system", IN_ORDER, ids=str)
def test_every_beat_and_response_comes_when_stepped_through(
    driver: Path, system: DramSystem, accelerator: AcceleratorConfig, gap: int
) -> None:
    rng = np.random.default_rng([gap, accelerator.clock_mhz, accelerator.bus_bytes])
    dram = dram_channel(accelerator, system)
    bursts = random_bursts(rng, accelerator.bus_bytes, 500, gap)
    steps = stepped(driver, dram, bursts)
    for burst, there, computed in zip(bursts, steps, closed(dram, bursts), strict=True):
        assert computed == (there if burst.write else one_per_cycle(there)), burst


@pytest.mark.parametrize("seed", range(20))
def test_any_timing_is_followed_not_only_that_of_the_part(driver: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = [
        *("front", "back", "read_latency", "write_latency", "row_to_read", "row_to_write"),
        *("precharge", "precharge_all", "row_active", "row_to_row", "row_to_row_long"),
        *("four_rows", "read_to_precharge", "write_to_precharge", "read_to_write"),
        *("write_to_read", "write_to_read_long", "refresh"),
    ]
    groups, column = int(rng.choice([1, 2, 4])), int(rng.integers(2, 10))
    dram = replace(
        dram_channel(config(200, 0.8), LPDDR4),
        refresh_interval=int(rng.integers(500, 3000)),
        banks=groups * int(rng.choice([1, 2, 4])),
        bank_groups=groups,
        column=column,
        column_long=int(rng.integers(1, groups * column + 1)),
        **{name: int(rng.integers(1, 120)) for name in names},
    )
    bursts = random_bursts(rng, 4, 300, 40)
    steps = stepped(driver, dram, bursts)
    for burst, there, computed in zip(bursts, steps, closed(dram, bursts), strict=True):
        assert computed == (there if burst.write else one_per_cycle(there)), burst


def first_beats(dram: DramChannel, *addresses: int, apart: int = 2000) -> list[int]:
    """Latency in memory clocks of one-beat reads that wait for each other."""
    reads = [Burst(0, address, 1, 4, apart * i) for i, address in enumerate(addresses)]
    return [beats[0] - read.arrival for read, beats in zip(reads, closed(dram, reads), strict=True)]


def test_a_hit_a_closed_row_and_a_conflict_differ_by_trcd_and_trp() -> None:
    dram = dram_channel(config(1600, 6.4), LPDDR4)
    stripe = dram.page_bytes * dram.banks
    closed_row, hit, conflict = first_beats(dram, 0, 64, stripe)
    assert closed_row - hit == dram.row_to_read == 29
    assert conflict - closed_row == dram.precharge == 29
    assert hit == dram.front + dram.read_latency + dram.back


def test_a_fifth_row_waits_for_the_window_of_four(driver: Path) -> None:
    """Reads of five banks at once: activates follow at tRRD, the fifth only after tFAW."""
    dram = replace(dram_channel(config(1600, 6.4), LPDDR4), row_to_row=3, four_rows=150)
    reads = [Burst(0, dram.page_bytes * bank, 1, 4, 0) for bank in range(5)]
    beats = closed(dram, reads)
    assert beats == stepped(driver, dram, reads)
    first = dram.front + dram.row_to_read + dram.read_latency + dram.back
    assert beats[4] == [first + 150]
    assert beats[3][0] < first + 150


def test_a_read_in_a_refresh_waits_for_its_end() -> None:
    dram = dram_channel(config(1600, 6.4), LPDDR4)
    due = dram.refresh_interval
    calm, late = closed(dram, [Burst(0, 0, 1, 4, 0), Burst(0, 0, 1, 4, due)])
    assert late[0] - due - calm[0] == dram.precharge_all + dram.refresh - dram.front


def test_streams_reach_the_peak_but_for_refreshes() -> None:
    """4 KiB bursts of the widest edge bus: 92.8 % is what tRFC leaves of tREFI."""
    accelerator = replace(NAHAS.default, io_bandwidth_gbps=25.0)
    dram = dram_channel(accelerator, LPDDR4)
    count = 2000
    reads = [Burst(0, 4096 * i, 128, 32, 0) for i in range(count)]
    last = closed(dram, reads)[-1][-1]
    share = count * 128 / last
    left = 1 - (dram.refresh + dram.precharge_all) / dram.refresh_interval
    assert left - 0.02 < share <= left + 0.001


def test_the_fewest_channels_that_feed_the_bus_are_taken() -> None:
    assert dram_channel(config(200, 0.8), LPDDR4).access_bytes == 32
    assert dram_channel(replace(NAHAS.default, io_bandwidth_gbps=10.0), LPDDR4).access_bytes == 64
    assert dram_channel(replace(NAHAS.default, io_bandwidth_gbps=25.0), LPDDR4).access_bytes == 128


def test_fitted_parameters_and_the_organization_make_all_of_them() -> None:
    """What the model reckons with is what the harness steps through, but for the ports' delays."""
    fitted = calibration.default().drams[str(LPDDR4)]
    for accelerator in (*CONFIGS, NAHAS.default):
        parameters = dram_organization.parameters(accelerator, LPDDR4, fitted.parameters)
        truth = true_parameters(dram_channel(accelerator, LPDDR4), fitted.parameters["start"])
        for parameter in DramParameter:
            if parameter != DramParameter.FOUR_ROWS:
                assert parameters[parameter] == truth[parameter], parameter.name


def test_a_calibration_names_the_parameter_that_is_missing() -> None:
    fitted = calibration.default().drams[str(LPDDR4)]
    parameters = {name: value for name, value in fitted.parameters.items() if name != "front"}
    with pytest.raises(ValueError, match=r"^calibration parameter 'front' must be given$"):
        replace(fitted, parameters=parameters)
    with pytest.raises(
        ValueError, match=r"^calibration parameter 'banks' is not a timing parameter$"
    ):
        replace(fitted, parameters=fitted.parameters | {"banks": 8})


def test_parameters_are_numbered_without_a_gap() -> None:
    assert [int(p) for p in DramParameter] == list(range(len(DramParameter)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"banks": 6}, "banks must be a power of two, not 6"),
        ({"column": 0}, "column must be positive, not 0"),
        ({"refresh_interval": 400}, "refresh_interval must be longer than a refresh, not 400"),
    ],
)
def test_dram_names_the_rule(change: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        replace(dram_channel(TINY.default, LPDDR4), **change)


def test_a_bus_beyond_sixteen_channels_is_refused() -> None:
    message = "bus of 128 bytes at 1600 MHz must need at most 16 LPDDR4 channels, not 32"
    with pytest.raises(CosilicoError, match=f"^{message}$"):
        dram_channel(config(1600, 128.0), LPDDR4)

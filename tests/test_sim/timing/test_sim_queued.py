"""The queued memory against the deterministic memory, whose model is exact, and against hand-made timelines."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sim.arrays.tables import accelerator_row
from sim.model import predict, predict_mapped
from sim.networks.named import named_network
from sim.realizability import map_realizable
from sim.spec.errors import CosilicoError, DesignFileError
from sim.spec.memories import FixedLatency, MemorySystem
from sim.spec.memory_record import memory_of, parse_memory
from sim.spec.queued_memory import Arbitration, Forwarding, QueuedMemory, Servers
from sim.spec.queued_memory_record import queued_toml
from sim.spec.spaces import EDGE, TINY, HardwareSpace
from sim.timing import calibration as calibrations
from sim.timing.queued import (
    DESCRIPTORS,
    PORTS,
    READS,
    WRITES,
    parameters,
    served_until,
    servers_at_doorbell,
    take_next,
)
from sim.timing.queued_walk import walk_queued
from testbench.cases.random_networks import draw_cases

CLOCK = TINY.default.clock_mhz
NEVER = 1 << 60


@pytest.mark.parametrize("space", [TINY, EDGE], ids=lambda space: space.name)
@pytest.mark.parametrize("latency", [4, 24, 117])
def test_separate_servers_are_a_fixed_latency(space: HardwareSpace, latency: int) -> None:
    """With as many bursts at once: rows of a single beat are more than the queue holds."""
    base = calibrations.default()
    stored = 0
    for case in draw_cases(12, space, latency, max_macs=1024):
        mapped = map_realizable(case.config, case.network, case.batch)
        queued = QueuedMemory(
            clock_mhz=case.config.clock_mhz,
            access_bytes=case.config.bus_bytes,
            read_latency=latency - 1,
            write_latency=latency,
            descriptor_latency=latency - 1,
        )
        stored += mapped.stored
        for cold in (False, True):
            fixed = FixedLatency(latency=latency, outstanding=queued.write_queue)
            exact = predict_mapped(mapped, base, memory=fixed, cold=cold)
            own = predict_mapped(mapped, base, memory=queued, cold=cold)
            assert own.total_cycles == exact.total_cycles
            assert np.array_equal(own.start, exact.start)
            assert np.array_equal(own.issued, exact.issued)
            assert np.array_equal(own.done, exact.done)
    assert stored > 0


def served(
    memory: QueuedMemory, *waiting: dict[int, int], addresses: Sequence[int] = ()
) -> list[tuple[int, int]]:
    """Ports in the order of service and the cycles in which it ends; 64 bytes each.

    Each dict has the arrivals of the bursts at the ports' heads. Addresses are 0 if not given.
    """
    q = parameters(memory)
    servers, banks = servers_at_doorbell(q)
    burst = np.zeros(2, np.int64)
    order = []
    for heads, address in zip(waiting, addresses or [0] * len(waiting), strict=True):
        arrivals = np.full(PORTS, NEVER, np.int64)
        for port, cycle in heads.items():
            arrivals[port] = cycle
        port = take_next(q, servers, arrivals, burst)
        end = served_until(q, servers, banks, burst, port, int(arrivals[port]), address, 64)
        order.append((int(port), int(end) // 64))
    return order


SHARED = QueuedMemory(clock_mhz=CLOCK, servers=Servers.SHARED, descriptor_ticks=0, write_ticks=64)
ALL = {READS: 3, WRITES: 2, DESCRIPTORS: 1}


def test_first_come_first_served() -> None:
    assert served(SHARED, ALL, {READS: 3, WRITES: 2}, {READS: 3}) == [
        (DESCRIPTORS, 9),
        (WRITES, 17),
        (READS, 25),
    ]


def test_round_robin_goes_on_from_the_latest_port() -> None:
    turns = replace(SHARED, arbitration=Arbitration.ROUND_ROBIN)
    busy = {READS: 0, WRITES: 0, DESCRIPTORS: 0}
    assert [port for port, _ in served(turns, busy, busy, busy, busy)] == [0, 1, 2, 0]


def test_reads_go_first_where_they_have_priority() -> None:
    priority = replace(SHARED, arbitration=Arbitration.READS_FIRST)
    busy = {READS: 5, WRITES: 0, DESCRIPTORS: 5}
    # The write is alone when the server is free
    assert [port for port, _ in served(priority, busy, busy, busy)] == [WRITES, READS, READS]


def test_a_port_of_its_own_does_not_wait() -> None:
    own = replace(SHARED, servers=Servers.BY_PORT)
    assert served(own, {READS: 0, WRITES: 0}, {WRITES: 0}) == [(READS, 8), (WRITES, 8)]


def test_rows_and_turnarounds_take_their_time() -> None:
    rows = replace(SHARED, row_cycles=20, turnaround_cycles=7, burst_cycles=3)
    assert served(rows, {READS: 0}, {READS: 0}, {WRITES: 0}) == [
        (READS, 28),
        (READS, 28 + 3 + 8),
        (WRITES, 39 + 3 + 7 + 8),
    ]


def test_another_row_of_a_bank_is_opened_anew() -> None:
    rows = replace(SHARED, row_cycles=20, row_bytes=1024, banks=2)
    addresses = (0, 2048, 0, 1024, 1088)  # bank 0 thrice, then a row of bank 1 twice
    ends = [cycle for _, cycle in served(rows, *[{READS: 0}] * 5, addresses=addresses)]
    assert ends == [28, 28 + 28, 56 + 28, 84 + 8, 92 + 8]


def test_other_masters_take_their_share() -> None:
    plain = predict(TINY.default, named_network("ds_cnn"), memory=SHARED).total_cycles
    shared = replace(SHARED, other_period=40, other_cycles=10)
    halved = replace(SHARED, other_period=40, other_cycles=20)
    cycles = [
        predict(TINY.default, named_network("ds_cnn"), memory=memory).total_cycles
        for memory in (shared, halved)
    ]
    assert plain < cycles[0] < cycles[1]


def test_a_stored_burst_comes_later_and_a_lonely_burst_later_still() -> None:
    stored = replace(SHARED, forwarding=Forwarding.STORE_AND_FORWARD)
    lonely = replace(stored, in_flight=1)
    cycles = [
        predict(TINY.default, named_network("ds_cnn"), memory=memory).total_cycles
        for memory in (SHARED, stored, lonely)
    ]
    assert cycles == sorted(cycles)
    assert len(set(cycles)) == 3


def test_file_and_record_give_the_memory_again(tmp_path: Path) -> None:
    memory: MemorySystem = QueuedMemory(
        clock_mhz=200,
        name='board "A"',
        arbitration=Arbitration.ROUND_ROBIN,
        servers=Servers.SHARED,
        forwarding=Forwarding.STORE_AND_FORWARD,
        read_ticks=171,
        in_flight=1,
    )
    assert isinstance(memory, QueuedMemory)
    assert memory_of(memory.to_json()) == memory
    path = tmp_path / "board.toml"
    path.write_text(queued_toml(memory, ["fitted to 2 runs"]))
    assert parse_memory(str(path)) == memory


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {"read_latency": -1},
            "memory.read_latency must be an integer in 0 … 4096, not -1",
        ),
        ({"row_bytes": 100}, "memory.row_bytes must be a power of two, not 100"),
        (
            {"arbitration": "lottery"},
            "memory.arbitration must be one of first_come, round_robin, reads_first, not 'lottery'",
        ),
        (
            {"other_period": 5, "other_cycles": 5},
            "memory.other_period must be more than other_cycles, 5, not 5",
        ),
        ({"rows": 5}, "memory has no field 'rows'"),
    ],
)
def test_wrong_record_is_refused(change: dict[str, object], line: str) -> None:
    with pytest.raises(DesignFileError) as raised:
        memory_of(QueuedMemory(clock_mhz=200).to_json() | change)
    assert str(raised.value) == line


def test_clock_must_be_the_accelerators() -> None:
    with pytest.raises(CosilicoError) as raised:
        predict(TINY.default, named_network("ds_cnn"), memory=QueuedMemory(clock_mhz=100))
    assert str(raised.value) == (
        "memory 'queued' counts cycles of 100 MHz: clock_mhz of the accelerator must be that, not 200"
    )


def test_a_calibration_without_a_dram_is_enough() -> None:
    """The way of a descriptor to its queue follows from the constants."""
    config = TINY.default
    mapped = map_realizable(config, named_network("ds_cnn"))
    bare = replace(calibrations.default(), drams={})
    memory = QueuedMemory(clock_mhz=CLOCK)
    *_, total = walk_queued(mapped.rows, accelerator_row(config), bare, memory, mapped.end)
    assert total == predict_mapped(mapped, bare).total_cycles

"""The C++ memory model by itself: timing of T1, stalls of T2, AXI's freedoms and failures."""

import itertools
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import testbench
from sim.spec.memories import DRAM
from sim.spec.spaces import TINY
from testbench.rtl.dram_channel import dram_channel
from testbench.rtl.memory_model import (
    FREEDOMS,
    BusPort,
    Fault,
    MemoryModel,
    Readiness,
    Response,
    Silence,
    WriteOrder,
)
from testbench.rtl.verilate import compiler

TEMPLATES = Path(testbench.__file__).parent / "rtl" / "templates"

DRIVER = r"""
#include "job.h"
using namespace cosilico;
const uint64_t MHZ = 200; // of the accelerator
// driver read|write LATENCY STALL_PERCENT SEED LIMIT RESET {ADDRESS BEATS}... {KEY=VALUE}...: bursts
// as fast as they are taken, none after cycle RESET, in which there is one if it is not 0.
int main(int argc, char** argv) {
    const bool reading = !std::strcmp(argv[1], "read");
    MemoryTiming timing;
    timing.latency = timing.write_latency = atoi(argv[2]);
    timing.stall_percent = atoi(argv[3]);
    timing.stalls = timing.stall_percent != 0;
    timing.seed = atoi(argv[4]);
    const uint64_t limit = atoi(argv[5]), reset = atoi(argv[6]);
    auto fields = memory_fields(timing);
    while (char* value = std::strchr(argv[argc - 1], '=')) {
        *value = 0;
        *fields.at(argv[--argc]) = std::strtoull(value + 1, nullptr, 0);
    }
    MemoryBytes memory;
    memory.base = 0x10000;
    for (int i = 0; i < 16384; ++i) memory.bytes.push_back(uint8_t(i * 7 + (i >> 8)));
    Dram dram(timing.dram);
    Interconnect link{InterconnectTiming()};
    ReadPort<4> read(memory, dram, link, timing, MHZ, PORT_READ);
    WritePort<4> write(memory, dram, link, timing, MHZ, PORT_WRITE);
    std::vector<AddressBeat> bursts;
    std::vector<std::pair<unsigned, bool>> beats;
    for (int i = 7; i + 1 < argc; i += 2) {
        const int count = atoi(argv[i + 1]);
        bursts.push_back({uint32_t(strtoul(argv[i], nullptr, 0)), uint8_t(count - 1), 2, 1, 0});
        for (int b = 0; b < count; ++b) beats.push_back({unsigned(beats.size()), b + 1 == count});
    }
    size_t sent = 0, given = 0;
    for (uint64_t cycle = 0; cycle < limit; ++cycle) {
        read.drive(cycle);
        write.drive(cycle);
        if (reset && cycle == reset) {
            sent = bursts.size();
            given = beats.size();
            read.reset(true);
            write.reset(true);
            continue;
        }
        const bool valid = sent < bursts.size();
        const AddressBeat beat = valid ? bursts[sent] : AddressBeat();
        const bool taken = valid && (reading ? read.arready : write.awready);
        if (taken) std::printf("address %d\n", int(cycle));
        if (reading) {
            if (read.rvalid) std::printf("data %d %u %d %d\n", int(cycle),
                                         read.rdata[0] | read.rdata[1] << 8, read.rlast, read.rresp);
            read.observe(cycle, valid, beat, true);
        } else {
            const bool wvalid = given < beats.size();
            const uint32_t word = wvalid ? beats[given].first : 0;
            const uint8_t strobes = 15;
            const bool last = wvalid && beats[given].second;
            if (wvalid && write.wready) std::printf("data %d\n", int(cycle));
            if (write.bvalid) std::printf("response %d %d\n", int(cycle), write.bresp);
            const bool moved = wvalid && write.wready;
            write.observe(cycle, valid, beat, wvalid, &word, &strobes, last, true);
            given += moved;
        }
        sent += taken;
    }
    uint64_t sum = 0;
    for (uint8_t byte : memory.bytes) sum = sum * 31 + byte;
    std::printf("checksum %llu\n", (unsigned long long)sum);
}
"""

Events = dict[str, list[list[int]]]
Burst = tuple[int, int]
BASE = 0x10000


@dataclass(frozen=True)
class Driver:
    """Compiled program that drives the memory model with bursts."""

    path: Path

    def run(
        self,
        kind: str,
        bursts: list[Burst],
        *,
        latency: int = 24,
        percent: int = 0,
        seed: int = 0,
        limit: int = 3000,
        reset: int = 0,
        **freedoms: int,
    ) -> subprocess.CompletedProcess[str]:
        """Issue bursts of (address, beats) as fast as the memory takes them."""
        numbers = [latency, percent, seed, limit, reset, *(x for burst in bursts for x in burst)]
        command = [str(self.path), kind, *map(str, numbers)]
        command += [f"{key}={int(value)}" for key, value in freedoms.items()]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def events(self, kind: str, bursts: list[Burst], **timing: int) -> Events:
        """Issue bursts; return the numbers of each kind of event."""
        result = self.run(kind, bursts, **timing)
        assert result.returncode == 0, result.stderr
        events: Events = {}
        for line in result.stdout.splitlines():
            name, *numbers = line.split()
            events.setdefault(name, []).append([int(n) for n in numbers])
        return events


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    """Driver of the memory model, compiled."""
    directory = tmp_path_factory.mktemp("memory")
    (directory / "driver.cpp").write_text(DRIVER)
    command = [compiler(), "-std=gnu++17", "-Wall", "-Wextra", "-Werror", f"-I{TEMPLATES}"]
    command += [str(directory / "driver.cpp"), "-o", str(directory / "driver")]
    subprocess.run(command, check=True)
    return Driver(directory / "driver")


def first(rows: list[list[int]]) -> list[int]:
    """Cycles of a list of events."""
    return [row[0] for row in rows]


@pytest.mark.parametrize("latency", [1, 24])
def test_first_beat_comes_latency_after_the_address(driver: Driver, latency: int) -> None:
    """Then one beat per cycle, the last one marked."""
    events = driver.events("read", [(BASE + 64, 4)], latency=latency)
    assert first(events["address"]) == [0]
    assert first(events["data"]) == [latency + i for i in range(4)]
    assert [row[2] for row in events["data"]] == [0, 0, 0, 1]


def test_outstanding_bursts_follow_each_other_without_a_gap(driver: Driver) -> None:
    """A burst whose latency is over waits for the burst before it, no longer."""
    events = driver.events("read", [(BASE, 8), (BASE + 32, 2), (BASE + 256, 3)])
    assert first(events["address"]) == [0, 1, 2]
    assert first(events["data"]) == list(range(24, 24 + 13))


def test_short_bursts_show_the_latency_of_each_address(driver: Driver) -> None:
    """One-beat bursts come one per cycle, as their addresses did."""
    events = driver.events("read", [(BASE + 4 * i, 1) for i in range(5)])
    assert first(events["data"]) == [24 + i for i in range(5)]


def test_write_response_comes_latency_after_the_last_beat(driver: Driver) -> None:
    """The second burst's beats follow at once, its response after its own last beat."""
    events = driver.events("write", [(BASE, 4), (BASE + 128, 2)])
    assert first(events["data"]) == list(range(6))
    assert events["response"] == [[3 + 24, 0], [5 + 24, 0]]


def test_a_read_waits_until_fewer_bursts_are_outstanding(driver: Driver) -> None:
    """ARREADY rises in the cycle after the oldest burst's last beat."""
    bursts = [(BASE + 16 * i, 4) for i in range(4)]
    events = driver.events("read", bursts, latency=10, outstanding=2)
    assert first(events["address"]) == [0, 1, 14, 18]
    assert first(events["data"]) == [*range(10, 18), *range(24, 32)]


def test_a_write_waits_until_fewer_bursts_are_outstanding(driver: Driver) -> None:
    """Data is taken all the same, and written a word per cycle once its address is there."""
    events = driver.events("write", [(BASE, 2), (BASE + 8, 2)], latency=10, outstanding=1)
    assert first(events["address"]) == [0, 12]
    assert first(events["data"]) == [0, 1, 2, 3]
    assert events["response"] == [[11, 0], [23, 0]]


@pytest.mark.parametrize(
    ("width", "clock", "data"),
    [
        (0, 0, [10, 11, 12]),
        (2, 0, [11, 13, 15]),
        (8, 0, [10, 11, 12]),
        (0, 50, [12, 16, 20]),
        (0, 150, [11, 12, 14]),
        (0, 300, [10, 11, 12]),
        (2, 400, [11, 12, 13]),
        (8, 50, [12, 13, 16]),
    ],
)
def test_beats_come_with_their_last_word(
    driver: Driver, width: int, clock: int, data: list[int]
) -> None:
    """Words of 4 bytes at 200 MHz are the port's own."""
    events = driver.events("read", [(BASE, 3)], latency=10, width_bytes=width, clock_mhz=clock)
    assert first(events["data"]) == data


@pytest.mark.parametrize(
    ("width", "clock", "response"), [(0, 0, 6), (2, 0, 8), (8, 0, 6), (0, 50, 9), (0, 150, 7)]
)
def test_a_write_is_answered_after_its_last_word(
    driver: Driver, width: int, clock: int, response: int
) -> None:
    events = driver.events(
        "write", [(BASE, 2)], latency=30, write_latency=5, width_bytes=width, clock_mhz=clock
    )
    assert first(events["response"]) == [response]


def test_a_gap_lies_between_bursts(driver: Driver) -> None:
    bursts = [(BASE, 2), (BASE + 8, 2)]
    reads = driver.events("read", bursts, latency=10, burst_gap=3)
    assert first(reads["data"]) == [10, 11, 15, 16]
    writes = driver.events("write", bursts, latency=10, burst_gap=3)
    assert first(writes["response"]) == [11, 16]


def test_addresses_outside_the_memory_answer_with_an_error(driver: Driver) -> None:
    """Reads and writes both answer DECERR, and nothing is written."""
    assert [r[3] for r in driver.events("read", [(0x4000, 2)])["data"]] == [3, 3]
    untouched = driver.events("read", [(BASE, 1)])["checksum"]
    events = driver.events("write", [(0x4000, 2)])
    assert [r[1] for r in events["response"]] == [3]
    assert events["checksum"] == untouched


@pytest.mark.parametrize("kind", ["read", "write"])
def test_stalls_change_time_and_never_data(driver: Driver, kind: str) -> None:
    """Every seed gives its own timing, the same twice, later than T1."""
    bursts = [(BASE + 128 * i, 1 + i) for i in range(20)]
    calm = driver.events(kind, bursts)
    runs = [driver.events(kind, bursts, percent=10, seed=seed) for seed in range(6)]
    again = driver.events(kind, bursts, percent=10, seed=3)
    assert runs[3] == again
    assert len({tuple(first(run["data"])) for run in runs}) == len(runs)
    for run in runs:
        assert run["checksum"] == calm["checksum"]
        assert len(run["address"]) == len(bursts)
        assert run["data"][-1][0] > calm["data"][-1][0]
        if kind == "read":
            values = [row[1] for row in run["data"]]
            assert list(dict.fromkeys(values)) == list(
                dict.fromkeys(row[1] for row in calm["data"])
            )
        else:
            assert len(run["response"]) == len(bursts)


BURSTS = [(BASE + 64 * i, 1 + i % 5) for i in range(12)]


def last_beats(events: Events) -> tuple[list[int], list[int]]:
    """Cycles of the first and of the last beat of each of BURSTS."""
    cycles, ends = first(events["data"]), list(itertools.accumulate(b for _, b in BURSTS))
    return [cycles[end - beats] for end, (_, beats) in zip(ends, BURSTS, strict=True)], [
        cycles[end - 1] for end in ends
    ]


def test_address_waits_for_valid_data(driver: Driver) -> None:
    """The address is taken before the first beat, but not before that is valid for a cycle."""
    events = driver.events("write", BURSTS, write_order=WriteOrder.ADDRESS_AFTER_VALID)
    begun, ended = last_beats(events)
    valid = [0, *(end + 1 for end in ended[:-1])]
    assert first(events["address"]) == [cycle + 1 for cycle in valid]
    assert begun == [cycle + 2 for cycle in valid]


def test_address_waits_for_all_data(driver: Driver) -> None:
    """The address is taken in the cycle after the last beat or the address before it."""
    events = driver.events("write", BURSTS, write_order=WriteOrder.ADDRESS_AFTER_DATA)
    ended = last_beats(events)[1]
    assert first(events["address"]) == [end + 1 for end in ended]
    assert first(events["data"]) == list(range(sum(beats for _, beats in BURSTS)))


def test_data_waits_for_the_address(driver: Driver) -> None:
    """No beat is taken before the cycle after its address."""
    events = driver.events("write", BURSTS, write_order=WriteOrder.DATA_AFTER_ADDRESS)
    begun = last_beats(events)[0]
    assert begun[0] == events["address"][0][0] + 1
    assert all(a < b for a, b in zip(first(events["address"]), begun, strict=True))


def test_late_responses_come_that_much_later(driver: Driver) -> None:
    """Nothing else changes."""
    calm, late = driver.events("write", BURSTS), driver.events("write", BURSTS, response_delay=77)
    assert first(late["response"]) == [cycle + 77 for cycle in first(calm["response"])]
    assert late | {"response": []} == calm | {"response": []}


def test_ready_follows_valid(driver: Driver) -> None:
    """A manager that is always ready moves in every second cycle."""
    events = driver.events("write", BURSTS, readiness=Readiness.AFTER_VALID)
    assert first(events["address"]) == [1 + 2 * i for i in range(len(BURSTS))]
    assert first(events["data"]) == [1 + 2 * i for i in range(len(events["data"]))]


def test_channels_take_turns(driver: Driver) -> None:
    """AR, AW and W have their cycles of three."""
    written = driver.events("write", BURSTS, readiness=Readiness.ALTERNATING)
    read = driver.events("read", BURSTS, readiness=Readiness.ALTERNATING)
    assert {cycle % 3 for cycle in first(read["address"])} == {0}
    assert {cycle % 3 for cycle in first(written["address"])} == {1}
    assert {cycle % 3 for cycle in first(written["data"])} == {2}


def test_ready_toggles_by_seed(driver: Driver) -> None:
    """Other cycles with every seed, the same twice."""
    runs = [
        driver.events("write", BURSTS, readiness=Readiness.TOGGLING, seed=seed)
        for seed in (0, 1, 0)
    ]
    assert runs[0] == runs[2]
    assert first(runs[0]["data"]) != first(runs[1]["data"])
    assert first(runs[0]["address"]) != first(runs[0]["data"])[: len(BURSTS)]


@pytest.mark.parametrize("name", FREEDOMS)
@pytest.mark.parametrize("kind", ["read", "write"])
def test_freedoms_change_time_and_never_data(driver: Driver, kind: str, name: str) -> None:
    """Every burst is answered, and what is read or written is what it is without them."""
    model = FREEDOMS[name]
    values = model.job_values
    freedoms = {key: values[key] for key in ("write_order", "readiness", "response_delay")}
    percent = model.stall_percent if model.stall_seed is not None else 0
    calm = driver.events(kind, BURSTS)
    varied = driver.events(kind, BURSTS, percent=percent, seed=1, limit=9000, **freedoms)
    assert varied["checksum"] == calm["checksum"]
    assert len(varied["address"]) == len(BURSTS)
    if kind == "write":
        assert varied != calm
        assert [r[1] for r in varied["response"]] == [0] * len(BURSTS)
    else:
        # A beat is shown until it is taken, here at once
        assert [row[1:] for row in varied["data"]] == [row[1:] for row in calm["data"]]


@pytest.mark.parametrize("response", Response)
def test_fault_is_of_its_beat_or_response_alone(driver: Driver, response: Response) -> None:
    """The data is as without it; a fault of another port is none."""
    for kind, port, other in (
        ("read", BusPort.READ, BusPort.WRITE),
        ("write", BusPort.WRITE, BusPort.READ),
    ):
        fault = {"fault_index": 7, "fault_response": response}
        calm = driver.events(kind, BURSTS)
        assert driver.events(kind, BURSTS, fault_port=other, **fault) == calm
        assert driver.events(kind, BURSTS, fault_port=BusPort.DESCRIPTORS, **fault) == calm
        name = "data" if kind == "read" else "response"
        expected = [[*row[:-1], response if i == 7 else 0] for i, row in enumerate(calm[name])]
        faulty = driver.events(kind, BURSTS, fault_port=port, **fault)
        assert faulty == calm | {name: expected}


def test_silent_port_takes_bursts_and_answers_none(driver: Driver) -> None:
    """From a burst on; addresses and data are taken as before."""
    calm = driver.events("read", BURSTS)
    silenced = driver.events("read", BURSTS, silent_port=BusPort.READ, silent_index=3)
    assert silenced == calm | {"data": calm["data"][: sum(beats for _, beats in BURSTS[:3])]}
    calm = driver.events("write", BURSTS)
    silenced = driver.events("write", BURSTS, silent_port=BusPort.WRITE, silent_index=3)
    assert silenced == calm | {"response": calm["response"][:3]}


def test_answers_go_on_after_a_reset_unless_it_clears(driver: Driver) -> None:
    """Bursts whose data was not complete are forgotten; all others are answered."""
    for kind, name in (("read", "data"), ("write", "response")):
        calm = driver.events(kind, BURSTS)
        answered = driver.events(kind, BURSTS, reset=10)
        cleared = driver.events(kind, BURSTS, reset=10, reset_clears=1)
        begun = 10 if kind == "read" else sum(end < 10 for end in last_beats(calm)[1])
        beats = sum(beats for _, beats in BURSTS[:begun]) if kind == "read" else begun
        assert answered[name] == calm[name][:beats]
        assert name not in cleared


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MemoryModel(latency=0), "latency must be an integer in 1 … 4096, not 0"),
        (lambda: MemoryModel(stall_seed=-1), "stall_seed must not be negative, not -1"),
        (lambda: MemoryModel(stall_percent=60), "stall_percent must be in 1 … 50, not 60"),
        (
            lambda: MemoryModel(stall_seed=1, dram=dram_channel(TINY.default, DRAM)),
            "stall_seed must not be given with dram",
        ),
        (
            lambda: MemoryModel(response_delay=-1),
            "response_delay must be in 0 … 65536, not -1",
        ),
        (
            lambda: Fault(port=BusPort.READ, index=-1),
            r"fault index must be in 0 … 2\*\*62 - 1, not -1",
        ),
        (
            lambda: Silence(port=BusPort.READ, index=-1),
            r"silence index must be in 0 … 2\*\*62 - 1, not -1",
        ),
        (lambda: MemoryModel(base=64), "base must be a 32-bit multiple of 4096, not 64"),
    ],
)
def test_memory_model_names_the_rule(make: Callable[[], object], message: str) -> None:
    """Each field's range."""
    with pytest.raises(ValueError, match=f"^{message}$"):
        make()


def test_only_the_plain_memory_is_deterministic() -> None:
    """Latency and place do not matter, every freedom does."""
    assert MemoryModel(latency=7, base=4096, reset_clears=True, stall_percent=3).deterministic
    assert not any(memory.deterministic for memory in FREEDOMS.values())
    assert not MemoryModel(fault=Fault(port=BusPort.READ, index=3)).deterministic
    assert not MemoryModel(silence=Silence(port=BusPort.READ)).deterministic
    assert not MemoryModel(dram=dram_channel(TINY.default, DRAM)).deterministic

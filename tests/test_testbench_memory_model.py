"""The C++ memory model by itself: timing of T1, stalls of T2, the AXI rules it enforces."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import testbench
from sim.spec.spaces import TINY
from testbench.dram import lpddr4
from testbench.memory_model import MemoryModel
from testbench.verilate import compiler

TEMPLATES = Path(testbench.__file__).parent / "templates"

DRIVER = r"""
#include "axi_memory.h"
using namespace cosilico;
// driver read|write LATENCY STALL_PERCENT SEED LIMIT {ADDRESS BEATS}...: bursts as fast as they are taken.
int main(int argc, char** argv) {
    const bool reading = !std::strcmp(argv[1], "read");
    MemoryTiming timing;
    timing.latency = atoi(argv[2]);
    timing.stall_percent = atoi(argv[3]);
    timing.stalls = timing.stall_percent != 0;
    timing.seed = atoi(argv[4]);
    const uint64_t limit = atoi(argv[5]);
    MemoryBytes memory;
    memory.base = 0x10000;
    for (int i = 0; i < 16384; ++i) memory.bytes.push_back(uint8_t(i * 7 + (i >> 8)));
    Dram dram(timing.dram);
    ReadPort<4> read(memory, dram, timing, 1, "AR");
    WritePort<4> write(memory, dram, timing, 11, "AW");
    std::vector<AddressBeat> bursts;
    std::vector<std::pair<unsigned, bool>> beats;
    for (int i = 6; i + 1 < argc; i += 2) {
        const int count = atoi(argv[i + 1]);
        bursts.push_back({uint32_t(strtoul(argv[i], nullptr, 0)), uint8_t(count - 1), 2, 1, 0});
        for (int b = 0; b < count; ++b) beats.push_back({unsigned(beats.size()), b + 1 == count});
    }
    size_t sent = 0, given = 0;
    for (uint64_t cycle = 0; cycle < limit; ++cycle) {
        read.drive(cycle);
        write.drive(cycle);
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
            const bool last = wvalid && beats[given].second;
            if (wvalid && write.wready) std::printf("data %d\n", int(cycle));
            if (write.bvalid) std::printf("response %d %d\n", int(cycle), write.bresp);
            const bool moved = wvalid && write.wready;
            write.observe(cycle, valid, beat, wvalid, &word, 15, last, true);
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
    """The compiled driver."""

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
    ) -> subprocess.CompletedProcess[str]:
        """Issue bursts of (address, beats) as fast as the memory takes them."""
        numbers = [latency, percent, seed, limit, *(x for burst in bursts for x in burst)]
        command = [str(self.path), kind, *map(str, numbers)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def events(self, kind: str, bursts: list[Burst], **timing: int) -> Events:
        """Run, and gather the numbers of each kind of line."""
        result = self.run(kind, bursts, **timing)
        assert result.returncode == 0, result.stderr
        found: Events = {}
        for line in result.stdout.splitlines():
            name, *numbers = line.split()
            found.setdefault(name, []).append([int(n) for n in numbers])
        return found


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Driver:
    """Compile the driver."""
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
    found = driver.events("read", [(BASE + 64, 4)], latency=latency)
    assert first(found["address"]) == [0]
    assert first(found["data"]) == [latency + i for i in range(4)]
    assert [row[2] for row in found["data"]] == [0, 0, 0, 1]


def test_outstanding_bursts_follow_each_other_without_a_gap(driver: Driver) -> None:
    """A burst whose latency is over waits for the one before it, no longer."""
    found = driver.events("read", [(BASE, 8), (BASE + 32, 2), (BASE + 256, 3)])
    assert first(found["address"]) == [0, 1, 2]
    assert first(found["data"]) == list(range(24, 24 + 13))


def test_short_bursts_show_the_latency_of_each_address(driver: Driver) -> None:
    """One-beat bursts come one per cycle, as their addresses did."""
    found = driver.events("read", [(BASE + 4 * i, 1) for i in range(5)])
    assert first(found["data"]) == [24 + i for i in range(5)]


def test_write_response_comes_latency_after_the_last_beat(driver: Driver) -> None:
    """The second burst's beats follow at once, its response after its own last beat."""
    found = driver.events("write", [(BASE, 4), (BASE + 128, 2)])
    assert first(found["data"]) == list(range(6))
    assert found["response"] == [[3 + 24, 0], [5 + 24, 0]]


def test_addresses_outside_the_memory_answer_with_an_error(driver: Driver) -> None:
    """Reads and writes both answer DECERR, and nothing is written."""
    assert [r[3] for r in driver.events("read", [(0x4000, 2)])["data"]] == [3, 3]
    untouched = driver.events("read", [(BASE, 1)])["checksum"]
    found = driver.events("write", [(0x4000, 2)])
    assert [r[1] for r in found["response"]] == [3]
    assert found["checksum"] == untouched


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


def test_burst_across_a_page_is_refused(driver: Driver) -> None:
    """The rule, the channel and the cycle are named."""
    result = driver.run("read", [(BASE + 4096 - 8, 3)])
    assert result.returncode == 4
    assert result.stderr == "AXI protocol violation on AR at cycle 0: burst crosses 4 KiB\n"


def test_unaligned_address_is_refused(driver: Driver) -> None:
    """The accelerator promises whole, aligned beats."""
    result = driver.run("write", [(BASE + 2, 1)])
    assert result.stderr == "AXI protocol violation on AW at cycle 0: address is not aligned\n"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MemoryModel(latency=0), "latency must be in 1 … 4096, not 0"),
        (lambda: MemoryModel(stall_seed=-1), "stall_seed must not be negative, not -1"),
        (lambda: MemoryModel(stall_percent=60), "stall_percent must be in 1 … 50, not 60"),
        (
            lambda: MemoryModel(stall_seed=1, dram=lpddr4(TINY.default)),
            "stall_seed must not be given with dram",
        ),
        (lambda: MemoryModel(base=64), "base must be a 32-bit multiple of 4096, not 64"),
    ],
)
def test_memory_model_names_the_rule(make: Callable[[], MemoryModel], message: str) -> None:
    """Each field's range."""
    with pytest.raises(ValueError, match=f"^{message}$"):
        make()

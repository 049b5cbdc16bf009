"""The harness's DRAM by itself: bursts in, cycles of their beats and responses out."""

import subprocess
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

import testbench
from testbench.rtl.dram_channel import DramChannel
from testbench.rtl.verilate import compiler

__all__ = ["Burst", "build_driver", "random_bursts", "stepped"]

TEMPLATES = Path(testbench.__file__).parent / "rtl" / "templates"

DRIVER = r"""
#include <cstdio>
#include "job.h"
using namespace cosilico;
// stdin: the DRAM's values in the order of dram_fields() names given as "name value" lines up to "go",
// then bursts "write address beats beat_bytes arrival"; stdout: cycles of the beats or the response.
int main() {
    DramTiming timing;
    auto fields = dram_fields(timing);
    char key[64];
    long long v[5];
    while (std::scanf("%63s", key) == 1 && std::strcmp(key, "go") != 0) {
        if (std::scanf("%lld", v) != 1) return 1;
        *fields.at(key) = v[0];
    }
    Dram dram(timing);
    std::vector<std::shared_ptr<DramTransfer>> transfers;
    while (std::scanf("%lld %lld %lld %lld %lld", v, v + 1, v + 2, v + 3, v + 4) == 5) {
        dram.advance(v[4]);
        transfers.push_back(v[0] ? dram.write(v[1], v[2], v[3], v[4])
                                 : dram.read(v[1], v[2], v[3], v[4]));
    }
    dram.advance(v[4] + 1000000);
    for (const auto& transfer : transfers) {
        if (transfer->there.empty()) std::printf("%llu", (unsigned long long)transfer->answered);
        for (uint64_t cycle : transfer->there) std::printf("%llu ", (unsigned long long)cycle);
        std::printf("\n");
    }
}
"""


@dataclass(frozen=True)
class Burst:
    """Burst that a port requests of the memory."""

    write: int
    address: int
    beats: int
    beat_bytes: int
    arrival: int


def build_driver(directory: Path) -> Path:
    """Compile the harness's DRAM with a driver that reads bursts."""
    (directory / "driver.cpp").write_text(DRIVER)
    command = [compiler(), "-std=gnu++17", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{TEMPLATES}"]
    command += [str(directory / "driver.cpp"), "-o", str(directory / "driver")]
    subprocess.run(command, check=True)
    return directory / "driver"


def stepped(driver: Path, dram: DramChannel, bursts: list[Burst]) -> list[list[int]]:
    """Cycles of every beat or response, access by access."""
    lines = [f"{name} {value}" for name, value in dram.job_values.items()] + ["go"]
    lines += [" ".join(map(str, astuple(burst))) for burst in bursts]
    result = subprocess.run(
        [str(driver)], input="\n".join(lines), capture_output=True, text=True, check=True
    )
    return [[int(word) for word in line.split()] for line in result.stdout.splitlines()]


def random_bursts(rng: np.random.Generator, bus: int, count: int, gap: int) -> list[Burst]:
    """Bursts within 4 KiB pages, often near the burst before, at a chosen load."""
    bursts, arrival, address = [], 0, 0
    for _ in range(count):
        arrival += int(rng.integers(0, gap)) if rng.random() < 0.7 else 0
        if rng.random() < 0.02:
            arrival += int(rng.integers(0, 40000))
        if rng.random() < 0.5:
            address = int(rng.integers(0, 1 << 18)) // bus * bus
        width = bus if rng.random() < 0.8 else min(bus, 8)
        beats = int(rng.integers(1, min(256, (4096 - address % 4096) // width) + 1))
        bursts.append(Burst(int(rng.random() < 0.4), address, beats, width, arrival))
        address = -(-(address + beats * width) // bus) * bus
    return bursts

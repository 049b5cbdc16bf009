"""DRAMsim3's view of a DRAM: the same timing, the same requests, and the latencies that it gives.

DRAMsim3 (Li et al., "DRAMsim3: a Cycle-accurate, Thermal-Capable DRAM Simulator", IEEE Computer
Architecture Letters 19(2), 2020) is a public simulator. It is no package, so whoever has its program
``dramsim3main`` names it; nothing else of it is used.
"""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sim.spec.dram import DramSystem
from testbench.judges.dram_driver import Burst

__all__ = ["latencies"]

PROTOCOLS = {"DDR3": "DDR3", "DDR4": "DDR4", "LPDDR4": "LPDDR4", "HBM2": "HBM2"}
DRAIN = 20_000
"""Clocks after the last request in which everything is answered."""


def latencies(program: Path, system: DramSystem, requests: Sequence[Burst]) -> list[int]:
    """Latency of every read, in clocks of the memory, in ascending order.

    Parameters
    ----------
    program : Path
        ``dramsim3main``.
    system : DramSystem
    requests : sequence of Burst
        Each of a single access; at most a single request in a clock.
    """
    with tempfile.TemporaryDirectory(prefix="cosilico-") as name:
        folder = Path(name)
        (folder / "system.ini").write_text(_configuration(system))
        clocks = requests[-1].arrival + DRAIN
        # Its reader forgets the last line
        lines = [f"{r.address:#x} {'WRITE' if r.write else 'READ'} {r.arrival}" for r in requests]
        lines.append(f"0x0 WRITE {clocks - DRAIN // 2}")
        (folder / "requests.txt").write_text("\n".join(lines))
        command = [str(program), "system.ini", "-c", str(clocks), "-t", "requests.txt", "-o", "."]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        content = json.loads((folder / "dramsim3.json").read_text())
    counts = content["0"]["read_latency"]
    return sorted(int(latency) for latency, count in counts.items() for _ in range(count))


def _configuration(system: DramSystem) -> str:
    """DRAMsim3's file for a channel: PER_RANK queues as deep as ours, addresses as ours."""
    t, clocks, groups = system.timing, system.clocks, system.bank_groups
    mhz, data = system.clock_mhz, system.burst_length // 2
    read, write = clocks.read_latency - data, clocks.write_latency - data
    hbm = system.standard == "HBM2"
    # Columns are of the data pins; HBM's are two of them.
    columns = system.page_bytes * 8 // system.channel_bits // (2 if hbm else 1)
    values: dict[str, dict[str, object]] = {
        "dram_structure": {
            "protocol": PROTOCOLS[system.standard],
            "bankgroups": groups,
            "banks_per_group": system.banks // groups,
            "rows": 1 << 15,
            "columns": columns,
            "device_width": system.channel_bits,
            "BL": system.burst_length,
            "hbm_dual_cmd": "false",
        },
        "timing": {
            "tCK": 1000 / mhz,
            "CL": read,
            "CWL": write,
            "tRCD": clocks.row_to_read,
            "tRCDRD": clocks.row_to_read,
            "tRCDWR": clocks.row_to_write,
            "tRP": clocks.precharge,
            "tRAS": clocks.row_active,
            "tRFC": clocks.refresh,
            "tREFI": clocks.refresh_interval,
            "tRRD_S": clocks.row_to_row,
            "tRRD_L": clocks.row_to_row_long,
            "tWTR_S": t.wtr.at(mhz),
            "tWTR_L": (t.wtr_l or t.wtr).at(mhz),
            "tFAW": clocks.four_rows,
            "tWR": t.wr.at(mhz),
            "tRTP": clocks.read_to_precharge,
            "tCCD_S": clocks.column,
            "tCCD_L": clocks.column_long,
            # Its distance from a read to a write is RL + BL/2 - WL + tRTRS.
            "tRTRS": clocks.read_to_write - read - data + write,
        },
        "system": {
            "channel_size": system.page_bytes * system.banks * (1 << 15) >> 20,
            "channels": 1,
            "bus_width": system.channel_bits,
            "address_mapping": "rorabachcobg",
            "queue_structure": "PER_RANK",
            "row_buf_policy": "OPEN_PAGE",
            "cmd_queue_size": system.controller.queue,
            "trans_queue_size": system.controller.queue,
        },
        "other": {"epoch_period": 1 << 30, "output_level": 0},
    }
    return "".join(
        f"[{section}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for section, entries in values.items()
    )

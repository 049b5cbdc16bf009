"""Overhead of a task on a Dask cluster, efficiency with some workers, and what a campaign with more of them costs.

    python benchmarks/scaling.py [--workers 1 2] [--points 9600] [--tasks 2000] [--network mobilenet_v2]

Starts a scheduler and workers, each a process of this machine. Empty tasks show what the scheduler and the client do for each; accelerators of
the `edge` space, in chunks, show the efficiency, which says something only where nothing else runs and each worker has a core. Writes
``benchmarks/scaling.json``, from which ``make pages`` makes the tables of docs/explanation/scaling.md.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cosilico.cluster import cluster_pool
from cosilico.enumeration import enumerate_network
from cosilico.enumeration_parts import part_ranges
from cosilico.evaluation import CHUNK
from record import processor
from sim.networks.named import named_network
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.files import write_atomic
from sim.spec.network import Network
from sim.spec.spaces import EDGE

OUT = Path(__file__).parent / "scaling.json"
CAMPAIGN_POINTS = 10_000_000
"""Points of a space that takes a cluster."""

_START_S = 120.0


def main() -> None:
    """Measure, print a line for each figure, and write the results file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--points", type=int, default=9600, help="accelerators that are evaluated")
    parser.add_argument("--tasks", type=int, default=2000, help="empty tasks")
    parser.add_argument("--network", default="mobilenet_v2")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    network = named_network(arguments.network)
    step = len(EDGE) // arguments.points
    configs = [EDGE.at(index * step) for index in range(arguments.points)]
    enumerate_network(network, configs[:CHUNK], _silent)  # the kernels are there then
    alone = _alone(network, configs)
    rows = []
    for count in arguments.workers:
        rows.append(_with_workers(count, network, configs, arguments.tasks))
        rows[-1]["efficiency"] = alone["wall_s"] / (count * rows[-1]["wall_s"])
        print(json.dumps(rows[-1]))
    sizes = [stop - start for start, stop in part_ranges(CAMPAIGN_POINTS)]
    record = {
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 1),
        "network": arguments.network,
        "points": len(configs),
        "tasks": arguments.tasks,
        "alone": alone,
        "workers": rows,
        "campaign": {"points": CAMPAIGN_POINTS, "parts": len(sizes), "part_points": max(sizes)},
    }
    write_atomic(arguments.out, json.dumps(record, indent=1) + "\n")


def _alone(network: Network, configs: list[AcceleratorConfig]) -> dict[str, float]:
    """Evaluate the accelerators in this process."""
    begin, used = time.perf_counter(), time.process_time()
    enumerate_network(network, configs, _silent)
    return {
        "wall_s": time.perf_counter() - begin,
        "cpu_s": time.process_time() - used,
    }


def _with_workers(
    count: int, network: Network, configs: list[AcceleratorConfig], tasks: int
) -> dict[str, Any]:
    """Overhead of empty tasks, and the time of the accelerators, with so many workers."""
    with _cluster(count) as (address, scheduler):
        with cluster_pool(address, "tasks") as (pool, there):
            assert there == count
            # every worker loads the sources once
            _wait(pool.submit(_nothing, number) for number in range(4 * count))
            before, own = _cpu(scheduler), time.process_time()
            begin = time.perf_counter()
            _wait([pool.submit(_nothing, number) for number in range(tasks)])
            wall = time.perf_counter() - begin
            overhead = {
                "scheduler_us": 1e6 * (_cpu(scheduler) - before) / tasks,
                "client_us": 1e6 * (time.process_time() - own) / tasks,
                "wall_us": 1e6 * wall / tasks,
            }
        first = time.perf_counter()
        enumerate_network(network, configs[: count * CHUNK], _silent, scheduler=address)
        first = time.perf_counter() - first
        begin = time.perf_counter()
        enumerate_network(network, configs, _silent, scheduler=address)
        return {
            "workers": count,
            **overhead,
            "first_s": first,
            "wall_s": time.perf_counter() - begin,
        }


@contextmanager
def _cluster(count: int) -> Iterator[tuple[str, int]]:
    """Address of a scheduler with so many workers, and its process id; all end with the block."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "scheduler.json"
        command = [sys.executable, "-m", "dask"]
        options = ["--no-dashboard", "--host", "127.0.0.1", "--port", "0"]
        processes: list[subprocess.Popen[bytes]] = []

        def start(*words: str) -> subprocess.Popen[bytes]:
            with (folder / f"{len(processes)}.log").open("wb") as log:
                process = subprocess.Popen(
                    [*command, *words], stdout=log, stderr=log, cwd=folder, start_new_session=True
                )
            processes.append(process)
            return process

        try:
            scheduler = start("scheduler", *options, "--scheduler-file", str(file))
            limit = time.monotonic() + _START_S
            while not file.is_file() or not file.read_text().rstrip().endswith("}"):
                if time.monotonic() > limit:
                    raise TimeoutError("the scheduler does not start")
                time.sleep(0.1)
            address = str(json.loads(file.read_text())["address"])
            scratch = ["--local-directory", str(folder / "scratch")]
            for _ in range(count):
                start(
                    "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", *scratch
                )
            _await(address, count)
            yield address, scheduler.pid
        finally:
            for process in processes:
                process.kill()
                process.wait()


def _await(address: str, count: int) -> None:
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(count, timeout=_START_S)


def _wait(futures: Any) -> None:
    for future in list(futures):
        future.result()


def _cpu(process: int) -> float:
    """Seconds that a process has computed: its user and system time of /proc, behind the name in parentheses."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _nothing(number: int) -> int:
    return number


def _silent(step: str, done: int, total: int) -> None:
    """Report nothing."""


if __name__ == "__main__":
    main()

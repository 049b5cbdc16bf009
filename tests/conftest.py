"""Fixtures that the tests share: a search that is killed; and their order on several workers."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import pytest

KillAndResume: TypeAlias = Callable[
    [Callable[[], object], Path, Sequence[tuple[bool, float]]], None
]

if "PYTEST_XDIST_WORKER" in os.environ:
    # A worker per core has one core: threads of torch and BLAS would wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

for size in ("COLUMNS", "LINES"):
    # readline gives them to processes that it starts: tests have no terminal unless they say so
    os.environ.pop(size, None)

SECONDS = {
    "test_testbench_validate": 250,
    "test_hwgen_execute_grid": 130,
    "test_hwgen_emit": 110,
    "test_hwgen_execute": 100,
    "test_project_examples": 95,
    "test_project_pages": 70,
    "test_cosilico_flow": 75,
    "test_hwgen_accelerator": 60,
    "test_testbench_dram": 60,
    "test_search_driver": 55,
    "test_hwgen_emulator": 55,
    "test_testbench_calibration_teeth": 45,
    "test_testbench_cosimulation": 45,
    "test_testbench_engines": 45,
    "test_testbench_harness": 45,
    "test_importers_pytorch_aten": 40,
    "test_cosilico_fuzzing": 35,
    "test_testbench_images": 35,
    "test_testbench_recovery": 35,
    "test_importers_pytorch_modules": 30,
    "test_project_mutants": 30,
    "test_testbench_icarus": 30,
    "test_testbench_cocotb_folder": 30,
    "test_sim_transfers": 25,
    "test_testbench_cocotb": 25,
    "test_testbench_cocotb_examples": 20,
    "test_testbench_realizability_cases": 25,
    "test_testbench_descriptor_fields": 22,
    "test_testbench_simulate": 20,
    "test_testbench_slang": 20,
    "test_testbench_netlist": 15,
    "test_importers_pytorch_archive": 15,
    "test_testbench_imported_cases": 15,
    "test_cosilico_comparison_experiment": 18,
}
"""Seconds of a processor that files of tests take; those not named here take less."""

WITHOUT_KERNELS = {
    "test_hwgen_simulation_view": 70,
    "test_hwgen_view_equivalence": 110,
}
"""Seconds that files without the model's kernels take.

By the time that they end, another worker has compiled all kernels.
"""

MODEL_RAN = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def kill_and_resume() -> KillAndResume:
    """Kill a search at chosen times, resume it each time, and let it finish.

    Given the search, its checkpoint and, for each kill, whether it waits for the checkpoint to be
    written and for how many seconds then. Processes are real, to be killed at any instant, but
    forked from a server that has imported torch and the search, which takes seconds.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["cosilico.flow", "search.driver", "search.strategies.rhnas"])

    def run(
        search: Callable[[], object], checkpoint: Path, kills: Sequence[tuple[bool, float]]
    ) -> None:
        def written() -> int:
            return checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0

        killed = 0
        for awaited, delay in kills:
            before, process = written(), context.Process(target=search)
            process.start()
            while awaited and process.is_alive() and written() == before:
                time.sleep(0.01)
            time.sleep(delay)
            process.kill()
            process.join()
            killed += process.exitcode == -signal.SIGKILL
        # A fast machine may be done before the last kill.
        assert killed >= len(kills) - 1
        process = context.Process(target=search)
        process.start()
        process.join()
        assert process.exitcode == 0

    return run


@pytest.hookimpl(trylast=True)  # what is deselected is gone by then
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests for pytest-xdist, whose workers each begin with an equal share in a row.

    A share begins with the files that take longest, so that what a worker takes over from another
    near the end is short; a file stays whole, so that its builds are made once. Only the first worker
    begins with tests that need the kernels of the model.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers == 1:
        return
    files: dict[str, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path.stem, []).append(item)
    shares: list[list[pytest.Item]] = [[] for _ in range(workers)]
    loads = [0] * workers
    ordered = [(name, WITHOUT_KERNELS[name], 1) for name in WITHOUT_KERNELS]
    ordered += [(name, SECONDS[name], 0) for name in sorted(SECONDS, key=SECONDS.__getitem__)[::-1]]
    for name, seconds, first in ordered:
        place = min(range(first, workers), key=loads.__getitem__)
        shares[place] += files.pop(name, [])
        loads[place] += seconds
    rest = [item for tests in files.values() for item in tests]
    # As pytest-xdist cuts: the first share gets the floor of its part of what is left.
    left = len(items)
    items.clear()
    for index, share in enumerate(shares):
        size = left // (workers - index)
        missing = max(0, size - len(share))
        items += share + rest[:missing]
        del rest[:missing]
        left -= size
    items += rest


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note whether a file of tests planned a network when it was imported."""
    plan_network = getattr(sys.modules.get("sim.mapping.mapper"), "plan_network", None)
    session.config.stash[MODEL_RAN] = bool(getattr(plan_network, "signatures", None))


@pytest.fixture
def model_ran_at_collection(request: pytest.FixtureRequest) -> bool:
    """Whether kernels of the model were compiled before the first test."""
    return request.config.stash[MODEL_RAN]

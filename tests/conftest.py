"""Fixtures that the tests share, their order on several workers, and a limit of what each may take."""

import atexit
import gc
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TypeAlias

import pytest

KillAndResume: TypeAlias = Callable[
    [Callable[[], object], Path, Sequence[tuple[bool, float]]], None
]

if "PYTEST_XDIST_WORKER" in os.environ:
    # A worker per core has one core: threads of torch and BLAS would wait for each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

if "COMPILE_ONCE_FOLDER" not in os.environ:
    # Workers have it from the process that starts them, which removes it.
    os.environ["COMPILE_ONCE_FOLDER"] = tempfile.mkdtemp(prefix="cosilico-objects-")
    atexit.register(shutil.rmtree, os.environ["COMPILE_ONCE_FOLDER"], ignore_errors=True)
# For makefiles of Verilator: to compile its library takes ten seconds of a processor.
os.environ.setdefault("OBJCACHE", str(Path(__file__).parent / "support" / "compile_once.sh"))

for size in ("COLUMNS", "LINES"):
    # readline gives them to processes that it starts: tests have no terminal unless they say so
    os.environ.pop(size, None)

SECONDS = {
    "test_testbench_validate": 170,
    "test_testbench_package": 80,
    "test_cosilico_simulation": 110,
    "test_hwgen_emit": 55,
    "test_cosilico_flow": 95,
    "test_testbench_cosimulation": 50,
    "test_hwgen_protocol_proof": 40,
    "test_search_co_searches": 40,
    "test_hwgen_load": 40,
    "test_testbench_dram": 30,
    "test_testbench_netlists": 40,
    "test_cosilico_cluster": 40,
    "test_cosilico_api_stages": 35,
    "test_testbench_verilog": 55,
    "test_cosilico_joint_trained": 45,
    "test_project_joint_rtl": 30,
    "test_project_docs": 45,
    "test_hwgen_emulator": 30,
    "test_hwgen_execute": 30,
    "test_search_driver": 30,
    "test_hwgen_accelerator": 30,
    "test_cosilico_joint_comparison": 25,
    "test_testbench_cocotb_folder": 25,
    "test_hwgen_silicon_fit": 25,
    "test_project_mutants": 25,
    "test_testbench_realizability_cases": 25,
    "test_hwgen_store": 25,
    "test_testbench_recovery": 25,
    "test_hwgen_execute_grid": 25,
    "test_testbench_cocotb": 25,
    "test_hwgen_fetch": 25,
    "test_hwgen_mapped_proof": 45,
    "test_hwgen_mapping": 20,
    "test_cosilico_soc": 20,
    "test_testbench_wave_window": 20,
    "test_cosilico_comparison_experiment": 20,
    "test_cosilico_enumeration": 20,
    "test_testbench_trace_fit": 20,
    "test_importers_pytorch_functions": 20,
    "test_importers_pytorch_quantized": 20,
}
"""Seconds of a processor that files of tests take; those not named here take less."""

WITHOUT_KERNELS = {
    "test_hwgen_simulation_view": 25,
    "test_hwgen_view_equivalence": 20,
}
"""Seconds that files without the model's kernels take.

By the time that they end, another worker has compiled all kernels.
"""

MOST_CORE_SECONDS = 240
"""Seconds of a processor that a test may take.

With the processes that it starts, and the kernels that it is the first to need. A larger test is made
smaller, or is ``long`` beside a sample of it.
"""

CORE_SECONDS = "core_seconds"
MODEL_RAN = pytest.StashKey[bool]()
BEGUN = pytest.StashKey[float]()


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
    """Note whether a file of tests planned a network when it was imported.

    And let Python's garbage collector pass over what all tests have loaded, and look for garbage
    less often: it would go through millions of objects that stay, again and again. Half of an
    emission's time would go there.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    kernel = getattr(sys.modules.get("sim.mapping.mapper"), "plan_kernel", None)
    session.config.stash[MODEL_RAN] = bool(getattr(kernel, "signatures", None))


def core_seconds() -> float:
    """Seconds of a processor that this process and its children that have ended took."""
    return sum(os.times()[:4])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Note when a test begins, in seconds of a processor."""
    item.stash[BEGUN] = core_seconds()
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Note the seconds of a test; too many are an error."""
    yield
    taken = core_seconds() - item.stash[BEGUN]
    item.user_properties.append((CORE_SECONDS, taken))
    if taken > MOST_CORE_SECONDS and item.get_closest_marker("long") is None:
        pytest.fail(
            f"a test must take at most {MOST_CORE_SECONDS} s of a processor, not {taken:.0f}; "
            "what is beyond a sample is `long`",
            pytrace=False,
        )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what all tests took, and the files that took most."""
    files: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "teardown":
                taken = dict(report.user_properties).get(CORE_SECONDS, 0.0)
                files[report.nodeid.partition("::")[0]] += taken
    if not files:
        return
    most = ", ".join(f"{Path(file).stem} {taken:.0f}" for file, taken in files.most_common(12))
    terminalreporter.write_line(f"{files.total():.0f} s of a processor: {most}")


@pytest.fixture
def model_ran_at_collection(request: pytest.FixtureRequest) -> bool:
    """Whether kernels of the model were compiled before the first test."""
    return request.config.stash[MODEL_RAN]

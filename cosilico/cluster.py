"""Tasks on a Dask cluster, whose workers have the same sources and see the same folder."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from cosilico.cache import source_digest
from cosilico.extras import require_extra
from cosilico.progress import Report
from sim.spec.errors import CosilicoError
from testbench.validation.journal import Journal

__all__ = ["cluster_pool", "require_cluster", "run_on_cluster"]

_CONNECT_S = 10
"""Seconds in which the scheduler has to answer."""

_WORKER_S = 60
"""Seconds in which the cluster has to have a worker."""

_PACKAGES = ("cosilico", "search", "testbench", "hwgen", "sim")

_turn = threading.Lock()
"""Held by the task that a worker runs: tasks share the process, so none runs beside another."""

_prepared: list[str] = []
"""Name of the work that the worker is prepared for; no two have the same."""


def run_on_cluster(
    scheduler: str,
    tasks: Mapping[str, tuple[Any, ...]],
    run: Callable[..., Mapping[str, Any]],
    journal: Journal,
    report: Report,
    *,
    step: str = "searches",
    prepare: Callable[..., None] | None = None,
    arguments: tuple[Any, ...] = (),
) -> None:
    """Run every task that the journal lacks on a Dask cluster.

    A task of a worker that is killed goes on with another worker; Dask gives up on a task that has ended
    several workers. All paths in the arguments must lie where every worker sees them.

    Parameters
    ----------
    scheduler : str
        Address, as ``tcp://HOST:8786``.
    tasks, run, journal, report, step, prepare, arguments
        See :func:`cosilico.tasks.run_all`.

    Raises
    ------
    MissingExtraError
        If ``distributed`` is not installed.
    CosilicoError
        If the scheduler does not answer or is lost, has no worker, or a worker has other sources, does
        not see the journal, or is ended again and again by the same task.
    """
    left = {key: given for key, given in tasks.items() if key not in journal.records}
    if not left:
        return
    with _client(scheduler, step) as client:
        from distributed import as_completed

        name = uuid4().hex
        witness = (str(journal.path.resolve()), journal.path.read_bytes().partition(b"\n")[0])
        # Tasks, not scattered data: what a killed worker held is made anew.
        kept = client.submit(_kept, (prepare, arguments), pure=False)
        futures = {
            client.submit(_task, _version(), witness, name, kept, run, given, pure=False): key
            for key, given in left.items()
        }
        total = len(tasks)
        report(step, total - len(left), total)
        for future in as_completed(futures, loop=client.loop):
            journal.append(futures[future], future.result())
            report(step, len(journal.records), total)


class _Pool:
    """Submits calls to a cluster, as an executor does."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def submit(self, function: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """Return the future of a call."""
        return self._client.submit(_call, _version(), function, given, named, pure=False)


@contextmanager
def cluster_pool(scheduler: str, step: str) -> Iterator[tuple[_Pool, int]]:
    """Pool of a Dask cluster's workers for calls that share no folder, and how many workers there are.

    A call of a worker that is killed goes to another worker.

    Parameters
    ----------
    scheduler : str
        Address, as ``tcp://HOST:8786``.
    step : str
        What the calls are, in the plural.

    Raises
    ------
    MissingExtraError
        If ``distributed`` is not installed.
    CosilicoError
        If the scheduler does not answer or is lost, has no worker, or a worker has other sources, or is ended again and
        again by the same call.
    """
    with _client(scheduler, step, "by the same command") as client:
        yield _Pool(client), len(client.scheduler_info()["workers"])


def require_cluster(scheduler: str) -> None:
    """Raise as :func:`cluster_pool` unless a cluster answers: before hours of work that it is needed for."""
    with cluster_pool(scheduler, "calls"):
        pass


@contextmanager
def _client(scheduler: str, step: str, again: str = "with --resume") -> Iterator[Any]:
    """Client of a cluster that has a worker; errors of the cluster in one line."""
    require_extra("--scheduler", "cluster")
    from distributed import Client
    from distributed.client import FutureCancelledError
    from distributed.comm import CommClosedError
    from distributed.scheduler import KilledWorker

    # What it would say about a lost connection is said once, by the error.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = Client(scheduler, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise CosilicoError(
            f"--scheduler must be the address of a Dask scheduler that answers, as tcp://HOST:8786, "
            f"not {scheduler!r}"
        ) from error
    try:
        _await_worker(client, scheduler)
        yield client
    except KilledWorker as error:
        raise CosilicoError(
            f"workers must survive all {step}, but {error.allowed_failures + 1} were ended in the same "
            f"one, the last of them {error.last_worker.address}; go on {again}"
        ) from error
    except (CommClosedError, FutureCancelledError) as error:
        raise CosilicoError(
            f"scheduler {scheduler} must stay until all {step} are done; go on {again}"
        ) from error
    finally:
        client.close(timeout=1)


def _await_worker(client: Any, scheduler: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_WORKER_S)
    except TimeoutError as error:
        raise CosilicoError(f"scheduler {scheduler} must have a worker, but has none") from error


@cache
def _version() -> str:
    return source_digest(*_PACKAGES)


def _kept(value: Any) -> Any:
    return value


def _call(
    version: str, function: Callable[..., Any], given: tuple[Any, ...], named: Mapping[str, Any]
) -> Any:
    """Call a function in a worker."""
    _require_version(version)
    with _turn:
        return function(*given, **named)


def _require_version(version: str) -> str:
    """Return the worker's address; raise unless it has the sources of a version."""
    from distributed import get_worker

    address: str = get_worker().address
    if version != _version():
        raise CosilicoError(
            f"worker {address} must have the sources of version {version[:12]}, not {_version()[:12]}"
        )
    return address


def _task(
    version: str,
    witness: tuple[str, bytes],
    name: str,
    kept: tuple[Callable[..., None] | None, tuple[Any, ...]],
    run: Callable[..., Mapping[str, Any]],
    given: tuple[Any, ...],
) -> Mapping[str, Any]:
    """Run a task in a worker, which is prepared when the first task comes."""
    address = _require_version(version)
    path, header = Path(witness[0]), witness[1]
    if not (path.is_file() and path.read_bytes().partition(b"\n")[0] == header):
        raise CosilicoError(f"worker {address} must see the folder {str(path.parent)!r}")
    prepare, arguments = kept
    with _turn:
        if prepare is not None and _prepared != [name]:
            prepare(*arguments)
            _prepared[:] = [name]
        return run(*given)

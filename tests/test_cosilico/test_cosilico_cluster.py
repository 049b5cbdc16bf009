"""Comparisons on a Dask cluster of real processes: results, killed workers, errors."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client

from cosilico.cli import main
from cosilico.cluster import _task as remote_task
from cosilico.cluster import _version as cluster_version
from cosilico.cluster import run_on_cluster
from cosilico.comparison import ComparisonSettings, compare_to_folder
from cosilico.enumeration import enumerate_network, enumerate_to_file
from cosilico.enumeration_parts import part_ranges
from cosilico.validation import validate_everything
from dask_cluster import ALLOWED_FAILURES, DaskCluster, dask_cluster
from sim.networks.named import named_network
from sim.spec.errors import CosilicoError
from sim.spec.spaces import TINY
from testbench.validation.campaign import Campaign
from testbench.validation.journal import Journal

SPACE = """
[hardware]
space = "tiny"
[hardware.values]
pes_x = [1, 2]
pes_y = [1, 2]
simd_units = [8, 16]
compute_lanes = [1, 2]
local_memory_kb = [16, 32]
register_file_kb = [2, 4]
io_bandwidth_gbps = [0.8, 1.6]
"""

SETTINGS = ComparisonSettings(strategies=("random", "evolution"), seeds=3, budget=30)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[DaskCluster]:
    folder = tmp_path / "cluster"
    folder.mkdir()
    with dask_cluster(folder) as cluster:
        yield cluster


@pytest.fixture
def space(tmp_path: Path) -> str:
    path = tmp_path / "small.toml"
    path.write_text(SPACE)
    return str(path)


def silent(what: str, done: int, total: int) -> None:
    """Report nothing."""


def compared(space: str, out: Path, **options: Any) -> str:
    compare_to_folder("ds_cnn", space, out, SETTINGS, jobs=1, **options)
    return (out / "comparison.json").read_text()


@contextmanager
def after_a_search(action: Callable[[], object]) -> Iterator[None]:
    """Act while the first record is written."""
    append = Journal.append
    acted: list[str] = []

    def then_act(journal: Journal, key: str, record: Mapping[str, Any]) -> None:
        append(journal, key, record)
        if not acted:
            acted.append(key)
            action()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "append", then_act)
        yield
    assert acted


@pytest.mark.slow
@pytest.mark.long
def test_workers_give_what_processes_give_whoever_is_killed(
    cluster: DaskCluster, space: str, tmp_path: Path
) -> None:
    first = cluster.worker()
    out = tmp_path / "out"

    def replace() -> None:
        first.kill()
        cluster.worker()

    with after_a_search(replace):
        here = compared(space, out, scheduler=cluster.address)
    assert first.wait() < 0
    assert here == compared(space, tmp_path / "processes")


LARGER = """
[hardware]
space = "tiny"
[hardware.values]
pes_x = [1, 2]
pes_y = [2]
simd_units = [8]
"""


@pytest.mark.slow
def test_workers_enumerate_as_a_process_does_whoever_is_killed(
    cluster: DaskCluster, tmp_path: Path
) -> None:
    first = cluster.worker()
    (tmp_path / "larger.toml").write_text(LARGER)
    there, here = (tmp_path / f"{name}.csv" for name in ("there", "here"))
    acted: list[str] = []
    append = Journal.append

    def then_replace(journal: Journal, key: str, record: Mapping[str, Any]) -> None:
        append(journal, key, record)
        acted.append(key)
        if (
            len(acted) == 2
        ):  # the first part is made by the process that has the scheduler's address
            first.kill()
            cluster.worker()

    space = str(tmp_path / "larger.toml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Journal, "append", then_replace)
        enumerate_to_file("autoencoder", space, there, jobs=1, scheduler=cluster.address)
    assert first.wait() < 0
    assert len(acted) == len(part_ranges(3600))
    enumerate_to_file("autoencoder", space, here, jobs=1)
    assert there.read_bytes() == here.read_bytes()
    assert not list(tmp_path.glob("*.parts"))


@pytest.mark.slow
@pytest.mark.long
def test_workers_evaluate_a_space_for_a_run_whoever_is_killed(
    cluster: DaskCluster, tmp_path: Path
) -> None:
    first = cluster.worker()
    network, configs = named_network("autoencoder"), list(TINY)[:1500:2]
    reports: list[int] = []

    def then_replace(step: str, done: int, total: int) -> None:
        reports.append(done)
        if len(reports) == 2:
            first.kill()
            cluster.worker()

    there = enumerate_network(network, configs, then_replace, scheduler=cluster.address)
    here = enumerate_network(network, configs, silent)
    assert first.wait() < 0
    assert reports == [0, 480, 750]
    assert there.configs == here.configs
    assert there.violations == here.violations
    for name, values in here.values.items():
        np.testing.assert_array_equal(there.values[name], values, name)


def test_a_run_asks_for_its_cluster_before_it_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cosilico.cluster._CONNECT_S", 1)
    out = tmp_path / "out"
    words = ["run", "--network", "ds_cnn", "--scheduler", "tcp://127.0.0.1:9", "--out", str(out)]
    assert main(words) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
    assert "--scheduler must be the address of a Dask scheduler that answers" in line
    assert not out.exists()


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.long
def test_workers_validate_pairs_whoever_is_killed(cluster: DaskCluster, tmp_path: Path) -> None:
    first = cluster.worker()

    def replace() -> None:
        first.kill()
        cluster.worker()

    campaign = Campaign(
        pairs=0,
        stalled=1,
        layers=False,
        imported=0,
        graphs=0,
        tables=0,
        states=0,
        points=0,
        max_macs=64,
    )
    out, journal = tmp_path / "out", tmp_path / "journal.jsonl"
    with after_a_search(replace):
        assert validate_everything(campaign, journal, out, scheduler=cluster.address) == 0
    assert first.wait() < 0
    total = json.loads((out / "validation.json").read_text())["total"]
    assert (total["pairs"], total["failures"]) == (2, 0)
    assert total["activations"] > 0


def test_a_scheduler_is_for_journals_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--random", "1", "--scheduler", "tcp://127.0.0.1:9"]) == 2
    line = "cosilico: --scheduler must be given with --full or --memories random alone\n"
    assert capsys.readouterr().err == line


def test_a_scheduler_that_does_not_answer_or_has_no_worker_is_said_in_a_line(
    cluster: DaskCluster, space: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("cosilico.cluster._CONNECT_S", 1)
    monkeypatch.setattr("cosilico.cluster._WORKER_S", 1)
    words = ["compare", "ds_cnn", "--space", space, "--seeds", "1", "--budget", "5"]
    for address, message in (
        ("tcp://127.0.0.1:9", "--scheduler must be the address of a Dask scheduler that answers"),
        ("nowhere", "--scheduler must be the address of a Dask scheduler that answers"),
        (cluster.address, f"scheduler {cluster.address} must have a worker, but has none"),
    ):
        out = str(tmp_path / "out")
        assert main([*words, "--scheduler", address, "--out", out, "--force"]) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
        assert message in line


@pytest.mark.slow
def test_a_lost_scheduler_ends_the_searches_and_what_is_done_stays(
    cluster: DaskCluster, tmp_path: Path
) -> None:
    cluster.worker()
    journal = Journal(tmp_path / "runs.jsonl", {"comparison": 1})
    searches = {name: (f"{{'value': {name!r}}}",) for name in "abcd"}
    lost = pytest.raises(CosilicoError, match=r"scheduler tcp://\S+ must stay until .* --resume")
    with after_a_search(cluster.scheduler.kill), lost:
        run_on_cluster(cluster.address, searches, eval, journal, silent)
    done = Journal(tmp_path / "runs.jsonl", {"comparison": 1}).records
    assert done.keys() < searches.keys()
    assert all(record == {"value": name} for name, record in done.items())
    assert done


@pytest.mark.slow
@pytest.mark.long
def test_a_lost_scheduler_ends_the_comparison_and_it_goes_on_with_resume(
    cluster: DaskCluster, space: str, tmp_path: Path
) -> None:
    cluster.worker()
    out = tmp_path / "out"
    lost = pytest.raises(CosilicoError, match=r"scheduler tcp://\S+ must stay until .* --resume")
    with after_a_search(cluster.scheduler.kill), lost:
        compared(space, out, scheduler=cluster.address)
    done = (out / "runs.jsonl").read_text()
    assert done.count("\n") > 1
    assert compared(space, out, resume=True) == compared(space, tmp_path / "processes")
    assert (out / "runs.jsonl").read_text().startswith(done)


@pytest.mark.slow
@pytest.mark.long
def test_a_worker_with_other_sources_is_refused(
    cluster: DaskCluster, space: str, tmp_path: Path
) -> None:
    """Long: a worker that does not see the folder is refused in the same place."""
    root, other = Path(__file__).parents[2], tmp_path / "other"
    for package in ("cosilico", "search", "testbench", "hwgen", "sim"):
        shutil.copytree(root / package, other / package, ignore=shutil.ignore_patterns("*.pyc"))
    (other / "sim" / "extra.py").write_text('"""Another version."""\n')
    worker = cluster.worker({"PYTHONPATH": str(other)})
    with pytest.raises(CosilicoError, match=r"worker tcp://\S+ must have the sources of version"):
        compared(space, tmp_path / "out", scheduler=cluster.address)
    assert worker.poll() is None


@pytest.mark.slow
def test_a_worker_that_does_not_see_the_folder_is_refused(
    cluster: DaskCluster, tmp_path: Path
) -> None:
    cluster.worker()
    journal = Journal(tmp_path / "runs.jsonl", {"comparison": 1})
    for there, content in ((tmp_path / "elsewhere", ""), (tmp_path / "other", "{}\n")):
        if content:
            there.write_text(content)
        witness = (str(there), journal.path.read_bytes().rstrip(b"\n"))
        with (
            Client(cluster.address, set_as_default=False) as client,
            pytest.raises(CosilicoError, match="must see the folder"),
        ):
            client.submit(
                remote_task, cluster_version(), witness, "name", (None, ()), dict, ()
            ).result()


@pytest.mark.slow
def test_a_search_that_ends_its_workers_ends_the_comparison(
    cluster: DaskCluster, tmp_path: Path
) -> None:
    for _ in range(ALLOWED_FAILURES + 1):
        cluster.worker()
    journal = Journal(tmp_path / "runs.jsonl", {"comparison": 1})
    message = (
        rf"survive all searches, but {ALLOWED_FAILURES + 1} were ended .* tcp://\S+; .*--resume"
    )
    with pytest.raises(CosilicoError, match=message):
        run_on_cluster(cluster.address, {"a": (1,)}, os._exit, journal, silent)
    assert journal.records == {}


@pytest.mark.slow
def test_an_error_of_a_search_is_not_taken_for_one_of_the_cluster(
    cluster: DaskCluster, tmp_path: Path
) -> None:
    cluster.worker()
    journal = Journal(tmp_path / "runs.jsonl", {"comparison": 1})
    late = "(_ for _ in ()).throw(TimeoutError('too late'))"
    with pytest.raises(TimeoutError, match="too late"):
        run_on_cluster(cluster.address, {"a": (late,)}, eval, journal, silent)


@pytest.mark.slow
def test_a_worker_is_prepared_anew_for_each_comparison(
    cluster: DaskCluster, tmp_path: Path
) -> None:
    """A worker outlives comparisons, also those of the same folder."""
    cluster.worker()
    searches = {"a": ("{'value': __import__('os').environ['COSILICO_PREPARED']}",)}
    for text in ("first", "second"):
        journal = Journal(tmp_path / "runs.jsonl", {"comparison": text}, renew=True)
        run_on_cluster(
            cluster.address,
            searches,
            eval,
            journal,
            silent,
            prepare=exec,
            arguments=(f"import os; os.environ['COSILICO_PREPARED'] = {text!r}",),
        )
        assert journal.records == {"a": {"value": text}}

"""Enumeration: the table of a space, its optimum and front, and the files."""

import csv
import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

from cosilico.enumeration import census, enumerate_network, enumerate_to_file
from cosilico.enumeration_parts import part_ranges
from cosilico.evaluation import evaluate_chunks
from cosilico.networks import load_network
from project_root import ROOT
from sampled import sampled
from sim.cost.area import area
from sim.cost.columns import COST_COLUMNS
from sim.cost.costs import evaluate_many
from sim.cost.objective import METRICS, Objective
from sim.cost.table import CostTable
from sim.model import predict
from sim.spec.errors import CosilicoError, DesignFileError
from sim.spec.memories import DRAM, FixedLatency
from sim.spec.network import Network
from sim.spec.spaces import TINY, HardwareSpace
from testbench.validation.journal import Journal


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    source = json.loads((ROOT / "examples" / "handwritten" / "design.json").read_text())
    path = tmp_path_factory.mktemp("network") / "network.json"
    path.write_text(json.dumps(source["network"]))
    return load_network(path)


@pytest.fixture(scope="module")
def space() -> HardwareSpace:
    values = dict(TINY.values) | {"pes_x": (1, 2), "pes_y": (2,), "compute_lanes": (2,)}
    return dataclasses.replace(TINY, values=MappingProxyType(values))


@pytest.fixture(scope="module")
def table(network: Network, space: HardwareSpace) -> CostTable:
    return enumerate_network(network, space, lambda step, done, total: None)


def test_agrees_with_the_model_point_by_point(table: CostTable, network: Network) -> None:
    rows = np.flatnonzero(table.realizable)
    for row in np.random.default_rng(0).choice(rows, 20, replace=False):
        prediction = predict(table.configs[row], network)
        assert table.cycles[row] == prediction.total_cycles
        assert table.read_bytes[row] == prediction.read_bytes
        assert table.energy[row] > 0


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_memory_is_that_of_every_prediction(
    network: Network, space: HardwareSpace, table: CostTable, jobs: int
) -> None:
    """Also where processes share the work."""
    memory = FixedLatency(latency=60, outstanding=2, width_bytes=2, clock_mhz=133)
    configs = [table.configs[row] for row in np.flatnonzero(table.realizable)[:500]]
    slow = enumerate_network(
        network, configs, lambda step, done, total: None, jobs=jobs, memory=memory
    )
    for row in (0, 3, 499):
        prediction = predict(configs[row], network, memory=memory)
        assert slow.cycles[row] == prediction.total_cycles
        assert slow.cycles[row] > predict(configs[row], network).total_cycles


def test_a_dram_is_refused(network: Network, table: CostTable) -> None:
    line = (
        r"^memory must have a fixed latency where many accelerators are compared, not lpddr4-3200$"
    )
    with pytest.raises(CosilicoError, match=line):
        evaluate_many(table.configs[:1], network, memory=DRAM)


def test_optimum_is_the_least_cost_within_the_budget(table: CostTable) -> None:
    budget = float(np.median(table.area))
    for metric in METRICS:
        row = table.optimum(budget, metric)
        assert row is not None
        cost = Objective(metric=metric, area_budget=budget).cost(table)
        assert cost[row] == cost[table.realizable & (table.area <= budget)].min()
    assert table.optimum(0.0) is None


def test_nothing_beats_the_front(table: CostTable) -> None:
    front = table.front()
    for row in front:
        better = (table.cycles <= table.cycles[row]) & (table.area <= table.area[row])
        strictly = (table.cycles < table.cycles[row]) | (table.area < table.area[row])
        assert not (better & strictly & table.realizable).any()
    assert list(table.cycles[front]) == sorted(table.cycles[front])


def test_processes_find_what_one_finds(
    table: CostTable, network: Network, space: HardwareSpace
) -> None:
    seen: list[tuple[int, int]] = []
    other = enumerate_network(
        network, space, lambda step, done, total: seen.append((done, total)), jobs=2
    )
    assert list(other.values) == list(COST_COLUMNS)
    for name in COST_COLUMNS:
        np.testing.assert_array_equal(other[name], table[name])
    assert other.violations == table.violations
    assert other.configs == table.configs
    assert seen == sorted(seen)
    assert seen[-1] == (len(space), len(space))


def test_the_kernels_are_compiled_before_processes_start(
    network: Network, space: HardwareSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first chunk is evaluated in the parent; with a single chunk, no process is needed."""
    monkeypatch.setattr("cosilico.evaluation.CHUNK", 8)
    configs = tuple(space)[:16]
    with monkeypatch.context() as patch:
        patch.setattr("cosilico.evaluation.worker_pool", lambda *given: pytest.fail("started"))
        first = next(evaluate_chunks(network, configs, 2))
        assert len(list(evaluate_chunks(network, configs[:8], 2))) == 1
    alone, _ = evaluate_chunks(network, configs)
    np.testing.assert_array_equal(first.cycles, alone.cycles)
    assert first.cycles.any()


def test_census_counts_points_by_rule(table: CostTable) -> None:
    points_by_rule = census(table)
    assert next(iter(points_by_rule)) == "realizable"
    assert points_by_rule["realizable"] == table.realizable.sum()
    for code, points in points_by_rule.items():
        if code != "realizable":
            assert points == sum(code in codes for codes in table.violations) > 0


def test_census_lists_codes_of_equal_numbers_by_name() -> None:
    codes = [f"MAP_{letter}" for letter in "EBHAGDFC"]
    table = CostTable(
        configs=(TINY.default,) * 2,
        violations=[tuple(codes), ("MAP_Z", "MAP_H")],
        excess=np.ones(2),
        values={},
    )
    order = ["realizable", "MAP_H", *(f"MAP_{letter}" for letter in "ABCDEFG"), "MAP_Z"]
    assert list(census(table)) == order


@pytest.fixture
def written(
    network: Network, space: HardwareSpace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Path]:
    """Function that enumerates the small space and writes its file."""
    monkeypatch.setattr("cosilico.enumeration.network_argument", lambda name, seed: network)
    monkeypatch.setattr("cosilico.enumeration.named_space", lambda name: space)
    monkeypatch.setattr("cosilico.enumeration.current_calibration", lambda: None)

    def write(name: str, **options: Any) -> Path:
        out = tmp_path / name
        enumerate_to_file("network.json", "tiny", out, **{"jobs": 1, **options})
        return out

    return write


def test_writes_one_csv_line_per_accelerator(
    written: Callable[..., Path], table: CostTable, capsys: pytest.CaptureFixture[str]
) -> None:
    with written("space.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [int(line["predicted_cycles"]) for line in lines] == table.cycles.tolist()
    assert [int(line["read_bytes"]) for line in lines] == table.read_bytes.tolist()
    assert {line["violations"] == "" for line in lines} == {True, False}
    assert str(len(table.configs)) in capsys.readouterr().out


def test_writes_the_same_as_parquet(written: Callable[..., Path], table: CostTable) -> None:
    columns = parquet.read_table(written("space.parquet")).to_pydict()
    assert columns == table.columns()


def test_prints_the_optimum_under_the_budget(
    written: Callable[..., Path], table: CostTable, capsys: pytest.CaptureFixture[str]
) -> None:
    budget = float(np.median(table.area))
    written("space.csv", area_budget=budget)
    row = table.optimum(budget)
    assert row is not None
    printed = capsys.readouterr().out
    assert f"fastest within {budget:.3f} mm²: {table.configs[row].pes_x}x" in printed
    assert table.store_bytes[row] > 0
    assert f"  {table.cycles[row]:,} cycles ({table.cold_cycles[row]:,} cold), " in printed
    default = area(TINY.default).total
    written("space.csv")
    assert f"fastest within {default:.3f} mm²" in capsys.readouterr().out
    written("space.csv", area_budget=0.001)
    line = "no realizable accelerator has an area of at most 0.001 mm²"
    assert line in capsys.readouterr().out


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("layers", 0, "kind"), "softmax", "network.layers[0].kind must be one of"),
        (("layers", 1, "inputs"), ["nothing"], "layer 'expand' reads unknown tensor 'nothing'"),
        (("input",), 3, "network.input must be an object, not 3"),
        (("layers", 0, "stride"), [1, 10**28], "network.layers[0].stride must be a list of 2"),
        (
            ("layers", 0, "kernel"),
            [65536, 65536],
            "arrays of network 'handwritten' must have at most 268435456 bytes, not 154618824960",
        ),
        (("layers", 1, "output", "width"), 1 << 20, "network.layers[1].output.width must be an"),
    ],
)
def test_says_what_is_wrong_with_a_network_file(
    tmp_path: Path, keys: tuple[str | int, ...], value: object, message: str
) -> None:
    source = json.loads((ROOT / "examples" / "handwritten" / "design.json").read_text())["network"]
    place = source
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path = tmp_path / "network.json"
    path.write_text(json.dumps(source))
    with pytest.raises(DesignFileError, match=f"^{re.escape(message)}"):
        load_network(path)


class KilledError(Exception):
    """Stands for a signal that ends the process."""


def ended_after(monkeypatch: pytest.MonkeyPatch, parts: int) -> None:
    """End an enumeration when so many of its parts are done."""
    append = Journal.append

    def then_end(journal: Journal, key: str, record: Mapping[str, Any]) -> None:
        if len(journal.records) == parts:
            raise KilledError
        append(journal, key, record)

    monkeypatch.setattr(Journal, "append", then_end)


@pytest.mark.parametrize(
    ("name", "jobs"),
    sampled([("space.csv", 1), ("space.parquet", 2)], lambda case: case[1] == 1, fields=True),
)
def test_an_enumeration_that_is_ended_goes_on_with_what_it_has(
    written: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, name: str, jobs: int,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    whole = written(name, jobs=1)
    content = whole.read_bytes()
    printed = capsys.readouterr().out
    parts = whole.with_name(f"{name}.parts")
    assert not parts.exists()
    whole.write_text("of before")
    with monkeypatch.context() as patch:
        ended_after(patch, 3)
        with pytest.raises(KilledError):
            written(name, jobs=1)
    assert whole.read_text() == "of before"
    kept = {path.name: path.stat().st_mtime_ns for path in parts.glob(f"0*{whole.suffix}")}
    assert len(kept) == 4  # the last is not in the journal, and made again
    line = r"^out must be .* or --resume or --force must be given, not .*space.*parts"
    with pytest.raises(CosilicoError, match=line):
        written(name, jobs=1)
    line = r"^out must be a folder of the same area budget to resume, not "
    with pytest.raises(CosilicoError, match=line):
        written(name, jobs=1, area_budget=1.0, resume=True)
    (parts / "mine.txt").write_text("the user's")
    made: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "append", recorded(made))
        written(name, jobs=jobs, resume=True)
    assert whole.read_bytes() == content
    assert capsys.readouterr().out == printed
    assert [path.name for path in parts.iterdir()] == ["mine.txt"]
    assert len(made) == len(part_ranges(4800)) - 3


def recorded(made: list[str]) -> Callable[..., None]:
    append = Journal.append

    def then_tell(journal: Journal, key: str, record: Mapping[str, Any]) -> None:
        made.append(key)
        append(journal, key, record)

    return then_tell


def test_parts_are_all_points_once() -> None:
    for points in (1, 479, 480, 481, 4800, 115_200, 576_000, 10**7 + 1):
        ranges = part_ranges(points)
        assert (ranges[0][0], ranges[-1][1]) == (0, points)
        assert all(a[1] == b[0] for a, b in pairwise(ranges))
        assert max(stop - start for start, stop in ranges) <= 24_000


MEMORY = """
import resource, sys
from pathlib import Path
from cosilico.enumeration import enumerate_to_file
for name in ("small", "large"):
    enumerate_to_file("autoencoder", f"{name}.toml", Path(f"{name}.parquet"), jobs=1)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
"""


def test_memory_does_not_grow_with_the_space(tmp_path: Path) -> None:
    for name, values in (("small", [2]), ("large", [1, 2, 3, 4])):
        text = f'[hardware]\nspace = "tiny"\n[hardware.values]\npes_x = [1, 2]\npes_y = {values}\n'
        (tmp_path / f"{name}.toml").write_text(f"{text}simd_units = [8]\n")
    run = subprocess.run(
        [sys.executable, "-c", MEMORY], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    small, large = (int(line) for line in run.stderr.splitlines() if line.isdigit())
    points = parquet.read_metadata(tmp_path / "large.parquet").num_rows
    assert points == 4 * parquet.read_metadata(tmp_path / "small.parquet").num_rows == 14_400
    # As a table of Python objects the further 10,800 points take over 30 MB
    assert large - small < 8 * 1024

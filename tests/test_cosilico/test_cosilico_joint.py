"""Joint enumeration: every pair is the model's, the front is that of all pairs, and a kill costs a part."""

import csv
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pyarrow import parquet

from cell_pickles import file_key, write_cell_pickle
from cosilico import predict
from cosilico.cli import main
from cosilico.enumeration_parts import MOST_POINTS
from cosilico.joint import parts
from cosilico.joint.enumeration import enumerate_jointly
from cosilico.joint.front import GrowingFront, least_rows
from cosilico.joint.networks import joint_networks
from cosilico.joint.parts import joint_parts
from search.space_settings import load_space_file
from sim.cost.area import area
from sim.networks.nas_bench_201 import nas_bench_201
from sim.networks.seeded import seeded_network
from sim.spec.spaces import HardwareSpace
from testbench.validation.journal import Journal

SPACE = """
[hardware]
space = "tiny"
name = "few"

[hardware.values]
pes_x = [1, 2]
pes_y = [2]
simd_units = [16]
compute_lanes = [2, 4]
local_memory_kb = [16, 64]
register_file_kb = [1, 16]
io_bandwidth_gbps = [0.8]
weight_store_kb = [0, 128]

[hardware.default]
simd_units = 16
register_file_kb = 16
"""

CELLS = {
    file_key(e01="none"): (10.0, 10.0, 10.0),
    file_key(e03="skip"): (70.0, 65.0, 68.0),
    file_key(e03="conv1"): (84.0, 80.0, 83.0),
    file_key(e01="conv1", e13="skip"): (86.0, 84.0, 84.0),
    file_key(e03="conv3"): (90.0, 89.0, 89.5),
    file_key(e01="pool", e13="conv3", e03="skip"): (88.0, 90.0, 87.0),
}


def drawn(count: int, figures: int, seed: int) -> NDArray[np.float64]:
    """Rows of small numbers, many of them equal."""
    return np.random.default_rng(seed).integers(0, 6, (count, figures)).astype(np.float64)


def beats(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    return bool((a <= b).all())


def naive_front(values: NDArray[np.float64]) -> list[int]:
    """Rows that no other row beats, nor an equal row before."""
    return [
        row
        for row, own in enumerate(values)
        if not any(
            beats(other, own) and (place < row or not beats(own, other))
            for place, other in enumerate(values)
            if place != row
        )
    ]


@pytest.mark.parametrize("seed", range(4))
def test_no_row_beats_a_least_row(seed: int) -> None:
    values = drawn(120, 3, seed)
    assert least_rows(values).tolist() == naive_front(values)
    assert least_rows(values[:0]).tolist() == []


@pytest.mark.parametrize("batch", [1, 7, 50, 200])
def test_a_front_that_grows_is_the_front_of_all(batch: int) -> None:
    values = drawn(200, 4, batch)
    keys = np.stack([np.arange(200) // 20, np.arange(200)], axis=1)
    front = GrowingFront(figures=4, keys=2)
    for start in range(0, 200, batch):
        front.add(values[start : start + batch], keys[start : start + batch])
    expected = naive_front(values)
    assert front.keys[:, 1].tolist() == expected
    assert np.array_equal(front.values, values[expected])


@pytest.mark.parametrize(("networks", "points"), [(7, 10), (3, 100_000), (1, 1), (20, 7_000)])
def test_parts_have_every_pair_once(networks: int, points: int) -> None:
    pairs = np.zeros((networks, points), np.int64)
    for first, last, start, stop in joint_parts(networks, points).values():
        assert 0 < (last - first) * (stop - start) <= MOST_POINTS
        pairs[first:last, start:stop] += 1
    assert (pairs == 1).all()


@pytest.fixture
def accuracies(tmp_path: Path) -> Path:
    return write_cell_pickle(tmp_path / "data.anb", CELLS)


@pytest.fixture
def space_file(tmp_path: Path) -> Path:
    path = tmp_path / "few.toml"
    path.write_text(SPACE)
    return path


def joint(accuracies: Path, space_file: Path, out: Path, *more: str) -> int:
    words = ["--space", str(space_file), "--out", str(out), "--jobs", "1", *more]
    return main(["joint", str(accuracies), *words])


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def all_pairs(out: Path) -> dict[str, list[Any]]:
    tables = [parquet.read_table(path).to_pydict() for path in sorted(out.glob("*.parquet"))]
    return {name: [value for table in tables for value in table[name]] for name in tables[0]}


def check_front(out: Path, space: HardwareSpace, accuracy: str) -> int:
    """Compare the front with that of all pairs; return how many rows it has."""
    columns = all_pairs(out)
    networks = read_csv(out / "networks.csv")
    rows = [row for row, broken in enumerate(columns["violations"]) if not broken]
    values = np.array(
        [
            [
                1 - float(networks[columns["network"][row]][accuracy]),
                columns["predicted_cycles"][row],
                columns["energy"][row],
                area(space.at(columns["accelerator"][row])).total,
            ]
            for row in rows
        ]
    )
    expected = {
        (columns["network"][rows[i]], columns["accelerator"][rows[i]]) for i in naive_front(values)
    }
    front = read_csv(out / "front.csv")
    assert {(int(row["network"]), int(row["accelerator"])) for row in front} == expected
    assert len(front) == len(expected)
    return len(front)


def test_pairs_are_the_models_and_the_front_is_theirs(
    accuracies: Path, space_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, space = tmp_path / "out", load_space_file(space_file)
    assert joint(accuracies, space_file, out) == 0
    said = capsys.readouterr().out
    summary = json.loads((out / "joint.json").read_text())
    assert (summary["networks"], summary["cells"], summary["pairs"]) == (4, 5, 4 * len(space))
    assert f"4 networks × {len(space)} accelerators = {summary['pairs']} pairs" in said
    networks = read_csv(out / "networks.csv")
    mean = {row["cell"]: float(row["quantization_aware"]) for row in networks}
    assert mean["nor_conv_1x1.1(x)"] == pytest.approx(0.835)
    columns = all_pairs(out)
    assert len(columns["network"]) == summary["pairs"]
    assert sum(not broken for broken in columns["violations"]) == summary["census"]["realizable"]
    known = joint_networks(accuracies)
    for number in (0, 3):
        topology = nas_bench_201(known[number].graph)
        network = seeded_network(known[number].name, topology.input, topology.layers, 1)
        for point in (1, len(space) - 1):
            row = number * len(space) + point
            assert (columns["network"][row], columns["accelerator"][row]) == (number, point)
            assert columns["violations"][row] == ""
            expected = predict(network, space.at(point))
            assert columns["predicted_cycles"][row] == expected.cycles
    size = check_front(out, space, "quantization_aware")
    assert summary["front"] == size
    assert 4 < size < summary["pairs"]


class KilledError(Exception):
    """Stands for a signal that ends the process."""


def test_an_enumeration_that_is_ended_goes_on(
    accuracies: Path, space_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts are smaller than a network's accelerators; another accuracy evaluates nothing."""
    monkeypatch.setattr(parts, "MOST_POINTS", 12)
    whole, out = tmp_path / "whole", tmp_path / "out"
    enumerate_jointly(str(accuracies), str(space_file), whole, jobs=2)
    append = Journal.append

    def then_end(journal: Journal, key: str, record: Mapping[str, Any]) -> None:
        if len(journal.records) == 2:
            raise KilledError
        append(journal, key, record)

    monkeypatch.setattr(Journal, "append", then_end)
    with pytest.raises(KilledError):
        enumerate_jointly(str(accuracies), str(space_file), out, jobs=1)
    monkeypatch.setattr(Journal, "append", append)
    assert joint(accuracies, space_file, out) == 2
    made: list[str] = []
    write = parts.write_joint_part

    def counted(name: str, part: parts.Part) -> dict[str, Any]:
        made.append(name)
        return write(name, part)

    monkeypatch.setattr("cosilico.joint.enumeration.write_joint_part", counted)
    assert joint(accuracies, space_file, out, "--resume") == 0
    assert len(made) == len(list(out.glob("*.parquet"))) - 2
    names = sorted(path.name for path in whole.iterdir() if path.suffix in (".parquet", ".csv"))
    assert len(names) > 6
    for name in names:
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name
    made.clear()
    assert joint(accuracies, space_file, out, "--resume", "--accuracy", "post_training") == 0
    assert made == []
    check_front(out, load_space_file(space_file), "post_training")


def test_bad_input_is_one_line(
    accuracies: Path, space_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    out = tmp_path / "out"
    monkeypatch.setattr("cosilico.extras.find_spec", lambda name: None)
    monkeypatch.setattr("cosilico.joint.enumeration.require_module", lambda *given: None)
    assert joint(Path("nas_bench_201"), space_file, out) == 2
    assert capsys.readouterr().err == (
        "cosilico: benchmark nas_bench_201 must have the extra nas-bench: "
        "pip install 'cosilico[nas-bench]', for package analog-nasbench is not installed\n"
    )
    assert joint(tmp_path / "absent.anb", space_file, out) == 2
    assert re.fullmatch(r"cosilico: .*absent\.anb.*\n", capsys.readouterr().err)
    path = write_cell_pickle(tmp_path / "none.anb", {file_key(e01="conv3"): (1.0, 1.0, 1.0)})
    assert joint(path, space_file, out) == 2
    line = f"file of accuracies {path} must have a cell that reads its input"
    assert capsys.readouterr().err == f"cosilico: {line}\n"
    assert not out.exists()
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    assert joint(accuracies, space_file, out) == 2
    assert [path.name for path in out.iterdir()] == ["mine.txt"]

"""Counts of an earlier enumeration, priced anew: the same pairs, other energies, and no figure that the model does not predict."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

import sim.cost.columns
from cosilico.cli import main
from cosilico.joint import counted, parts
from cosilico.joint.truth import read_truth
from joint_truth import write_trained_truth
from sim.cost.costs import evaluate_many
from sim.cost.energy import energies


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_trained_truth(tmp_path_factory.mktemp("truth"))


def again(folder: Path, out: Path, *more: str, inputs: Path | None = None) -> int:
    inputs = inputs or folder.parent
    words = [str(inputs / "few.json"), "--space", str(inputs / "few.toml"), "--out", str(out)]
    return main(["joint", *words, "--counts", str(folder), "--jobs", "1", *more])


def test_with_the_same_prices_every_file_is_the_same(folder: Path, tmp_path: Path) -> None:
    assert again(folder, tmp_path / "out") == 0
    names = [path.name for path in folder.glob("*.parquet")]
    assert names
    for name in [*names, "front.csv", "networks.csv", "accelerators.csv", "joint.json"]:
        assert (tmp_path / "out" / name).read_bytes() == (folder / name).read_bytes(), name


def test_other_prices_need_no_other_cycles(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predicted: list[int] = []

    def counting(configs: Any, *given: Any, **named: Any) -> Any:
        predicted.append(len(configs))
        return evaluate_many(configs, *given, **named)

    def dearer(configs: Any, *, read_bytes: Any, **named: Any) -> Any:
        return energies(configs, read_bytes=9 * read_bytes, **named)

    monkeypatch.setattr(counted, "evaluate_many", counting)
    monkeypatch.setattr(parts, "evaluate_many", None)
    monkeypatch.setattr(sim.cost.columns, "energies", dearer)
    assert again(folder, tmp_path / "out") == 0
    before, after = read_truth(folder), read_truth(tmp_path / "out")
    assert predicted == [2] * len(before.numbers)
    assert np.array_equal(before.cycles, after.cycles)
    assert np.array_equal(before.rules, after.rules)
    realizable = before.rules == 0
    assert (after.energy[realizable] > before.energy[realizable]).all()
    assert (after.energy[~realizable] == 0).all()
    assert (~realizable).any()


def edited(folder: Path, tmp_path: Path, **columns: Any) -> Path:
    """Copy of an enumeration whose parts have other columns."""
    copy = tmp_path / "edited"
    copy.mkdir()
    for path in folder.iterdir():
        if path.is_file():
            (copy / path.name).write_bytes(path.read_bytes())
    for path in copy.glob("*.parquet"):
        table = parquet.read_table(path)
        for name, change in columns.items():
            place = table.column_names.index(name)
            table = table.set_column(place, name, [change(table[name].to_pylist())])
        parquet.write_table(table, path)
    return copy


@pytest.mark.parametrize(
    "name", ["predicted_cycles", "execute_busy", "read_bytes", "store_bytes", "descriptor_bytes"]
)
def test_counts_that_the_model_does_not_predict_are_refused(
    name: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = edited(folder, tmp_path, **{name: lambda values: [value + 1 for value in values]})
    assert again(copy, tmp_path / "out", inputs=folder.parent) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    said = "cycles" if name == "predicted_cycles" else name
    assert f"must have the {said} that the model predicts" in line
    assert line.endswith("enumerate without --counts")


def test_broken_rules_are_the_models(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = edited(folder, tmp_path, violations=lambda values: ["ARITH_X"] * len(values))
    assert again(copy, tmp_path / "out", inputs=folder.parent) == 2
    assert "that the model predicts" in capsys.readouterr().err


def test_counts_are_of_the_same_pairs(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert again(folder, tmp_path / "out", "--memory", "latency=40,outstanding=2") == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.endswith("must be of the same memory")
    assert not (tmp_path / "out").exists()


def test_an_enumeration_is_not_written_over_its_own_counts(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = edited(folder, tmp_path)
    before = {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()}
    assert again(copy, copy, "--force", inputs=folder.parent) == 2
    assert len(capsys.readouterr().err.splitlines()) >= 1
    assert {path.name: path.read_bytes() for path in copy.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("name", ["store_bytes", "descriptor_bytes"])
def test_parts_without_counts_are_refused(
    name: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An enumeration that was made before descriptors were priced has no bytes of them."""
    copy = edited(folder, tmp_path)
    for path in copy.glob("*.parquet"):
        parquet.write_table(parquet.read_table(path).drop_columns([name]), path)
    assert again(copy, tmp_path / "out", inputs=folder.parent) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.endswith(
        f"must be a part with all counts of a run, but has no {name}: enumerate without --counts"
    )
    for path in copy.glob("*.parquet"):
        path.write_bytes(b"PAR1")
    assert again(copy, tmp_path / "other", inputs=folder.parent) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.endswith(".parquet must be a part of an enumeration")

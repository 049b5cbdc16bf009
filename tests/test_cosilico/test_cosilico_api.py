"""The public API: what a notebook calls without an extra."""

import json
import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import cosilico
from cosilico.api.table import Table
from idle_energy import idle_energy
from project_root import ROOT
from sim.model import predict
from sim.networks.named import named_network
from sim.spec.memory_record import memory_of
from sim.spec.spaces import TINY
from testbench.cases.tflite_models import random_model

NARROW = replace(TINY.default, io_bandwidth_gbps=12.8)
NARROW_LINE = "io_bandwidth_gbps needs a bus of 64 bytes, but at simd_units 8 it can have 32"


@pytest.fixture
def design(tmp_path: Path) -> Path:
    script = ROOT / "examples" / "handwritten" / "make_weights.py"
    runpy.run_path(str(script))["main"](tmp_path)
    return tmp_path / "design.json"


def test_every_public_name_is_loaded_when_it_is_used() -> None:
    assert [name for name in cosilico.__all__ if not hasattr(cosilico, name)] == []
    assert sorted(cosilico.__all__) == dir(cosilico)
    with pytest.raises(AttributeError, match=r"^module 'cosilico' has no attribute 'nonsense'$"):
        cosilico.nonsense  # noqa: B018  # the access is what is tested


def test_every_public_name_is_documented() -> None:
    pages = "".join(
        page.read_text() for page in (ROOT / "docs" / "reference" / "api").glob("*.rst")
    )
    missing = [name for name in cosilico.__all__ if f":: cosilico.{name}\n" not in pages]
    assert missing == ["__version__"]
    assert all(getattr(cosilico, name).__doc__ for name in cosilico.__all__)


def test_the_import_loads_no_package() -> None:
    program = (
        "import sys; before = set(sys.modules); import cosilico; "
        "loaded = {name.partition('.')[0] for name in set(sys.modules) - before}; "
        "print(sorted(loaded - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "['cosilico']\n"


def test_predicts_as_the_model_does() -> None:
    run = cosilico.predict("resnet8", "tiny")
    expected = predict(TINY.default, named_network("resnet8"))
    assert run.cycles == expected.total_cycles == 61_079
    assert run.milliseconds == pytest.approx(61_079 / 200_000)
    assert run.layers["predicted_cycles"] == [layer.cycles for layer in expected.layers]
    assert run.timeline["start"] == expected.start.tolist()
    assert run.timeline["done"] == expected.done.tolist()
    assert len(repr(run)) < 200
    assert repr(run).startswith("PredictedRun(resnet8: 61,079 cycles, 0.305 ms, ")


@pytest.mark.parametrize("images", [1, 3])
def test_layers_add_up(images: int) -> None:
    run = cosilico.predict("ds_cnn", "tiny", images=images)
    assert sum(run.layers["predicted_cycles"]) <= run.cycles
    assert sum(run.layers["execute_busy"]) == run.prediction.execute_busy
    assert sum(run.layers["read_bytes"]) == run.read_bytes > 0
    assert sum(run.layers["write_bytes"]) == run.write_bytes > 0
    rest = idle_energy(run.accelerator, run.cycles - sum(run.layers["predicted_cycles"]))
    assert sum(run.layers["energy_pj"]) + rest == pytest.approx(run.energy_pj, rel=1e-12)
    assert run.to_json()["layers"] == run.layers.rows()
    # Of every layer, but where images take turns a layer's share says nothing of when.
    busy = {layer["layer"]: layer["execute_busy"] for layer in run.layers}
    for name in busy:
        own = [row for row in run.timeline if row["layer"] == name and row["queue"] == "EXECUTE"]
        assert sum(row["done"] - row["start"] for row in own) >= busy[name] > 0


def test_a_dram_is_predicted_by_its_name() -> None:
    run = cosilico.predict("ds_cnn", "edge", memory="dram")
    assert run.prediction.memory == cosilico.load_memory("dram")
    assert run.cycles > cosilico.predict("ds_cnn", "edge").cycles
    assert memory_of(run.to_json()["memory"]) == run.prediction.memory


def test_a_result_is_json() -> None:
    run = cosilico.predict("ds_cnn", "tiny")
    costs = cosilico.predict_many("ds_cnn", ["tiny", NARROW])
    for result in (run, costs, cosilico.check("ds_cnn", NARROW)):
        document = result.to_json()
        assert json.loads(json.dumps(document)) == document
        assert document["network"] == "ds_cnn"


def test_a_broken_rule_is_a_verdict_of_check_and_an_error_of_predict() -> None:
    verdict = cosilico.check("ds_cnn", NARROW)
    assert not verdict
    assert not verdict.realizable
    assert repr(verdict) == f"CheckResult(ds_cnn: GEN_BUS, {NARROW_LINE})"
    assert verdict.table.rows() == [
        {"code": "GEN_BUS", "detail": NARROW_LINE, "excess": pytest.approx(1.0)}
    ]
    with pytest.raises(cosilico.NotRealizableError, match=f"^{NARROW_LINE}$"):
        cosilico.predict("ds_cnn", NARROW)
    assert repr(cosilico.check(accelerator="tiny")) == "CheckResult(accelerator: realizable)"
    with pytest.raises(TypeError, match=r"^check must be given a network, an accelerator or both$"):
        cosilico.check()


def test_many_accelerators_cost_what_each_costs() -> None:
    accelerators = [TINY.default, NARROW, replace(TINY.default, io_bandwidth_gbps=0.4)]
    reports: list[tuple[str, int, int]] = []
    costs = cosilico.predict_many(
        "ds_cnn", accelerators, progress=lambda *report: reports.append(report)
    )
    assert costs.accelerators == tuple(accelerators)
    assert costs.realizable == [True, False, True]
    assert costs["violations"] == ["", "GEN_BUS", ""]
    assert costs["predicted_cycles"] == [
        cosilico.predict("ds_cnn", accelerators[0]).cycles,
        0,
        cosilico.predict("ds_cnn", accelerators[2]).cycles,
    ]
    assert costs["energy"][0] == pytest.approx(cosilico.predict("ds_cnn", "tiny").energy_pj)
    assert costs.census == {"realizable": 2, "GEN_BUS": 1}
    assert costs.best() == TINY.default
    assert costs.best(area_budget_mm2=0.001) is None
    assert costs.front()["predicted_cycles"][0] == costs["predicted_cycles"][0]
    assert repr(costs) == "AcceleratorCosts(ds_cnn on 3 accelerators, 2 realizable)"
    assert reports[-1] == ("accelerators", 3, 3)
    with pytest.raises(
        ValueError, match=r"^objective must be one of latency, edp, energy, area, not 'power'$"
    ):
        costs.best(objective="power")  # type: ignore[arg-type]  # what is refused
    with pytest.raises(
        ValueError, match=r"^accelerators must be a sequence that is not empty, not \[\]$"
    ):
        cosilico.predict_many("ds_cnn", [])


def test_a_space_is_enumerated_in_its_order() -> None:
    small = replace(TINY, values={**TINY.values, "pes_x": (2,), "pes_y": (2,), "simd_units": (8,)})
    costs = cosilico.enumerate("ds_cnn", small)
    assert list(costs.accelerators) == list(small)
    assert len(costs) == len(costs.rows()) == len(small)


def test_a_network_comes_from_wherever_it_is(design: Path, tmp_path: Path) -> None:
    loaded = cosilico.load_design(design)
    assert cosilico.predict(design).cycles == cosilico.predict(loaded).cycles
    assert (
        cosilico.predict(loaded.network, loaded.accelerator).cycles
        == cosilico.predict(design).cycles
    )
    assert cosilico.load_accelerator(design) == loaded.accelerator
    cosilico.save_design(loaded, tmp_path / "again.json")
    assert cosilico.load_design(tmp_path / "again.json").accelerator == loaded.accelerator
    with pytest.raises(
        cosilico.CosilicoError, match=r"^network 'resnet8' must be given an accelerator$"
    ):
        cosilico.predict("resnet8")
    with pytest.raises(
        cosilico.CosilicoError, match=rf"^network '{loaded.network.name}' must be given an acc"
    ):
        cosilico.predict(loaded.network)
    with pytest.raises(cosilico.CosilicoError, match=r"^network must be one of .*not 'resnet9'"):
        cosilico.load_network("resnet9")
    with pytest.raises(
        cosilico.CosilicoError,
        match=r"^space must be one of tiny, edge, nahas, or a TOML file, not 'x'$",
    ):
        cosilico.load_space("x")


def test_a_model_file_is_imported(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(random_model(5).content)
    imported = cosilico.import_network(path)
    assert imported.source["file"] == "model.tflite"
    assert cosilico.load_network(imported) is imported.network
    assert cosilico.predict(path, "tiny").cycles == cosilico.predict(imported, "tiny").cycles
    with pytest.raises(
        cosilico.CosilicoError,
        match=r"^model file must end in \.tflite, \.onnx, \.pt2, not 'x\.h5'$",
    ):
        cosilico.import_network("x.h5")


def test_a_table_is_columns_rows_or_a_frame() -> None:
    table = Table.of_rows("fruits", ("name", "weight_g"), [("apple", 150), ("plum", 60)])
    assert table.columns() == {"name": ["apple", "plum"], "weight_g": [150, 60]}
    assert table.rows() == list(table) == table.to_json()
    assert table.rows()[1] == {"name": "plum", "weight_g": 60}
    assert table["weight_g"] == [150, 60]
    assert len(table) == 2
    assert repr(table) == "Table(2 fruits: name, weight_g)"
    pd.testing.assert_frame_equal(table.to_frame(), pd.DataFrame(table.rows()))
    with pytest.raises(KeyError, match="column must be one of name, weight_g, not 'colour'"):
        table["colour"]
    with pytest.raises(
        ValueError, match=r"^columns of x must be equally long, not {'a': 1, 'b': 0}$"
    ):
        Table("x", {"a": [1], "b": []})


def test_a_frame_without_pandas_is_refused_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(
        cosilico.CosilicoError,
        match=r"^to_frame must have package pandas, which is not installed: pip install pandas$",
    ):
        Table("rows", {"a": [1]}).to_frame()

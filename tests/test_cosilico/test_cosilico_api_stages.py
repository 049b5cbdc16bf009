"""The public API's calls that need an extra: generate, simulate, search."""

import json
import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cosilico
from project_root import ROOT
from sim import golden
from sim.spec.spaces import TINY
from small_experiment import SMALL_EXPERIMENT
from testbench.cases.tflite_models import random_model
from testbench.standalone.file_names import COCOTB_FILES

FILLED = "out must be a folder that is absent or empty, or "


@pytest.fixture
def design(tmp_path: Path) -> Path:
    script = ROOT / "examples" / "handwritten" / "make_weights.py"
    runpy.run_path(str(script))["main"](tmp_path)
    return tmp_path / "design.json"


@pytest.mark.rtl
def test_generates_what_the_command_generates(design: Path, tmp_path: Path) -> None:
    from cosilico.cli import main

    files = cosilico.generate(design, out=tmp_path / "api")
    assert main(["generate", str(design), "--out", str(tmp_path / "command")]) == 0
    assert files.program_manifest is not None
    for path in files.files:
        assert path.read_bytes() == (tmp_path / "command" / path.name).read_bytes()
    document = files.to_json()
    assert document["program"] == json.loads(files.program_manifest.read_text())
    assert repr(files).startswith(f"GeneratedFiles({tmp_path / 'api'}: ")
    line = f"not {str(tmp_path / 'api')!r}, which holds what cosilico generate made"
    with pytest.raises(
        cosilico.CosilicoError, match=f"^{FILLED}--force must be given, {re.escape(line)}$"
    ):
        cosilico.generate(design, out=tmp_path / "api")
    assert cosilico.generate(design, out=tmp_path / "api", force=True) == files


@pytest.mark.rtl
@pytest.mark.long
def test_generates_an_accelerator_alone(tmp_path: Path) -> None:
    from cosilico.cli import main

    out = tmp_path / "verilog"
    files = cosilico.generate(accelerator="tiny", out=out, prefix="acme_", memories="macro")
    assert (files.program, files.program_manifest, files.testbench) == (None, None, ())
    top = f"acme_top_{TINY.default.fingerprint:08x}"
    assert files.to_json()["manifest"]["top"] == top
    assert files.to_json()["program"] is None
    assert files.file_list.read_text().split() == [path.name for path in files.verilog]
    assert files.verilog[-1].name == f"{top}.v"
    assert f"{len(files.verilog)} files)" in repr(files)
    words = ["--prefix", "acme_", "--memories", "macro", "--out", str(tmp_path / "command")]
    assert main(["generate", "--accelerator", "tiny", *words]) == 0
    for path in files.files:
        assert path.read_bytes() == (tmp_path / "command" / path.name).read_bytes()
    single = cosilico.generate(accelerator="tiny", out=out, single_file=True, force=True)
    assert [path.name for path in single.verilog] == ["cosilico.v"]
    assert not files.verilog[0].exists()


@pytest.mark.rtl
def test_generates_a_named_network(tmp_path: Path) -> None:
    files = cosilico.generate("ds_cnn", "tiny", out=tmp_path / "verilog", trace=True)
    assert files.program is not None
    document = files.to_json()
    assert document["program"]["fingerprint"] == TINY.default.fingerprint
    assert document["manifest"]["ports"][-1]["name"] == "trace_busy"


@pytest.mark.parametrize(
    ("error", "line", "arguments"),
    [
        (TypeError, "generate must be given a network, an accelerator or both", {}),
        (
            ValueError,
            "testbench must be 'none' without a network, not 'verilog'",
            {"accelerator": "tiny", "testbench": "verilog"},
        ),
        (
            ValueError,
            "trace must be True with testbench 'cocotb', not False",
            {"network": "resnet8", "testbench": "cocotb", "trace": False},
        ),
        (
            ValueError,
            "prefix must be a letter and then letters, digits or _, not '_a'",
            {"accelerator": "tiny", "prefix": "_a"},
        ),
        (
            ValueError,
            "memories must be fpga or flip_flop or macro, not 'asic'",
            {"accelerator": "tiny", "memories": "asic"},
        ),
    ],
)
def test_wrong_arguments_of_a_generation_are_named(
    error: type[Exception], line: str, arguments: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(error, match=f"^{re.escape(line)}$"):
        cosilico.generate(out=tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


@pytest.mark.rtl
@pytest.mark.long
def test_a_testbench_comes_and_goes(design: Path, tmp_path: Path) -> None:
    out = tmp_path / "verilog"

    def kept() -> set[str]:
        files = (path.relative_to(out) for path in out.rglob("*") if path.is_file())
        return {path.as_posix() for path in files if path.parts[0] != ".cosilico"}

    with_bench = cosilico.generate(design, out=out, testbench="cocotb")
    assert kept() == {path.relative_to(out).as_posix() for path in with_bench.files}
    assert kept() > set(COCOTB_FILES)
    (out / "test_mine.py").write_text("")
    without = cosilico.generate(design, out=out, force=True)
    assert without.testbench == ()
    assert kept() == {*(path.name for path in without.files), "test_mine.py"}


@pytest.mark.parametrize("force", [False, True])
def test_an_accelerators_file_is_not_generated_over(design: Path, force: bool) -> None:
    before = design.read_bytes()
    line = f"out must be a folder without the input {str(design)!r}, not {str(design.parent)!r}"
    for network, accelerator in (("resnet8", design), (design, "tiny"), (design, None)):
        with pytest.raises(cosilico.CosilicoError, match=f"^{re.escape(line)}$"):
            cosilico.generate(network, accelerator, out=design.parent, force=force)
    assert design.read_bytes() == before


@pytest.mark.rtl
def test_simulates_given_images(design: Path) -> None:
    loaded = cosilico.load_design(design)
    x = np.random.default_rng(3).integers(-128, 128, (2, *loaded.network.input.shape), np.int8)
    y = np.array([0, 1])
    run = cosilico.simulate(loaded, inputs=x, labels=y)
    assert run.passed
    assert run
    assert run.cycles == cosilico.predict(loaded).cycles
    expected = golden.run(loaded.network, x)[loaded.network.output.name]
    assert np.array_equal(run.outputs, expected)
    assert run.layers["measured_cycles"] == run.layers["predicted_cycles"]
    assert run.layers["layer"] == [layer.name for layer in loaded.network.layers]
    document = run.to_json()
    assert json.loads(json.dumps(document)) == document
    assert document["passed"] is True
    assert document["accuracy"] == run.result.golden_accuracy
    assert len(repr(run)) < 250


def test_wrong_images_are_refused_before_anything_is_built(design: Path) -> None:
    loaded = cosilico.load_design(design)
    shape = ", ".join(map(str, loaded.network.input.shape))
    with pytest.raises(
        cosilico.CosilicoError,
        match=rf"^inputs must be int8 of shape \(n, {shape}\), not float64 of shape \(1, 2\)$",
    ):
        cosilico.simulate(loaded, inputs=np.zeros((1, 2)))
    x = np.zeros((2, *loaded.network.input.shape), np.int8)
    with pytest.raises(
        cosilico.CosilicoError,
        match=r"^labels must be integers of shape \(2,\), not int64 of shape \(3,\)$",
    ):
        cosilico.simulate(loaded, inputs=x, labels=np.arange(3))
    with pytest.raises(
        cosilico.CosilicoError,
        match=r"^labels must be integers of shape \(2,\), not float64 of shape \(2,\)$",
    ):
        cosilico.simulate(loaded, inputs=x, labels=np.array([0.5, 1.0]))
    with pytest.raises(
        ValueError, match=r"^labels must be None without inputs, not array\(\[0, 1\]\)$"
    ):
        cosilico.simulate(loaded, labels=np.arange(2))
    with pytest.raises(
        cosilico.CosilicoError, match=r"^stall_seed must be None with memory lpddr4-3200, not 1$"
    ):
        cosilico.simulate(loaded, memory="dram", stall_seed=1)


def test_inputs_of_an_imported_network_are_prepared_by_its_host(tmp_path: Path) -> None:
    from cosilico.api.simulation import given_images

    path = tmp_path / "m.tflite"
    path.write_bytes(random_model(5).content)
    imported = cosilico.import_network(path)
    port = imported.host.input
    x = np.zeros((2, *port.shape), port.dtype)
    images = given_images(imported, imported.network, x, None)
    assert np.array_equal(images.x, imported.host.prepare(x))


def test_a_model_file_runs_through_its_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cosilico import simulation

    path = tmp_path / "m.tflite"
    path.write_bytes(random_model(5).content)
    imported = cosilico.import_network(path)
    port = imported.host.input
    given = np.random.default_rng(4).integers(-100, 100, (2, *port.shape)).astype(port.dtype)
    beside = given[:1]
    seen: list[np.ndarray] = []

    def run(design: cosilico.Design, images: Any, *rest: Any, **options: Any) -> None:
        seen.append(images.x)

    monkeypatch.setattr(simulation, "simulate_design", run)
    cosilico.simulate(path, "tiny", inputs=given)
    cosilico.simulate(path, "tiny", images=3)
    np.savez(tmp_path / "test.npz", x=beside)
    cosilico.simulate(str(path), "tiny")
    assert np.array_equal(seen[0], imported.host.prepare(given))
    assert seen[1].shape == (3, *imported.network.input.shape)
    assert np.array_equal(seen[2], imported.host.prepare(beside))


@pytest.mark.slow
@pytest.mark.long
def test_searches_an_accelerator(design: Path, tmp_path: Path) -> None:
    """Long: named strategies search accelerators in a test that always runs."""
    network = cosilico.load_network(design)
    result = cosilico.search_accelerator(network, "tiny", tmp_path / "out", seed=3)
    assert result.cycles == cosilico.predict(result.design).cycles
    assert result.default_cycles == cosilico.predict(network, TINY.default).cycles
    assert result.cycles <= result.default_cycles
    assert len(result.evaluations) == result.figures["evaluations"]
    assert result.evaluations["pes_x"][0] in (1, 2, 3, 4)
    assert result.to_json()["accelerator"] == result.design.accelerator.to_json()
    line = f"not {str(tmp_path / 'out')!r}, which holds what cosilico search_accelerator made"
    with pytest.raises(
        cosilico.CosilicoError,
        match=f"^{FILLED}--resume or --force must be given, {re.escape(line)}$",
    ):
        cosilico.search_accelerator(network, "tiny", tmp_path / "out", seed=3)


@pytest.mark.slow
def test_searches_network_and_accelerator(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SMALL_EXPERIMENT)
    result = cosilico.search(tmp_path / "small.toml", tmp_path / "out", seed=1)
    assert result.cycles == cosilico.predict(result.design).cycles
    assert cosilico.load_design(tmp_path / "out" / "design.json").accelerator == (
        result.design.accelerator
    )
    assert repr(result).startswith(f"SearchedDesign({result.design.network.name}: ")

"""The flow: what it writes, and that an interrupted run goes on to the same results."""

import dataclasses
import functools
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from cosilico import flow
from cosilico.cli import main
from cosilico.folder import HIDDEN
from cosilico.images import ImageSet
from cosilico.progress import Report
from cosilico.run_folder import GENERATED_FILES, RUN_FILES
from cosilico.search_stage import search_to_folder
from cosilico.summary import print_summary
from project_root import ROOT
from search import driver
from sim import golden
from sim.cost import area
from sim.cost.columns import COST_COLUMNS
from sim.importers.folder import save as save_imported
from sim.model import predict
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import Design, load, save
from sim.spec.errors import CosilicoError
from sim.spec.memories import FixedLatency
from sim.spec.network import Layer, LayerKind, Network, Padding, TensorSpec
from sim.spec.spaces import TINY
from sim.spec.views import View
from sim.timing import calibration
from sim.timing.calibration import Calibration
from small_experiment import SMALL_EXPERIMENT
from testbench.calibration import microbenchmarks
from testbench.cases.tflite_models import draw_imported, import_random, random_model
from testbench.rtl import harness

EXPERIMENT = f"""{SMALL_EXPERIMENT}
[hardware]
name = "tiny"
[hardware.values]
pes_x = [2]
pes_y = [1, 2]
compute_lanes = [2]
"""
RTL_FIELDS = {
    "simulator", "simulator_version", "images", "accuracy", "golden_accuracy",
    "mismatched_activations", "predicted_cycles", "measured_cycles", "cycles_per_s", "layers",
}  # fmt: skip
FIGURES = {"accelerator", "predicted_cycles", "area", "energy"}


def network() -> Network:
    def tensor(name: str, size: int, channels: int) -> TensorSpec:
        return TensorSpec(
            name=name, height=size, width=size, channels=channels, scale=0.1, zero_point=0
        )

    def factors(channels: int) -> dict[str, Any]:
        return {
            "bias": np.zeros(channels, np.int32),
            "multiplier": np.full(channels, 1 << 30, np.int32),
            "shift": np.full(channels, -8, np.int32),
        }

    stem = Layer(
        name="stem",
        kind=LayerKind.CONV,
        inputs=("input",),
        output=tensor("stem", 8, 8),
        kernel=(3, 3),
        padding=Padding(top=1, bottom=1, left=1, right=1),
        weights=np.ones((8, 3, 3, 1), np.int8),
        **factors(8),
    )
    pool = Layer(
        name="pool",
        kind=LayerKind.GLOBAL_AVERAGE_POOL,
        inputs=("stem",),
        output=tensor("pool", 1, 8),
    )
    scores = Layer(
        name="scores",
        kind=LayerKind.FULLY_CONNECTED,
        inputs=("pool",),
        output=tensor("scores", 1, 10),
        weights=np.ones((10, 1, 1, 8), np.int8),
        **factors(10),
    )
    return Network(name="small", input=tensor("input", 8, 1), layers=(stem, pool, scores))


class Stages:
    """Stand-ins for the expensive stages; counts their runs and fails where told to."""

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()
        self.failing = ""
        self.batches: dict[str, list[int]] = {"generate": [], "simulate": []}

    def enter(self, stage: str) -> None:
        """Count a run of a stage; fail in the middle of it if it is the failing stage."""
        self.runs[stage] += 1
        if stage == self.failing:
            raise KeyboardInterrupt

    def search(self, experiment: object, out: Path, **options: object) -> Any:
        """Write a design and return figures as a search does."""
        accelerator = AcceleratorConfig.from_json(
            TINY.default.to_json() | {"io_bandwidth_gbps": 1.6}
        )
        save(Design(network=network(), accelerator=accelerator), out / "design.json")
        self.enter("search")
        figures = {
            "default": {"predicted_cycles": 2},
            "best": {"predicted_cycles": 1, "float_accuracy": 1.0, "int8_accuracy": 1.0},
            "strategy": "rhnas", "seed": 3, "evaluations": 1, "wall_s": 0.1,
            "area_budget": area.area(TINY.default).total,
            "violations": {"sampled": 1, "non_realizable": 0},
        }  # fmt: skip
        (out / "search.json").write_text(json.dumps(figures))
        row = {"index": 0, "cycles": 9, "area": 0.5, "violations": []}
        (out / "evaluations.jsonl").write_text(json.dumps(row) + "\n")

        class Result:
            def to_json(self) -> dict[str, Any]:
                return figures

        return Result()

    def simulate(
        self,
        design: Design,
        images: ImageSet,
        constants: Calibration,
        report: Report,
        *,
        memory: FixedLatency,
        view: View,
        batch: int,
    ) -> Any:
        """Return figures of a simulation, predicted instead of measured."""
        self.enter("simulate")
        self.batches["simulate"].append(batch)
        prediction = predict(design.accelerator, design.network, constants, batch, memory=memory)
        layers = [
            {"name": layer.name, "kind": str(layer.kind), "macs": layer.macs,
             "predicted_cycles": layer.cycles, "measured_cycles": layer.cycles,
             "utilization": layer.utilization}
            for layer in prediction.layers
        ]  # fmt: skip
        measured = {
            "simulator": "verilator", "simulator_version": "5", "images": len(images.x), "view": view,
            **dict.fromkeys(("accuracy", "golden_accuracy"), None if images.y is None else 1.0),
            "mismatched_activations": 0,
            "predicted_cycles": prediction.total_cycles,
            "measured_cycles": prediction.total_cycles, "cycles_per_s": 1.0, "layers": layers,
        }  # fmt: skip

        class Result:
            cycles = np.array([prediction.total_cycles])
            start, end = prediction.start[None], prediction.done[None]
            issue_end = prediction.issued[None]

            def __init__(self) -> None:
                self.batch, self.memory = batch, memory

            def to_json(self) -> dict[str, Any]:
                return measured

        return Result()

    def calibrate(self) -> microbenchmarks.CalibrationReport:
        """Return the shipped constants as a calibration does."""
        self.enter("calibrate")
        return microbenchmarks.CalibrationReport(
            calibration=calibration.default(), microbenchmarks=1, held_out=2
        )

    def generate(self, design: Design, batch: int, *, single_file: bool) -> "Written":
        """Generate nothing."""
        self.enter("generate")
        self.batches["generate"].append(batch)
        assert single_file
        return Written()


class Written:
    """Stand-in for generated files."""

    def write(self, out: Path) -> list[Path]:
        """Write the files that generation writes."""
        out.mkdir(parents=True, exist_ok=True)
        for name in GENERATED_FILES:
            (out / name).write_text("1")
        return [out / name for name in GENERATED_FILES]


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> Stages:
    fakes = Stages()
    monkeypatch.setattr(driver, "run_search", fakes.search)
    values = dict(TINY.values) | {"pes_x": (2,), "pes_y": (1, 2), "compute_lanes": (2,)}
    space = dataclasses.replace(TINY, values=MappingProxyType(values))
    monkeypatch.setattr(flow, "named_space", lambda name: space)
    monkeypatch.setattr(flow, "simulate_design", fakes.simulate)
    monkeypatch.setattr(flow, "generate_design", fakes.generate)
    monkeypatch.setattr(flow, "current_calibration", calibration.default)
    monkeypatch.setattr(microbenchmarks, "calibrate", fakes.calibrate)
    monkeypatch.setattr(harness, "build", lambda config, view: fakes.enter("build"))
    return fakes


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    path = tmp_path / "experiment.toml"
    path.write_text(EXPERIMENT)
    return path


def test_writes_the_documented_results(stages: Stages, experiment: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    results = flow.run_flow(experiment, out, resume=False, seed=3)
    assert json.loads((out / "results.json").read_text()) == results
    assert results["schema"] == 1
    assert {"strategy", "seed", "evaluations", "wall_s", "default", "best"} <= set(
        results["search"]
    )
    titles = {column.title for column in COST_COLUMNS.values()}
    assert set(results["search"]["optimum"]) == {"accelerator", *titles}
    pinned, widened = (results["search"][name] for name in ("pinned_optimum", "widened_default"))
    assert set(pinned) == set(widened) == {"accelerator", *titles}
    assert pinned["accelerator"]["io_bandwidth_gbps"] == TINY.default.io_bandwidth_gbps
    assert widened["accelerator"] == TINY.default.to_json() | {"io_bandwidth_gbps": 1.6}
    assert pinned["predicted_cycles"] >= results["search"]["optimum"]["predicted_cycles"]
    assert (out / "report.html").read_text().count("as the emitted netlist itself") == 1
    for side in ("rtl", "rtl_default"):
        assert set(results[side]) >= RTL_FIELDS | FIGURES
        assert results[side]["view"] == "synthesis"
    assert results["rtl_default"]["accelerator"] == TINY.default.to_json()
    assert results["rtl"]["accelerator"]["io_bandwidth_gbps"] == 1.6
    assert results["violations"] == {"sampled": 1, "non_realizable": 0}
    assert results["calibration"]["constants"] == calibration.default().constants
    assert results["calibration"]["remeasured"]["equal"] is True
    documented = (ROOT / "docs" / "reference" / "results.md").read_text()
    names = {*results, *results["search"], *results["rtl"], *results["calibration"]}
    assert {name for name in names if f"`{name}`" not in documented} == set()
    assert (out / "report.html").exists()
    assert load(out / "default" / "design.json").accelerator == TINY.default


def test_a_batch_is_that_of_every_stage(stages: Stages, experiment: Path, tmp_path: Path) -> None:
    experiment.write_text(EXPERIMENT + "[workload]\nbatch = 4\n")
    results = flow.run_flow(experiment, tmp_path / "out", seed=3)
    default = predict(TINY.default, network(), images=4)
    assert stages.batches == {"generate": [4, 4], "simulate": [4, 4]}
    for side in (results["rtl_default"], results["search"]["widened_default"]):
        config = AcceleratorConfig.from_json(side["accelerator"])
        assert side["predicted_cycles"] == predict(config, network(), images=4).total_cycles
    assert results["rtl_default"]["read_bytes"] == default.read_bytes
    assert default.read_bytes < 4 * predict(TINY.default, network()).read_bytes


@pytest.mark.slow
def test_searches_the_accelerator_of_an_imported_network(
    stages: Stages,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = dict(TINY.values) | {"pes_x": (1, 2), "pes_y": (1, 2), "simd_units": (4, 8)}
    space = dataclasses.replace(TINY, values=MappingProxyType(values))
    monkeypatch.setattr(flow, "named_space", lambda name: space)
    imported, _ = draw_imported(5)
    save_imported(imported, tmp_path / "net")
    out = tmp_path / "out"
    results = flow.run_network_flow(str(tmp_path / "net"), "tiny", out, resume=False, seed=1)
    assert results["name"] == imported.network.name
    assert results["search"]["strategy"] == "certified"
    assert results["search"]["proof"]["complete"]
    assert results["search"]["architecture"] is None
    assert results["search"]["best"]["int8_accuracy"] is None
    assert results["rtl"]["accuracy"] is None
    assert "right, in RTL" not in (out / "report.html").read_text()
    print_summary(results, out)
    assert "accuracy" not in capsys.readouterr().out
    design = load(out / "design.json")
    assert design.accelerator.to_json() == results["rtl"]["accelerator"]
    assert (
        results["search"]["best"]["predicted_cycles"]
        == (results["search"]["optimum"]["predicted_cycles"])
    )
    again = flow.run_network_flow(str(tmp_path / "net"), "tiny", out, resume=True, seed=1)
    assert again == results
    other = draw_imported(7)[0]
    save_imported(other, tmp_path / "net")
    line = f"out must be a folder of the same network and images to resume, not {str(out)!r}"
    with pytest.raises(CosilicoError, match=f"^{re.escape(line)}$"):
        flow.run_network_flow(str(tmp_path / "net"), "tiny", out, resume=True, seed=1)


def test_resume_repeats_nothing_that_is_finished(
    stages: Stages, experiment: Path, tmp_path: Path
) -> None:
    first = flow.run_flow(experiment, tmp_path / "out", resume=False, seed=3)
    runs = stages.runs.copy()
    assert flow.run_flow(experiment, tmp_path / "out", resume=True, seed=3) == first
    assert stages.runs - runs == Counter({"build": 1})


REPEATED = {
    "design.json": {"search"},
    "test.npz": {"search"},
    "evaluations.jsonl": {"search"},
    "calibration.json": {"calibrate"},
    "verilog/cosilico.v": {"generate"},
    "default/weights.npz": {"generate"},
    "default/verilog/program.bin": {"generate"},
    "stages/simulate_rtl.json": {"simulate"},
    "default/timeline.json": {"simulate"},
    "enumeration.npz": set(),
    "results.json": set(),
    "report.html": set(),
}
"""Files of a run, and the stages that a stand-in counts and that make them again."""


def test_resume_makes_again_what_is_missing_or_changed(
    stages: Stages, experiment: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = flow.run_flow(experiment, out, seed=3)
    for name, repeated in REPEATED.items():
        path = out / name
        content = path.read_bytes()
        for damaged in (None, content.replace(b"1", b"2") + b" "):
            runs = stages.runs.copy()
            if damaged is None:
                path.unlink()
            else:
                path.write_bytes(damaged)
            assert flow.run_flow(experiment, out, resume=True, seed=3) == first
            assert path.read_bytes() == content
            assert stages.runs - runs == Counter({"build": 1} | dict.fromkeys(repeated, 1)), name


def test_a_run_lists_all_its_files(stages: Stages, experiment: Path, tmp_path: Path) -> None:
    flow.run_flow(experiment, tmp_path / "out", seed=3)
    files = {
        path.relative_to(tmp_path / "out").as_posix()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file() and HIDDEN not in path.parts
    }
    # What the search keeps for itself is not written by its stand-in; there are no other networks.
    assert files == set(RUN_FILES) - {"checkpoint.pt", "agent.npz", "stages/workload.json"}


def test_a_folder_of_a_user_is_refused_before_anything_runs(
    stages: Stages, experiment: Path, tmp_path: Path
) -> None:
    out = tmp_path / "hw"
    save(Design(network=network(), accelerator=TINY.default), out / "design.json")
    before = {path: path.read_bytes() for path in out.iterdir()}
    every: list[dict[str, Any]] = [{}, {"resume": True}, {"force": True}]
    for options in every:
        with pytest.raises(CosilicoError, match=r"^out must "):
            flow.run_flow(experiment, out, seed=3, **options)
        with pytest.raises(CosilicoError, match=r"^out must be a folder without the input"):
            flow.run_network_flow(str(out / "design.json"), "tiny", out, seed=3, **options)
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    assert not stages.runs


def test_a_forced_run_starts_over(stages: Stages, experiment: Path, tmp_path: Path) -> None:
    flow.run_flow(experiment, tmp_path / "out", resume=False, seed=3)
    flow.run_flow(experiment, tmp_path / "out", force=True, seed=3)
    assert stages.runs["search"] == 2
    assert stages.runs["simulate"] == 4


@pytest.mark.parametrize("stage", ["search", "generate", "simulate", "calibrate"])
def test_an_interrupted_stage_is_repeated(
    stages: Stages, experiment: Path, tmp_path: Path, stage: str
) -> None:
    out = tmp_path / "out"
    stages.failing = stage
    with pytest.raises(KeyboardInterrupt):
        flow.run_flow(experiment, out, resume=False, seed=3)
    assert not (out / "results.json").exists()
    stages.failing = ""
    resumed = flow.run_flow(experiment, out, resume=True, seed=3)
    fresh = flow.run_flow(experiment, tmp_path / "fresh", resume=False, seed=3)
    assert resumed == fresh


def test_a_forced_run_removes_what_another_left(
    stages: Stages, experiment: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    flow.run_flow(experiment, out, resume=False, seed=3)
    stages.failing = "search"
    (out / "notes.txt").write_text("mine")
    with pytest.raises(KeyboardInterrupt):
        flow.run_flow(experiment, out, force=True, seed=4)
    assert (out / "notes.txt").read_text() == "mine"
    for name in ("results.json", "report.html", "test.npz"):
        assert not (out / name).exists()


def test_an_unknown_field_of_the_experiment_is_one_line(
    stages: Stages, experiment: Path, tmp_path: Path
) -> None:
    experiment.write_text("colour = 3\n" + EXPERIMENT)
    with pytest.raises(CosilicoError, match=r"colour"):
        flow.run_flow(experiment, tmp_path / "out", resume=False, seed=3)
    assert not (tmp_path / "out").exists()


@pytest.mark.long
def test_a_search_killed_again_and_again_finds_the_same_design(
    experiment: Path, tmp_path: Path, kill_and_resume: Callable[..., None]
) -> None:
    """Long: tests/test_search/test_search_driver.py kills the same search, each time where it has got further."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    search_to_folder(experiment, whole, resume=False, seed=5)
    search = functools.partial(search_to_folder, experiment, killed, resume=True, seed=5)
    # Before the first checkpoint, right after a checkpoint, and some time after it.
    kill_and_resume(search, killed / "checkpoint.pt", [(False, 0.5), (True, 0.0), (True, 0.4)])
    for name in ("design.json", "weights.npz", "test.npz"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.rtl
@pytest.mark.slow
def test_everything_runs_for_an_imported_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All stages but the calibration, which has a test of its own, as from the command line."""
    values = dict(TINY.values) | {"pes_x": (1, 2), "pes_y": (1, 2), "simd_units": (4, 8)}
    values["compute_lanes"] = (1, 2)
    space = dataclasses.replace(TINY, values=MappingProxyType(values))
    monkeypatch.setattr(flow, "named_space", lambda name: space)
    monkeypatch.setattr(microbenchmarks, "calibrate", Stages().calibrate)
    model, net, out = random_model(5), tmp_path / "net", tmp_path / "out"
    imported = import_random(model, 5)
    save_imported(imported, net)
    np.savez(net / "test.npz", x=model.inputs)
    assert main(["run", "--network", str(net), "--space", "tiny", "--out", str(out)]) == 0
    results = json.loads((out / "results.json").read_text())
    for side, folder in (("rtl", out), ("rtl_default", out / "default")):
        run = results[side]
        assert run["simulator"] == "verilator"
        assert run["images"] == len(model.inputs)
        assert run["mismatched_activations"] == 0
        assert run["measured_cycles"] == run["predicted_cycles"]
        assert load(folder / "design.json").accelerator.to_json() == run["accelerator"]
        manifest = json.loads((folder / "verilog" / "manifest.json").read_text())
        program = json.loads((folder / "verilog" / "program.json").read_text())
        assert program["fingerprint"] == manifest["fingerprint"]
        assert f"module {manifest['top']} (" in (folder / "verilog" / "cosilico.v").read_text()
        assert (folder / "verilog" / "program.bin").stat().st_size == program["memory_bytes"]
        with np.load(folder / "test.npz") as file:
            assert np.array_equal(file["x"], imported.host.prepare(model.inputs))
    assert results["rtl"]["measured_cycles"] < results["rtl_default"]["measured_cycles"]
    best = results["search"]["best"]["predicted_cycles"]
    assert best == results["rtl"]["predicted_cycles"]
    assert best == results["search"]["optimum"]["predicted_cycles"]
    assert results["search"]["space_points"] == len(space)
    searched = load(out / "design.json").network
    expected = golden.run(imported.network, imported.host.prepare(model.inputs))
    again = golden.run(searched, imported.host.prepare(model.inputs))
    assert np.array_equal(again[searched.output.name], expected[imported.network.output.name])
    page = (out / "report.html").read_text()
    assert imported.network.name in page

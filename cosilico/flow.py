"""The stages of a run, each resumable: search to report."""

import json
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from cosilico import __version__
from cosilico.accelerators import named_space
from cosilico.cache import StageCache, digest, document_digest, source_digest
from cosilico.cluster import require_cluster
from cosilico.enumeration import census, enumerate_network
from cosilico.gateware import current_calibration
from cosilico.generation import generate_design
from cosilico.hardware_strategies import strategy_options
from cosilico.images import load_images, save_arrays
from cosilico.photographs import default_images
from cosilico.pinning import bandwidth_shares
from cosilico.profile import profile_of
from cosilico.progress import Report, progress_bar, within
from cosilico.provenance import write_provenance
from cosilico.report.page import write_report
from cosilico.results import SCHEMA, figures
from cosilico.run_folder import (
    DEFAULT,
    DESIGN_FILES,
    GENERATED_FILES,
    PROVENANCE_FILE,
    RESULTS_FILE,
    SIDES,
    STAGES,
    TIMELINE_FILE,
    VERILOG,
    open_run,
)
from cosilico.search_stage import search_stage
from cosilico.simulation import simulate_design
from cosilico.subjects import ExperimentSubject, NetworkSubject, Subject
from cosilico.timeline import write_timeline
from cosilico.trace_files import measured_run
from search.strategies.budget_settings import BudgetSettings
from search.strategies.settings import StrategySettings
from sim.cost.columns import titled
from sim.cost.workload import combined
from sim.model import predict_mapped
from sim.realizability import map_realizable
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import Design
from sim.spec.design import load as load_design
from sim.spec.design import save as save_design
from sim.spec.files import write_atomic
from sim.spec.memories import DETERMINISTIC, FixedLatency
from sim.spec.network import Network
from sim.spec.views import View
from sim.timing.calibration import Calibration, save

__all__ = ["run_flow", "run_network_flow"]

_NETLIST_MACS = 1024
"""Size up to which a run simulates the emitted netlist, which then builds in half a minute."""


def run_flow(
    experiment_path: Path,
    out: Path,
    *,
    resume: bool = False,
    force: bool = False,
    seed: int,
    scheduler: str | None = None,
) -> dict[str, Any]:
    """Run all stages and return the content of ``results.json``.

    With a ``scheduler``, the workers of that Dask cluster evaluate the final network on the whole space.

    A run that was killed at any instant and resumed ends with the same design as a run that was not.

    Raises
    ------
    CosilicoError
        If the experiment is wrong, the calibration is stale, or ``out`` is not a folder for it
        (see :func:`cosilico.folder.open_folder`), or no cluster answers.
    """
    subject = ExperimentSubject(experiment_path, seed)
    if scheduler is not None:
        require_cluster(scheduler)
    calibration = current_calibration()
    command = f"cosilico run {experiment_path.name} --out {out.name} --seed {seed}"
    with open_run(out, subject.identity(), subject.files, resume=resume, force=force):
        return _run(subject, out, calibration, command, resume=resume, scheduler=scheduler)


def run_network_flow(
    network: str,
    space_name: str,
    out: Path,
    *,
    resume: bool = False,
    force: bool = False,
    seed: int,
    settings: StrategySettings | None = None,
    memory: FixedLatency = DETERMINISTIC,
    scheduler: str | None = None,
) -> dict[str, Any]:
    """Run all stages with a network that is given: only its accelerator is searched.

    Otherwise as :func:`run_flow`; ``network`` as in :func:`cosilico.networks.network_argument`, ``settings``
    as of :func:`search.driver.run_hardware_search`, by default those of :func:`cosilico.hardware_strategies.default_strategy`.
    """
    space = named_space(space_name)
    subject = NetworkSubject(network, space, seed, settings=settings, memory=memory)
    if scheduler is not None:
        require_cluster(scheduler)
    calibration = current_calibration()
    chosen = subject.settings
    command = (
        f"cosilico run --network {Path(network).name} --space {Path(space_name).name} "
        f"--memory {memory} "
        + (f"{strategy_options(chosen)} " if isinstance(chosen, BudgetSettings) else "")
        + f"--out {out.name} --seed {seed}"
    )
    with open_run(out, subject.identity(), subject.files, resume=resume, force=force):
        return _run(subject, out, calibration, command, resume=resume, scheduler=scheduler)


def _run(
    subject: Subject,
    out: Path,
    calibration: Calibration,
    command: str,
    *,
    resume: bool,
    scheduler: str | None,
) -> dict[str, Any]:
    write_provenance(out / PROVENANCE_FILE, command, subject.identity())
    with progress_bar() as report:
        flow = _Flow(subject, out, calibration, report, scheduler)
        with ThreadPoolExecutor(max_workers=1) as background:
            # The search computes on one core; the other compiles simulations meanwhile.
            remeasured = background.submit(flow.remeasure)
            background.submit(flow.build_default)
            try:
                flow.search(resume=resume)
                results = flow.finish(remeasured)
            except BaseException:
                background.shutdown(wait=False, cancel_futures=True)
                raise
    write_atomic(out / RESULTS_FILE, json.dumps(results, indent=1) + "\n")
    write_report(out)
    return results


class _Flow:
    """Folder and stages of a run."""

    def __init__(
        self,
        subject: Subject,
        out: Path,
        calibration: Calibration,
        report: Report,
        scheduler: str | None = None,
    ) -> None:
        self.subject, self.out = subject, out
        self.calibration, self.report, self.scheduler = calibration, report, scheduler
        self.space = subject.hardware
        self.cache = StageCache(out / STAGES)
        self.sources = source_digest("sim", "hwgen", "testbench")

    def remeasure(self) -> dict[str, Any]:
        """Measure the timing constants again, as a check of those in force."""
        from testbench.calibration.microbenchmarks import calibrate

        path = self.out / "calibration.json"

        def measure() -> dict[str, Any]:
            measured = calibrate()
            save(measured.calibration, path)
            return {
                "constants": measured.calibration.constants,
                "microbenchmarks": measured.microbenchmarks,
                "held_out_descriptors": measured.held_out,
            }

        return self.cache.result("calibration", digest(self.sources), measure, (path,))

    def build_default(self) -> None:
        """Build the default accelerator's simulation ahead of its use."""
        from testbench.rtl.harness import build

        build(self.space.default, view=_view(self.space.default))

    def search(self, *, resume: bool) -> dict[str, Any]:
        """Search; return the figures of ``search.json``."""
        report = within("search", self.report)
        return search_stage(self.subject, self.out, self.cache, report, resume=resume)

    def finish(self, remeasured: "Future[dict[str, Any]]") -> dict[str, Any]:
        """Run all stages after the search; return the results."""
        design = load_design(self.out / "design.json")
        default = Design(network=design.network, accelerator=self.space.default)
        searched = self.search(resume=True)
        design_bytes = (self.out / "design.json").read_bytes()
        key = digest(
            design_bytes,
            (self.out / "test.npz").read_bytes(),
            document_digest(self.subject.identity()),
            self.sources,
        )
        optimum = self.cache.result(
            "enumerate",
            key,
            lambda: self._enumerate(design),
            (self.out / "enumeration.npz",),
        )
        folders = dict(zip(SIDES, (self.out, self.out / DEFAULT), strict=True))
        designs = dict(zip(SIDES, (design, default), strict=True))
        for name, folder in folders.items():
            made = [folder / VERILOG / file for file in GENERATED_FILES]
            made += [] if folder == self.out else [folder / file for file in DESIGN_FILES]
            generation = self._generation(designs[name], folder)
            self.cache.result(f"generate_{name}", key, generation, tuple(made))
        with ThreadPoolExecutor(max_workers=2) as pool:
            runs = {
                name: pool.submit(
                    self.cache.result,
                    f"simulate_{name}",
                    key,
                    self._simulation(name, design, folders[name]),
                    (folders[name] / TIMELINE_FILE,),
                )
                for name, design in designs.items()
            }
            sections = {
                name: figures(designs[name], self.subject.workload.batch) | run.result()
                for name, run in runs.items()
            }
        again = remeasured.result()
        return {
            "schema": SCHEMA,
            "cosilico": __version__,
            "name": self.subject.name,
            "space": self.space.name,
            "memory": self.subject.memory.to_json(),
            "search": {k: v for k, v in searched.items() if k not in ("schema", "violations")}
            | optimum
            | {"objective": self._objective()},
            **sections,
            **({"workload": self._workload(design)} if self.subject.workload.others else {}),
            "violations": searched["violations"],
            "calibration": {
                "gateware_hash": self.calibration.gateware_hash,
                "simulator": self.calibration.simulator,
                "constants": self.calibration.constants,
                "remeasured": again | {"equal": again["constants"] == self.calibration.constants},
            },
        }

    def _objective(self) -> dict[str, Any]:
        objective = self.subject.objective
        return {"metric": objective.metric, "budgets": objective.budgets}

    def _generation(self, design: Design, folder: Path) -> Callable[[], dict[str, Any]]:
        def generate() -> dict[str, Any]:
            if folder != self.out:
                images = load_images(self.out / "test.npz", design.network)
                save_design(design, folder / "design.json")
                labels = {} if images.y is None else {"y": images.y}
                save_arrays(folder / "test.npz", x=images.x, **labels)
            batch = self.subject.workload.batch
            paths = generate_design(design, batch, single_file=True).write(folder / VERILOG)
            return {"files": [path.relative_to(self.out).as_posix() for path in paths]}

        return generate

    def _simulation(self, name: str, design: Design, folder: Path) -> Callable[[], dict[str, Any]]:
        label = {"rtl": "searched hardware", "rtl_default": "default hardware"}[name]
        batch, memory = self.subject.workload.batch, self.subject.memory

        def simulate() -> dict[str, Any]:
            images = load_images(self.out / "test.npz", design.network)
            result = simulate_design(
                design,
                images,
                self.calibration,
                within(label, self.report),
                memory=memory,
                view=_view(design.accelerator),
                batch=batch,
            )
            mapped = map_realizable(design.accelerator, design.network, batch)
            run = measured_run(mapped, result, calibration=self.calibration)
            prediction = predict_mapped(mapped, self.calibration, memory=memory)
            write_timeline(folder / TIMELINE_FILE, run.timeline)
            profile = profile_of(mapped, prediction, run.timeline)
            return result.to_json() | {"profile": profile.to_json()}

        return simulate

    def _workload(self, design: Design) -> list[dict[str, Any]]:
        """Run each other network of the workload on the searched accelerator."""

        def simulate(network: Network, runs: int) -> dict[str, Any]:
            other = Design(network=network, accelerator=design.accelerator)
            images, view = default_images(network.input), _view(design.accelerator)
            report = within(network.name, self.report)
            batch = self.subject.workload.batch
            run = simulate_design(
                other,
                images,
                self.calibration,
                report,
                memory=self.subject.memory,
                view=view,
                batch=batch,
            )
            return {"network": network.name, "runs": runs} | figures(other, batch) | run.to_json()

        def all_others() -> dict[str, Any]:
            return {"rows": [simulate(*other) for other in self.subject.workload.others]}

        design_bytes = (self.out / "design.json").read_bytes()
        key = digest(design_bytes, document_digest(self.subject.identity()), self.sources)
        rows: list[dict[str, Any]] = self.cache.result("workload", key, all_others)["rows"]
        return rows

    def _enumerate(self, design: Design) -> dict[str, Any]:
        objective, workload = self.subject.objective, self.subject.workload
        networks = [design.network, *(network for network, _ in workload.others)]
        report = within("enumerate", self.report)
        tables = [
            enumerate_network(
                network,
                self.space,
                report,
                memory=self.subject.memory,
                images=workload.batch,
                scheduler=self.scheduler,
            )
            for network in networks
        ]
        table = combined(tables, [workload.runs, *(runs for _, runs in workload.others)])
        row = objective.best(table)
        realizable = table.realizable
        save_arrays(
            self.out / "enumeration.npz",
            **titled(table.values),
            realizable=realizable,
            front=np.array(table.front(), np.int64),
        )
        return {
            "optimum": None if row is None else table.figures(row),
            **bandwidth_shares(table, self.space, design.accelerator, objective),
            "space_points": len(table),
            "space_realizable": int(realizable.sum()),
            "space_refused": {
                code: points for code, points in census(table).items() if code != "realizable"
            },
        }


def _view(accelerator: AcceleratorConfig) -> View:
    """View of the PE grid that a run simulates: the emitted netlist where it is small."""
    return View.SYNTHESIS if accelerator.macs <= _NETLIST_MACS else View.SIMULATION

"""Searches of the public API: network and accelerator together, or the accelerator alone."""

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosilico.api import arguments
from cosilico.api.accelerators import load_space
from cosilico.api.networks import NetworkSource, load_network
from cosilico.api.pairs import calibration_in_force
from cosilico.api.table import Table
from cosilico.cache import StageCache, document_digest
from cosilico.extras import require_extra
from cosilico.folder import Contents, open_folder
from cosilico.inputs import input_files
from cosilico.progress import Report
from cosilico.run_folder import SEARCHED_FILES, STAGES, open_run
from sim.cost.objective import Metric
from sim.realizability import require
from sim.spec.design import Design, load
from sim.spec.documents import read_json
from sim.spec.memories import DETERMINISTIC, MemorySystem, require_fixed
from sim.spec.network_json import network_digest
from sim.spec.spaces import HardwareSpace

__all__ = ["SearchedDesign", "search", "search_accelerator"]

_SEARCH_LIMIT_BYTES = 1 << 26

_FILES = ("checkpoint.pt", "agent.npz", *SEARCHED_FILES)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class SearchedDesign:
    """Result of a search.

    Parameters
    ----------
    design : Design
        The int8 network on the best accelerator that was tried.
    figures : dict
        Figures of ``search.json``: strategy, seed, budget, costs of the best and the default design.
    evaluations : Table
        Everything that was evaluated, in order: the accelerator's fields and the costs.
    """

    design: Design
    figures: dict[str, Any]
    evaluations: Table

    def __repr__(self) -> str:
        """Return a line with the predicted cycles of the result and of the default."""
        return (
            f"SearchedDesign({self.design.network.name}: {self.cycles:,} predicted cycles, "
            f"{self.default_cycles:,} on the default, {len(self.evaluations):,} evaluations)"
        )

    @property
    def cycles(self) -> int:
        """Predicted cycles of the result for an image."""
        return int(self.figures["best"]["predicted_cycles"])

    @property
    def default_cycles(self) -> int:
        """Predicted cycles of the same network on the space's default accelerator."""
        return int(self.figures["default"]["predicted_cycles"])

    def to_json(self) -> dict[str, Any]:
        """Return the figures and the accelerator as a JSON object; the evaluations are a table."""
        return {
            "network": self.design.network.name,
            "accelerator": self.design.accelerator.to_json(),
            **self.figures,
        }


def search(
    experiment: str | Path,
    out: str | Path | None = None,
    *,
    seed: int = 0,
    resume: bool = False,
    force: bool = False,
    progress: Report | None = None,
) -> SearchedDesign:
    """Search for a network and its accelerator together.

    Parameters
    ----------
    experiment : str or Path
        TOML file of the co-search.
    out : str or Path, optional
        Folder for ``design.json``, ``weights.npz``, ``search.json`` and the log; absent or empty. A
        temporary folder if not given.
    seed : int
        Decides every random choice.
    resume : bool
        Go on with what an earlier call left in ``out``, or ``cosilico search`` or ``cosilico run``.
    force : bool
        Replace what an earlier call made in ``out``, nothing else.
    progress : callable, optional
        Called with the name of a step, how much of it is done and how much there is.

    Raises
    ------
    TypeError, ValueError
        With a line that names the argument that is wrong; ``out`` is then as it was.
    CosilicoError
        If the file is wrong, ``out`` is not such a folder or holds an input, or the extra ``search``
        is not installed.
    """
    path = arguments.path("experiment", experiment)
    seed = arguments.seed_integer("seed", seed)
    folder = arguments.results_folder(out, resume=resume, force=force)
    require_extra("search", "search")
    from cosilico.search_stage import search_stage
    from cosilico.subjects import ExperimentSubject

    calibration_in_force()
    subject = ExperimentSubject(path, seed)

    def run(place: Path, report: Report) -> None:
        search_stage(subject, place, StageCache(place / STAGES), report, resume=resume)

    def opened(place: Path) -> AbstractContextManager[Path]:
        return open_run(place, subject.identity(), subject.files, resume=resume, force=force)

    return _searched(run, folder, opened, progress)


def search_accelerator(
    network: NetworkSource,
    space: HardwareSpace | str = "tiny",
    out: str | Path | None = None,
    *,
    objective: Metric = "latency",
    strategy: str | None = None,
    budget: int | None = None,
    memory: MemorySystem | str | Path = DETERMINISTIC,
    seed: int = 0,
    resume: bool = False,
    force: bool = False,
    progress: Report | None = None,
) -> SearchedDesign:
    """Search for an accelerator for a given network, within the area of the space's default.

    Parameters
    ----------
    network : Network, ImportedNetwork, Design, str or Path
        As of :func:`cosilico.load_network`.
    space : HardwareSpace or str
        As of :func:`cosilico.load_space`.
    objective : str
        "latency", "energy", "area" or "edp", energy times delay.
    strategy : str, optional
        Name of a hardware search, such as "certified" or "evolution", with "+polish" if a local descent is to
        follow. Default: "certified", or "evolution" in a space of more than 120,000 points.
    budget : int, optional
        Most evaluations. Default: the strategy's own.
    memory : FixedLatency, str or Path
        What lies behind the ports, as of :func:`cosilico.load_memory`; no DRAM.
    out, seed, force, progress
        As of :func:`cosilico.search`; ``seed`` is that of a named network's weights, too.
    resume : bool
        Go on with what an earlier call left in ``out``.

    Raises
    ------
    TypeError, ValueError
        With a line that names the argument that is wrong; ``out`` is then as it was.
    NotRealizableError
        If the space's default cannot run the network: there is then nothing to compare with.
    CosilicoError
        As of :func:`cosilico.search`.
    """
    metric = arguments.metric("objective", objective)
    behind = require_fixed(arguments.memory(memory))
    if strategy is not None and not isinstance(strategy, str):
        raise TypeError(f"strategy must be the name of a hardware search, not {strategy!r}")
    budget = None if budget is None else arguments.positive_integer("budget", budget)
    seed = arguments.seed_integer("seed", seed)
    folder = arguments.results_folder(out, resume=resume, force=force)
    require_extra("search_accelerator", "search")
    from cosilico.hardware_strategies import default_strategy, hardware_strategy
    from search.driver import run_hardware_search

    calibration_in_force()
    hardware, loaded = load_space(space), load_network(network, seed=seed)
    require(hardware.default, loaded)
    settings = hardware_strategy(
        strategy or default_strategy(hardware),
        metric=metric,
        budget=budget,
        wanted_by="search_accelerator",
    )

    def run(place: Path, report: Report) -> None:
        run_hardware_search(
            loaded,
            hardware,
            place,
            settings=settings,
            memory=behind,
            resume=resume,
            seed=seed,
            progress=report,
        )

    contents = Contents(
        command="search_accelerator",
        identity={
            "network": network_digest(loaded),
            "space": document_digest(hardware.to_json()),
            "objective": objective,
            "strategy": document_digest(settings.to_json()),
            "memory": document_digest(behind.to_json()),
            "seed": str(seed),
        },
        files=_FILES,
        resumable=True,
    )

    def opened(place: Path) -> AbstractContextManager[Path]:
        inputs = input_files(network)
        return open_folder(place, contents, inputs=inputs, resume=resume, force=force)

    return _searched(run, folder, opened, progress)


def _searched(
    run: Callable[[Path, Report], None],
    out: Path | None,
    opened: Callable[[Path], AbstractContextManager[Path]],
    progress: Report | None,
) -> SearchedDesign:
    """Search in a folder, which is opened, or in a temporary folder; read what is there then."""
    with _temporary() if out is None else opened(out) as folder:
        run(folder, progress or (lambda step, done, total: None))
        figures = read_json(folder / "search.json", "search file", _SEARCH_LIMIT_BYTES)
        with (folder / "evaluations.jsonl").open() as lines:
            records = [json.loads(line) for line in lines]
        return SearchedDesign(
            design=load(folder / "design.json"),
            figures={k: v for k, v in figures.items() if k not in ("log", "pareto")},
            evaluations=_evaluations(records),
        )


@contextmanager
def _temporary() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cosilico-") as name:
        yield Path(name)


def _evaluations(records: list[dict[str, Any]]) -> Table:
    """Accelerator's fields first, then the rest of every record."""
    rows = [record["accelerator"] | record for record in records]
    names = [name for name in rows[0] if name != "accelerator"]
    return Table("evaluations", {name: [row[name] for row in rows] for name in names})

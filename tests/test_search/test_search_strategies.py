"""A strategy and a cost column that exist in these tests alone run through everything."""

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cosilico.enumeration import enumerate_to_file
from search.agent import Args
from search.amortized_agent import AmortizedAgent, FeatureScale
from search.checkpoint import CheckpointStore
from search.driver import run_hardware_search
from search.evaluator import Evaluation, Evaluator
from search.experiment import Experiment, load_experiment
from search.loading import load_family, load_task
from search.registry import Registry
from search.result import Outcome, SearchResult
from search.sections import choice, integer
from search.space_settings import load_space_file
from search.strategies import CO_SEARCHES, FIXED_SEARCHES, HARDWARE_SEARCHES
from search.strategies.protocol import CoSearchProblem, HardwareProblem, Problem
from search.strategies.settings import StrategySettings
from search.tasks.digits_settings import DigitsSettings
from sim.cost.area import area
from sim.cost.columns import COST_COLUMNS, CostColumn, Costing, register
from sim.cost.objective import Objective
from sim.networks.named import named_network
from sim.spec.design import Design, load
from sim.spec.errors import CosilicoError
from sim.spec.network import Network
from sim.spec.spaces import TINY, HardwareSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomSettings(StrategySettings):
    """Settings of a strategy that draws accelerators by chance."""

    strategy: str = choice("random", "random")
    draws: int = integer(6, 1, 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChanceSettings(RandomSettings):
    """Settings of the strategy by a name that no co-search has."""

    strategy: str = choice("chance", "chance")


class RandomSearch:
    """Ten accelerators in a step, drawn by chance; learns the best so far."""

    def __init__(self, problem: HardwareProblem, settings: RandomSettings) -> None:
        self.problem, self.settings = problem, settings
        self.generator = torch.Generator().manual_seed(problem.seed)

    @property
    def stages(self) -> Mapping[str, int]:
        """Number of steps of the only stage."""
        return {"draw": self.settings.draws}

    def step(self, stage: str) -> None:
        """Evaluate ten points of the space."""
        points = torch.randint(len(self.problem.hardware), (10,), generator=self.generator)
        configs = [self.problem.hardware.at(int(point)) for point in points]
        self.problem.evaluator.evaluate(configs, self.problem.network, phase=stage)

    def outcome(self) -> Outcome:
        """Return the best of all draws and the default."""
        problem = self.problem
        (default,) = problem.evaluator.evaluate(
            [problem.hardware.default], problem.network, phase="default"
        )
        feasible = filter(problem.objective.feasible, problem.evaluator.records)
        best = min(feasible, key=problem.objective.rank)
        return Outcome(
            design=Design(network=problem.network, accelerator=best.accelerator),
            default=default,
            best=best,
        )

    def state_dict(self) -> dict[str, Any]:
        """State of the generator."""
        return {"generator": self.generator.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the generator's state."""
        self.generator.set_state(state["generator"])


@pytest.fixture(scope="module")
def network() -> Network:
    return named_network("autoencoder")


@pytest.fixture
def _random(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register the strategy for a test."""
    others = {name: entry for name, entry in HARDWARE_SEARCHES.items() if name != "random"}
    monkeypatch.setattr(HARDWARE_SEARCHES, "_entries", others)
    HARDWARE_SEARCHES.register("random", RandomSettings, RandomSearch)


@pytest.fixture
def column() -> Iterator[str]:
    """A column that is registered for a test alone: area times cycles."""

    def compute(costing: Costing) -> NDArray[np.float64]:
        return np.asarray(costing["area"] * costing["cycles"])

    register(CostColumn(name="silicon", unit="mm² cycles", compute=compute, dtype=np.float64))
    yield "silicon"
    del COST_COLUMNS["silicon"]


def search(network: Network, out: Path, **options: Any) -> SearchResult:
    settings = RandomSettings(metric="edp")
    return run_hardware_search(network, TINY, out, settings=settings, **{"seed": 3} | options)


@pytest.mark.usefixtures("_random")
def test_a_registered_strategy_runs_through_the_driver(network: Network, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    result = search(network, tmp_path, progress=lambda *step: steps.append(step))
    assert steps == [("draw", done, 6) for done in range(7)]
    document = json.loads((tmp_path / "search.json").read_text())
    assert document == result.to_json()
    assert (document["strategy"], document["seed"]) == ("random", 3)
    assert 60 <= document["evaluations"] <= 61
    edps = [
        row["cycles"] * row["energy"]
        for row in result.history
        if row.realizable and row["area"] <= result.area_budget
    ]
    assert result.best["cycles"] * result.best["energy"] == min(edps)
    assert load(tmp_path / "design.json").accelerator == result.best.accelerator
    other = search(network, tmp_path / "other", seed=4)
    assert other.history != result.history


@pytest.mark.usefixtures("_random")
@pytest.mark.parametrize("saves", [1, 4, 6])
def test_a_registered_strategy_goes_on_where_it_was_killed(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saves: int
) -> None:
    whole = search(network, tmp_path / "whole")
    left = saves
    save = CheckpointStore.save

    def failing(self: CheckpointStore, *arguments: Any) -> None:
        nonlocal left
        save(self, *arguments)
        left -= 1
        if not left:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(CheckpointStore, "save", failing)
        with pytest.raises(KeyboardInterrupt):
            search(network, tmp_path / "cut")
    steps: list[tuple[str, int, int]] = []
    resumed = search(
        network, tmp_path / "cut", resume=True, progress=lambda *step: steps.append(step)
    )
    assert steps == [("draw", done, 6) for done in range(saves, 7)]
    assert resumed.history == whole.history
    for name in ("design.json", "weights.npz", "evaluations.jsonl"):
        cut, uncut = (tmp_path / folder / name for folder in ("cut", "whole"))
        assert cut.read_bytes() == uncut.read_bytes()
    with pytest.raises(
        CosilicoError, match=r"must be of the same experiment, seed and .* to resume$"
    ):
        run_hardware_search(
            network, TINY, tmp_path / "cut", settings=RandomSettings(), resume=True, seed=3
        )


@pytest.mark.usefixtures("_random")
@pytest.mark.parametrize(
    "space",
    [
        replace(TINY, values=dict(TINY.values) | {"pes_x": (1, 2)}),
        replace(TINY, default=replace(TINY.default, pes_x=1)),
    ],
    ids=["values", "default"],
)
def test_another_space_of_the_same_name_is_not_resumed(
    network: Network, tmp_path: Path, space: HardwareSpace
) -> None:
    search(network, tmp_path)
    with pytest.raises(
        CosilicoError, match=r"must be of the same experiment, seed and .* to resume$"
    ):
        run_hardware_search(
            network, space, tmp_path, settings=RandomSettings(metric="edp"), resume=True, seed=3
        )


@pytest.mark.usefixtures("_random")
def test_a_registered_column_is_in_every_file(
    column: str, network: Network, tmp_path: Path
) -> None:
    """A new cost column touches no other place than its registration."""
    result = search(network, tmp_path)
    rows = [json.loads(row) for row in (tmp_path / "evaluations.jsonl").read_text().splitlines()]
    assert len(rows) == result.evaluations
    for row, record in zip(rows, result.history, strict=True):
        assert row[column] == record[column] == row["area"] * row["cycles"]
        assert Evaluation.from_json(row) == record
    document = json.loads((tmp_path / "search.json").read_text())
    for side in (document["best"], document["default"]):
        assert side[column] == side["area"] * side["predicted_cycles"] > 0
    space = tmp_path / "space.toml"
    space.write_text(
        '[hardware]\nspace = "tiny"\n[hardware.values]\npes_x = [1, 2]\npes_y = [2]\n'
        "local_memory_kb = [4, 16]\nregister_file_kb = [4]\nweight_store_kb = [0, 16]\n"
    )
    enumerate_to_file("autoencoder", str(space), tmp_path / "space.csv", jobs=1)
    with (tmp_path / "space.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(load_space_file(space))
    for line in lines:
        assert float(line[column]) == float(line["area"]) * int(line["predicted_cycles"])


@pytest.mark.usefixtures("_random")
def test_a_search_with_other_columns_is_not_resumed(
    network: Network, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    search(network, tmp_path)
    request.getfixturevalue("column")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(CosilicoError) as caught:
        search(network, tmp_path, resume=True)
    path = tmp_path / "checkpoint.pt"
    message = f"{path} must be of the same experiment, seed and cost columns to resume"
    assert str(caught.value) == message
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_column_hides_no_field_of_a_record(network: Network) -> None:
    """Whatever a record has by itself, as an attribute or in its JSON, stays what it is."""
    (record,) = Evaluator().evaluate([TINY.default], network, phase="a")
    others = {*dir(record), *record.to_json(), *record.figures()}
    others -= {name for column in COST_COLUMNS.values() for name in (column.name, column.title)}
    assert others > {"index", "phase", "network", "accuracy", "realizable", "to_json"}
    for name in others:
        fresh = CostColumn(name=name, unit="mm²", compute=lambda costing: costing["area"])
        with pytest.raises(ValueError, match=rf"^name must not be another field's .* '{name}'$"):
            register(fresh)


def test_an_experiment_names_registered_strategies_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "experiment.toml"
    path.write_text("[task]\nname = 'digits'\n[search]\nstrategy = 'chance'\ndraws = 9\n")
    with pytest.raises(CosilicoError) as caught:
        load_experiment(path)
    known = ", ".join((*CO_SEARCHES, *FIXED_SEARCHES))
    assert str(caught.value) == f"{path}: search.strategy must be one of {known}, not 'chance'"
    monkeypatch.setattr(CO_SEARCHES, "_entries", dict(CO_SEARCHES._entries))
    CO_SEARCHES.register("chance", ChanceSettings, RandomSearch)
    assert load_experiment(path).search == ChanceSettings(draws=9)
    path.write_text("[task]\nname = 'digits'\n[search]\nstrategy = 'chance'\ndraws = 0\n")
    with pytest.raises(CosilicoError) as caught:
        load_experiment(path)
    assert str(caught.value) == f"{path}: search.draws must be an integer in 1 … 1000, not 0"
    path.write_text("[task]\nname = 'digits'\n[search]\nstrategy = 'chance'\nrounds = 2\n")
    with pytest.raises(CosilicoError) as caught:
        load_experiment(path)
    assert str(caught.value) == f"{path}: search has no field 'rounds'"


def problem(kind: type[Problem], **fields: Any) -> Problem:
    objective = Objective(metric="latency", area_budget=area(TINY.default).total)
    return kind(hardware=TINY, objective=objective, evaluator=Evaluator(), seed=1, **fields)


def test_every_registered_name_makes_what_it_says(network: Network, tmp_path: Path) -> None:
    experiment = Experiment(task=DigitsSettings())
    task = load_task(experiment)
    networks = load_family(experiment, task)
    co_search = problem(
        CoSearchProblem, name="digits", task=task, networks=networks, train=experiment.train
    )
    hardware = problem(HardwareProblem, network=network)
    scale = FeatureScale.of([network])
    agent = AmortizedAgent(TINY, hardware.objective, scale, Args(), seed=0)
    (tmp_path / "agent.npz").write_bytes(agent.to_bytes())
    needed = {"amortized": {"agent": str(tmp_path / "agent.npz")}}
    for registry, given in ((CO_SEARCHES, co_search), (HARDWARE_SEARCHES, hardware)):
        for name, entry in registry.items():
            kind: Any = entry.settings
            settings = kind(strategy=name, **needed.get(name, {}))
            made, other = (entry.make(given, settings) for _ in range(2))
            module, _, _ = str(entry.implementation).partition(":")
            assert made.__class__.__module__ == module
            assert settings.strategy == name
            assert sum(made.stages.values()) > 0
            assert not given.evaluator.records
            other.load_state_dict(made.state_dict())
            assert other.stages == made.stages


def test_a_registered_name_is_taken() -> None:
    registry: Registry[RandomSettings, RandomSearch] = Registry("strategy")
    registry.register("random", RandomSettings, "tests:nothing")
    message = "name of a strategy must not be taken, not 'random'"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        registry.register("random", RandomSettings, RandomSearch)
    assert len(registry) == 1


def test_an_evaluation_of_other_columns_is_refused(network: Network) -> None:
    (row,) = Evaluator().evaluate([TINY.default], network, phase="a")
    document = row.to_json()
    assert Evaluation.from_json(document) == row
    del document["area"]
    with pytest.raises(KeyError):
        Evaluation.from_json(document)
    with pytest.raises(TypeError):
        Evaluation.from_json(row.to_json() | {"silicon": 3})
    with pytest.raises(AttributeError, match=r"^column must be one of cycles, .*, not 'silicon'$"):
        _ = row.silicon

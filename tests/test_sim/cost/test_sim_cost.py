"""The cost table, the objective and the Pareto front, each against a slow twin in plain Python."""

import pickle
import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from sim.cost.area import area
from sim.cost.columns import COST_COLUMNS, CostColumn, Costing, register
from sim.cost.costs import evaluate_many
from sim.cost.energy import cold_energy, energy
from sim.cost.objective import Metric, Objective
from sim.cost.pareto import pareto_front
from sim.cost.table import CostTable
from sim.model import predict
from sim.networks.named import named_network
from sim.spec.network import Network
from sim.spec.spaces import TINY


@pytest.fixture(scope="module")
def network() -> Network:
    return named_network("ds_cnn")


@pytest.fixture(scope="module")
def table(network: Network) -> CostTable:
    """Cost table of realizable and other points of the space."""
    points = np.random.default_rng(0).integers(len(TINY), size=60)
    configs = [TINY.at(int(point)) for point in points]
    # every third with a weight store
    sizes = [0, 0, 16] * 20
    stored = [
        replace(config, weight_store_kb=size) for config, size in zip(configs, sizes, strict=True)
    ]
    return evaluate_many([TINY.default, *stored], network)


@pytest.fixture
def column() -> Iterator[str]:
    """A column that is registered for a test alone: area times cycles."""

    def compute(costing: Costing) -> NDArray[np.float64]:
        return np.asarray(costing["area"] * costing["cycles"])

    register(CostColumn(name="silicon", unit="mm² cycles", compute=compute, dtype=np.float64))
    yield "silicon"
    del COST_COLUMNS["silicon"]


def drawn(seed: int) -> CostTable:
    """Costs of few values, so that many are equal."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    return CostTable(
        configs=(TINY.default,) * n,
        violations=[() if keeps else ("MAP_TILE",) for keeps in rng.random(n) < 0.7],
        excess=np.zeros(n),
        values={
            "cycles": rng.integers(1, 6, n),
            "energy": rng.integers(1, 4, n).astype(np.float64),
            "area": rng.integers(1, 6, n).astype(np.float64),
        },
    )


def test_rows_are_the_models_answers(table: CostTable, network: Network) -> None:
    assert 0 < table.realizable.sum() < len(table)
    for row in np.flatnonzero(table.realizable)[:10]:
        config = table.configs[row]
        prediction = predict(config, network)
        assert table.row(row) == {
            "cycles": prediction.total_cycles,
            "execute_busy": prediction.execute_busy,
            "read_bytes": prediction.read_bytes,
            "write_bytes": prediction.write_bytes,
            "cold_cycles": prediction.cold_cycles,
            "cold_read_bytes": prediction.cold_read_bytes,
            "store_bytes": prediction.store_bytes,
            "descriptor_bytes": prediction.descriptor_bytes,
            "area": area(config).total,
            "energy": energy(config, prediction).total,
            "cold_energy": cold_energy(config, prediction).total,
        }


def test_only_the_area_is_known_of_what_does_not_run(table: CostTable) -> None:
    broken = ~table.realizable
    for name, values in table.values.items():
        assert (values[broken] > 0).all() if name == "area" else not values[broken].any()
        runs = table.realizable
        if name == "store_bytes":
            runs = runs & [config.weight_store_kb > 0 for config in table.configs]
            assert not values[table.realizable & ~runs].any()
        assert (values[runs] > 0).all()
        assert values.dtype == COST_COLUMNS[name].dtype
    assert (table.excess[broken] > 0).all()


def test_columns_that_are_named_are_the_only_ones(table: CostTable, network: Network) -> None:
    configs = table.configs[:4]
    few = evaluate_many(configs, network, columns=("energy", "cycles"))
    assert list(few.values) == ["energy", "cycles"]
    np.testing.assert_array_equal(few.energy, table.energy[:4])
    cold = evaluate_many(table.configs, network, columns=("cold_cycles",))
    np.testing.assert_array_equal(cold.cold_cycles, table.cold_cycles)
    with pytest.raises(AttributeError, match=r"^column must be one of energy, cycles, not 'area'$"):
        _ = few.area


def test_a_table_is_the_concatenation_of_its_selections(table: CostTable) -> None:
    rows = np.random.default_rng(1).permutation(len(table))
    parts = [table.select(rows[:20]), table.select([]), table.select(rows[20:])]
    again = CostTable.concatenate(parts).select(np.argsort(rows))
    assert again.configs == table.configs
    assert again.violations == table.violations
    np.testing.assert_array_equal(again.excess, table.excess)
    for name, values in table.values.items():
        np.testing.assert_array_equal(again[name], values)
    assert again.columns() == table.columns()


def test_a_table_survives_a_process(table: CostTable) -> None:
    again = pickle.loads(pickle.dumps(table))
    assert again.columns() == table.columns()
    realizable = table.realizable.sum()
    assert repr(again) == f"CostTable({len(table)} accelerators, {realizable} realizable)"


def test_files_have_the_accelerator_the_violations_and_every_column(table: CostTable) -> None:
    columns = table.columns()
    assert list(columns) == [
        *TINY.default.to_json(),
        "weight_store_kb",
        *("macs_per_cycle", "violations", "predicted_cycles", "execute_busy", "read_bytes"),
        *("write_bytes", "predicted_cold_cycles", "cold_read_bytes", "store_bytes"),
        *("descriptor_bytes", "area", "energy", "cold_energy"),
    ]
    assert columns["predicted_cycles"] == table["cycles"].tolist()
    assert {len(values) for values in columns.values()} == {len(table)}


def test_a_registered_column_is_in_every_table(column: str, network: Network) -> None:
    table = evaluate_many([TINY.default, TINY.at(0)], network)
    np.testing.assert_array_equal(table[column], table.area * table.cycles)
    assert table.columns()[column] == table[column].tolist()
    assert table.row(0)[column] == table.area[0] * table.cycles[0]


def refused(message: str, name: str, label: str = "") -> None:
    """Check that a column is refused, and that no table has it then."""
    before = dict(COST_COLUMNS)
    fresh = CostColumn(name=name, label=label, unit="mm²", compute=lambda costing: costing["area"])
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        register(fresh)
    assert before == COST_COLUMNS


@pytest.mark.parametrize("name", ["area", "predicted_cycles"])
def test_a_name_is_taken_once(name: str) -> None:
    refused(f"name must be new among the cost columns, not {name!r}", name)
    refused(f"label must be new among the cost columns, not {name!r}", "silicon", name)
    with pytest.raises(ValueError, match=r"^name must be an identifier, not 'two words'$"):
        CostColumn(name="two words", unit="mm²", compute=lambda costing: costing["area"])


def test_a_column_hides_no_field_of_accelerators_and_tables(table: CostTable) -> None:
    """Whatever a table has by itself, as an attribute or in its columns, stays what it is."""
    others = {name for name in dir(table) if not name.startswith("__")}
    others |= table.columns().keys() | table.figures(0).keys()
    others -= {column.title for column in COST_COLUMNS.values()}
    assert others > {"pes_x", "macs_per_cycle", "violations", "realizable", "accelerator", "values"}
    for name in sorted({*others, "__len__"}):
        refused(f"name must not be another field's of a cost table, not {name!r}", name)
        refused(f"label must not be another field's of a cost table, not {name!r}", "silicon", name)


@pytest.mark.parametrize("metric", ["latency", "edp"])
def test_the_best_row_is_the_first_of_least_rank(metric: Metric) -> None:
    objective = Objective(metric=metric, area_budget=3.0)
    outcomes = set()
    for seed in range(200):
        table = drawn(seed)
        ranks = [
            (cycles * (energy if metric == "edp" else 1), size)
            for cycles, energy, size in zip(table.cycles, table.energy, table.area, strict=True)
        ]
        fits = [i for i, codes in enumerate(table.violations) if not codes and ranks[i][1] <= 3.0]
        expected = min(fits, key=ranks.__getitem__, default=None)
        assert objective.best(table) == table.optimum(3.0, metric) == expected
        outcomes.add(expected is None)
    assert outcomes == {True, False}


def test_the_front_has_the_first_of_equal_designs_and_none_that_is_beaten() -> None:
    for seed in range(200):
        table = drawn(seed)
        points = list(zip(table.cycles, table.area, table.realizable, strict=True))
        expected = [
            i
            for i, (cycles, size, runs) in enumerate(points)
            if runs
            and not any(
                other_runs
                and other_cycles <= cycles
                and other_size <= size
                and ((other_cycles, other_size) != (cycles, size) or j < i)
                for j, (other_cycles, other_size, other_runs) in enumerate(points)
            )
        ]
        front = pareto_front(table["cycles"], table["area"], table.realizable)
        assert front == table.front() == sorted(expected, key=lambda i: points[i][0])

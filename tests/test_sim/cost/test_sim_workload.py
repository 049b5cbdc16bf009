"""Workloads: sums over the runs of several networks, on accelerators that run them all."""

from collections.abc import Sequence

import numpy as np

from sim.cost.columns import COST_COLUMNS
from sim.cost.costs import evaluate_many
from sim.cost.energy import energy
from sim.cost.table import CostTable
from sim.cost.workload import Workload, combined
from sim.model import predict
from sim.networks.named import named_network
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Network
from sim.spec.spaces import TINY

CONFIGS = [TINY.at(index) for index in (0, 777, 5000, 9999, 15000, 19199)]


def test_a_workload_is_the_sum_of_its_runs() -> None:
    own, first, second = (named_network(name) for name in ("resnet8", "ds_cnn", "autoencoder"))
    tables = {network.name: evaluate_many(CONFIGS, network) for network in (own, first, second)}
    calls: list[tuple[str, int]] = []

    def counted(configs: Sequence[AcceleratorConfig], network: Network) -> CostTable:
        calls.append((network.name, len(configs)))
        return evaluate_many(configs, network)

    workload = Workload([(first, 3), (second, 5)], runs=2, costs=counted)
    table = workload.costs([*CONFIGS, CONFIGS[1]], own)
    mine, a, b = (tables[network.name] for network in (own, first, second))
    runs = mine.realizable & a.realizable & b.realizable
    assert 0 < runs.sum() < len(runs)
    assert (table.realizable[:-1] == runs).all()
    for name, column in COST_COLUMNS.items():
        expected = 2 * mine[name] + 3 * a[name] + 5 * b[name]
        if not column.of_run:
            expected = mine[name]
        shown = np.where(runs, expected, 0) if column.of_run else expected
        assert np.allclose(table[name][:-1], shown, rtol=1e-15)
        assert table[name].dtype == mine[name].dtype
    assert (
        table["cycles"][:-1] == np.where(runs, 2 * mine.cycles + 3 * a.cycles + 5 * b.cycles, 0)
    ).all()
    assert table.row(1) == table.row(len(CONFIGS))
    for i, codes in enumerate(table.violations[:-1]):
        each = {*mine.violations[i], *a.violations[i], *b.violations[i]}
        assert set(codes) == each
    calls.clear()
    workload.costs(CONFIGS[:3], own)
    assert calls == [("resnet8", 3)]  # the others are known


def test_a_single_network_is_a_workload_of_itself() -> None:
    network = named_network("ds_cnn")
    table, alone = Workload().costs(CONFIGS, network), evaluate_many(CONFIGS, network)
    assert table.violations == alone.violations
    assert (table.excess == alone.excess).all()
    for name in COST_COLUMNS:
        assert np.array_equal(table[name], alone[name])
    twice = combined([alone, alone], [1, 1])
    assert (twice["cycles"] == 2 * alone["cycles"]).all()
    assert (twice["area"] == alone["area"]).all()


def test_costs_of_a_batch_are_those_of_its_program() -> None:
    network = named_network("resnet8")
    table = evaluate_many(CONFIGS, network, images=3)
    assert table.realizable.sum() > 3
    for i in np.flatnonzero(table.realizable):
        config = CONFIGS[i]
        prediction = predict(config, network, images=3)
        assert table["cycles"][i] == prediction.total_cycles
        assert table["read_bytes"][i] == prediction.read_bytes
        assert table["write_bytes"][i] == prediction.write_bytes
        assert np.isclose(table["energy"][i], energy(config, prediction).total, rtol=1e-12)
    single = evaluate_many(CONFIGS, network)
    assert (table["read_bytes"] < 3 * single["read_bytes"]).any()

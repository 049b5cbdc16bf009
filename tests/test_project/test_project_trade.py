"""Pages on what memory buys and what cycles are lost to: their files are the model's."""

import json
from pathlib import Path
from typing import Any

import pytest

from sim.cost.area import area
from sim.model import predict
from sim.networks.named import named_network
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import EDGE

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NETWORKS = ("mobilenet_v2", "efficientnet_lite0")


def results(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((BENCHMARKS / f"{name}.json").read_text())
    return content


def test_losses_add_up_to_the_predicted_cycles() -> None:
    for case in results("layer_limits").values():
        config = AcceleratorConfig.from_json(case["accelerator"])
        prediction = predict(config, named_network(case["network"]))
        counted = sum(sum(kind.values()) for kind in case["layers"].values())
        # The header's and the last word's cycles belong to no layer
        assert 0 <= prediction.total_cycles - counted < 20
        assert all(cycles >= 0 for kind in case["layers"].values() for cycles in kind.values())


@pytest.mark.parametrize("name", NETWORKS)
def test_trade_is_that_of_the_model(name: str) -> None:
    trade, network = results("memory_trade")[name], named_network(name)
    assert trade["points"] == len(EDGE)
    rows = [
        trade["default"],
        *(row for entry in trade["optima"].values() for row in entry.values()),
    ]
    for row in rows:
        config = AcceleratorConfig.from_json(row["accelerator"])
        prediction = predict(config, network)
        assert prediction.total_cycles == row["predicted_cycles"]
        assert prediction.cold_cycles == row["predicted_cold_cycles"]
    for size, best in trade["sizes"].items():
        config = AcceleratorConfig.from_json(best["accelerator"])
        assert config.macs == int(size)
        assert area(config).total == best["area"] <= area(EDGE.default).total
        cycles = predict(config, network).total_cycles
        assert best["utilization"] == network.macs / (cycles * int(size))


@pytest.mark.parametrize("name", NETWORKS)
def test_optimum_is_the_least_of_each_pinned_field(name: str) -> None:
    trade = results("memory_trade")[name]
    for budget, entries in trade["optima"].items():
        for field, values in trade["pinned"][budget].items():
            for entry, column in (("warm", "predicted_cycles"), ("cold", "predicted_cold_cycles")):
                fewest = {value["value"]: value[entry] for value in values if value[entry]}
                best = entries[entry]
                assert min(fewest.values()) == best[column]
                assert fewest[best["accelerator"].get(field, 0)] == best[column]


def test_memory_and_store_trade_against_each_other() -> None:
    """Which store is best depends on network and area, which local memory on the PEs; all fields have a price where area is scarce."""
    trade = results("memory_trade")
    optima = [
        best["accelerator"]
        for name in NETWORKS
        for entries in trade[name]["optima"].values()
        for best in entries.values()
    ]
    assert len({best.get("weight_store_kb", 0) for best in optima}) > 1
    assert {best["local_memory_kb"] for best in optima} == {min(EDGE.values["local_memory_kb"])}
    assert min(best["pes_x"] * best["pes_y"] for best in optima) == 42
    for name in NETWORKS:
        for budget in ("default", "half"):
            by_bandwidth = {
                row["value"]: row["warm"]
                for row in trade[name]["pinned"][budget]["io_bandwidth_gbps"]
            }
            assert by_bandwidth[20] <= by_bandwidth[25] * 17 / 16
        sizes = [best["accelerator"] for best in trade[name]["sizes"].values()]
        memory = [best["local_memory_kb"] for best in sizes]
        assert memory == sorted(memory, reverse=True)
        assert memory[0] > memory[-1]
        for values in trade[name]["pinned"]["half"].values():
            warm = [value["warm"] for value in values if value["warm"]]
            assert max(warm) > 1.05 * min(warm)

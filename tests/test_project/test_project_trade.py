"""Pages on what memory buys and what cycles are lost to: their files are the model's."""

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

import headline
from execute_waits import waits_for_loads
from layer_limits import TINY_WITH_STORE, limits
from memory_trade import BUDGETS
from sim.arrays.plan_columns import LayerPlan
from sim.cost.area import area
from sim.model import predict
from sim.networks.named import named_network
from sim.plan import map_network
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.spaces import EDGE, TINY
from small_memories import SPACE

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NETWORKS = ("mobilenet_v2", "efficientnet_lite0")


def results(name: str) -> Any:
    return json.loads((BENCHMARKS / f"{name}.json").read_text())


def test_losses_of_every_layer_are_those_of_the_model() -> None:
    cases = results("layer_limits")
    assert {(case["network"], case["name"]) for case in cases[1:]} == {
        (network, name) for network, name, _ in headline.headline_cases()
    }
    for case in cases:
        config = AcceleratorConfig.from_json(case["accelerator"])
        prediction = predict(config, named_network(case["network"]))
        assert case["cycles"] == prediction.total_cycles
        for layer, predicted in zip(case["layers"], prediction.layers, strict=True):
            assert (layer["name"], layer["cycles"]) == (predicted.name, predicted.cycles)
            assert sum(layer["causes"].values()) == predicted.cycles
            assert min(layer["causes"].values()) > 0
        # The header's and the last word's cycles belong to no layer
        assert 0 <= prediction.total_cycles - sum(x["cycles"] for x in case["layers"]) < 20
        spilling = {layer["name"] for layer in case["layers"] if "spills" in layer["causes"]}
        assert bool(spilling) == bool(prediction.spilled)
        assert {*prediction.spilled} <= spilling


def test_file_of_losses_is_made_anew() -> None:
    small, default = results("layer_limits")[:2]
    for case in (small, default):
        config = AcceleratorConfig.from_json(case["accelerator"])
        assert limits(config, case["network"]) == case["layers"]


@pytest.mark.parametrize(
    ("network", "config"),
    [
        ("mobilenet_v1_025", TINY_WITH_STORE),
        ("ds_cnn", TINY.default),
        ("mobilenet_v2", EDGE.default),
    ],
)
def test_waits_for_loads_are_what_the_counter_shows(
    network: str, config: AcceleratorConfig
) -> None:
    prediction = predict(config, named_network(network))
    waits = list(waits_for_loads(map_network(config, named_network(network))))
    assert sum(wait.end - wait.begin for wait in waits) == prediction.execute_wait_load > 0
    assert all(a.end <= b.begin for a, b in itertools.pairwise(waits))
    assert {wait.of for wait in waits if not wait.weights} >= {0}


def test_a_tensor_is_divided_anew_where_rows_of_pes_do_not_divide_its_rows() -> None:
    """The page's account of the spill: tiles of 7 rows become tiles of 8."""
    network = named_network("mobilenet_v2")
    mapped = map_network(EDGE.default, network)
    names = [layer.name for layer in network.layers]
    place = names.index("block6.add")
    assert names[place + 1] == "block7.expand"
    tile_rows = mapped.layer_plan[place : place + 3, LayerPlan.TILE_Y].tolist()
    assert network.layers[place].output.height == 28
    assert network.layers[place + 2].output.height == 14
    assert tile_rows == [7, 8, 4]
    tensor = network.layers[place].output
    assert predict(EDGE.default, network).layers[place].write_bytes == (
        tensor.height * tensor.width * tensor.channels
    )


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


@pytest.mark.parametrize("name", NETWORKS)
def test_small_memories_are_those_of_the_model(name: str) -> None:
    trade, network = results("small_memories")[name], named_network(name)
    assert trade["points"] == len(SPACE)
    for budget, share in BUDGETS.items():
        rows = [*trade["optima"][budget].values()]
        rows += [
            value[entry] for value in trade["bandwidths"][budget] for entry in ("warm", "cold")
        ]
        for row in rows:
            config = AcceleratorConfig.from_json(row["accelerator"])
            prediction = predict(config, network)
            assert prediction.total_cycles == row["predicted_cycles"]
            assert prediction.cold_cycles == row["predicted_cold_cycles"]
            assert area(config).total == row["area"] <= share * area(EDGE.default).total
        best = trade["optima"][budget]["warm"]
        pairs = {
            (pair["local_memory_kb"], int(store)): cycles
            for pair in trade["pairs"][budget]
            for store, cycles in pair["warm"].items()
        }
        assert min(pairs.values()) == best["predicted_cycles"]
        assert (
            pairs[best["accelerator"]["local_memory_kb"], best["accelerator"]["weight_store_kb"]]
            == best["predicted_cycles"]
        )


def test_memories_and_bus_pay_with_the_same_area() -> None:
    """The page's account of the optima below the least memory of `edge`."""
    trade = results("small_memories")
    for name in NETWORKS:
        for budget in BUDGETS:
            optima = trade[name]["optima"][budget]
            assert optima["warm"]["accelerator"]["local_memory_kb"] in (64, 96)
            assert optima["cold"]["accelerator"]["io_bandwidth_gbps"] == 50
            fewest = {
                pair["local_memory_kb"]: min(pair["warm"].values())
                for pair in trade[name]["pairs"][budget]
            }
            assert fewest[16] > fewest[32] > 2 * min(fewest.values())
            wide = optima["warm"]["accelerator"]["io_bandwidth_gbps"] == 50
            assert wide == ((name, budget) == ("efficientnet_lite0", "default"))
    stores = {
        (name, budget, pair["local_memory_kb"]): min(pair["warm"], key=pair["warm"].__getitem__)
        for name in NETWORKS
        for budget in BUDGETS
        for pair in trade[name]["pairs"][budget]
    }
    assert {stores["mobilenet_v2", "half", local] for local in SPACE.values["local_memory_kb"]} == {
        "4096"
    }
    for local in SPACE.values["local_memory_kb"]:
        better = "8192" if local in (64, 96) else "4096"
        assert stores["efficientnet_lite0", "half", local] == better
    # A store that costs cycles
    (pair,) = [
        pair
        for pair in trade["efficientnet_lite0"]["pairs"]["default"]
        if pair["local_memory_kb"] == 64
    ]
    assert pair["warm"]["2048"] > pair["warm"]["0"]
    # The best without a store, and the same with it
    config = dataclasses.replace(
        SPACE.default, pes_y=8, simd_units=64, compute_lanes=1, register_file_kb=32,
        local_memory_kb=64, io_bandwidth_gbps=50.0, weight_store_kb=2048,
    )  # fmt: skip
    prediction = predict(config, named_network("efficientnet_lite0"))
    assert prediction.total_cycles >= pair["warm"]["2048"]
    loaded = {layer.name: layer.read_bytes for layer in prediction.layers}
    stored = {layer.name: layer.write_bytes for layer in prediction.layers}
    assert len(prediction.spilled) == 3
    for name in prediction.spilled:
        reader = name.replace("expand", "depthwise")
        assert loaded[reader] > 16 * stored[name]
    chosen = {
        value["io_bandwidth_gbps"]: value["warm"]["accelerator"]["weight_store_kb"]
        for value in trade["efficientnet_lite0"]["bandwidths"]["half"]
    }
    assert chosen == {12.5: 8192, 20: 8192, 25: 4096, 37.5: 4096, 50: 4096}

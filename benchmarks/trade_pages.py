"""Tables of the pages on what memory, store and bandwidth trade, and on what cycles are lost to."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from cosilico.summary import accelerator_text
from headline import DEFAULT
from layer_limits import CAUSES
from page_tables import table_lines

__all__ = [
    "bandwidth_memories",
    "edge_limits",
    "edge_optima",
    "edge_trade",
    "edge_utilization",
    "headline",
    "layer_losses",
    "memory_pairs",
    "small_optima",
    "spilled_layers",
    "tiny_limits",
]

Results = Mapping[str, Any]

_AREAS = {"default": "the default's", "half": "half of it"}


def edge_limits(results: Sequence[Results]) -> str:
    """Cycles of MobileNetV2 by kind of layer and cause on the default of `edge`."""
    return _limits(_case(results, "mobilenet_v2", DEFAULT))


def tiny_limits(results: Sequence[Results]) -> str:
    """Cycles of MobileNetV1-0.25 by kind of layer and cause on the default of `tiny` with a weight store."""
    return _limits(_case(results, "mobilenet_v1_025", "tiny"))


def _case(results: Sequence[Results], network: str, name: str) -> Results:
    (case,) = [case for case in results if (case["network"], case["name"]) == (network, name)]
    return case


def _limits(case: Results) -> str:
    kinds: dict[str, Counter[str]] = {}
    for layer in case["layers"]:
        kinds.setdefault(layer["kind"], Counter()).update(layer["causes"])
    kinds["all"] = _lost(case)
    rows = [
        [name.replace("_", " "), f"{kind.total():,}", *(f"{kind[c]:,}" for c in CAUSES)]
        for name, kind in kinds.items()
    ]
    return "\n".join(table_lines(("layers", "cycles", *CAUSES), rows, text=1))


def _lost(case: Results) -> Counter[str]:
    """Cycles of all layers by cause."""
    lost: Counter[str] = Counter()
    for layer in case["layers"]:
        lost.update(layer["causes"])
    return lost


def layer_losses(results: Sequence[Results]) -> str:
    """Cycles of every layer by cause, a table for each network and accelerator of `edge`."""
    lines = []
    titles = ("layer", "kind", "cycles", "utilization", *CAUSES)
    for case in results:
        if case["name"] == "tiny":
            continue
        lines += [
            f"### {case['network']}, {_size(case)}",
            "",
            f"{accelerator_text(case['accelerator'])}: {case['cycles']:,} cycles.",
            "",
            *table_lines(titles, [_layer_cells(layer, case) for layer in case["layers"]], text=2),
            "",
        ]
    return "\n".join(lines)


def _size(case: Results) -> str:
    return (
        "the `edge` default" if case["name"] == DEFAULT else f"best of {int(case['name']):,} MACs"
    )


def _layer_cells(layer: Results, case: Results) -> list[str]:
    share = layer["macs"] / (layer["cycles"] * case["macs_per_cycle"])
    causes = (layer["causes"].get(cause, 0) for cause in CAUSES)
    return [
        *(f"`{layer['name']}`", layer["kind"].replace("_", " "), f"{layer['cycles']:,}"),
        *(f"{100 * share:.1f} %", *(f"{cycles:,}" for cycles in causes)),
    ]


def spilled_layers(results: Sequence[Results]) -> str:
    """Layers of the accelerators of `edge` that wait for a tensor in external memory, and what that costs."""
    rows = [
        [
            *(case["network"], _size(case), f"`{layer['name']}`"),
            *(f"{layer['written_bytes']:,}", f"{layer['read_bytes']:,}"),
            f"{layer['causes']['spills']:,}",
            f"{100 * layer['causes']['spills'] / case['cycles']:.1f} %",
        ]
        for case in results
        if case["name"] != "tiny"
        for layer in case["layers"]
        if "spills" in layer["causes"]
    ]
    titles = ("network", "accelerator", "layer", "bytes written", "bytes read", "cycles", "of all")
    return "\n".join(table_lines(titles, rows, text=3))


def edge_optima(results: Results) -> str:
    """Accelerators of fewest warm and of fewest cold cycles within each area."""
    titles = ("network", "area", "fewest", "accelerator", "warm cycles", "cold cycles", "area, mm²")
    rows = []
    for name, row in results.items():
        picks = [("the default", "-", row["default"])] if "default" in row else []
        picks += [
            (_AREAS[budget], entry, best)
            for budget, entries in row["optima"].items()
            for entry, best in entries.items()
        ]
        rows += [
            [
                name,
                area,
                entry,
                accelerator_text(best["accelerator"]),
                f"{best['predicted_cycles']:,}",
                f"{best['predicted_cold_cycles']:,}",
                f"{best['area']:.1f}",
            ]
            for area, entry, best in picks
        ]
    return "\n".join(table_lines(titles, rows, text=4))


def edge_trade(results: Results) -> str:
    """Fewest warm and cold cycles for each value of a field, all others free, within each area."""
    titles = ["network", "field", "value"]
    titles += [f"{_AREAS[area]}: {entry}" for area in _AREAS for entry in ("warm", "cold")]
    rows = []
    for name, row in results.items():
        for field, values in row["pinned"]["default"].items():
            for index, value in enumerate(values):
                cells = [
                    _cycles(row["pinned"][area][field][index][entry])
                    for area in _AREAS
                    for entry in ("warm", "cold")
                ]
                rows.append([name, f"`{field}`", f"{value['value']:g}", *cells])
    return "\n".join(table_lines(titles, rows, text=2))


def _cycles(value: int | None) -> str:
    return "none fits" if value is None else f"{value:,}"


def edge_utilization(results: Sequence[Results]) -> str:
    """Best accelerators by number of MACs within the default's area, and what their cycles are lost to."""
    causes = CAUSES[1:]
    titles = ("network", "accelerator", "MACs", "warm cycles", "utilization", *causes)
    rows = []
    for case in results:
        if case["name"] in ("tiny", DEFAULT):
            continue
        lost, macs = _lost(case), sum(layer["macs"] for layer in case["layers"])
        rows.append(
            [
                case["network"],
                accelerator_text(case["accelerator"]),
                f"{case['macs_per_cycle']:,}",
                f"{case['cycles']:,}",
                f"{100 * macs / (case['cycles'] * case['macs_per_cycle']):.1f} %",
                *(f"{100 * lost[cause] / lost.total():.1f} %" for cause in causes),
            ]
        )
    return "\n".join(table_lines(titles, rows, text=2))


def headline(results: Results) -> str:
    """Networks in RTL on the default of `edge` and on the best accelerators: cycles, and what differs."""
    titles = (
        *("network", "accelerator", "MACs", "warm cycles", "cold cycles", "each of a stream"),
        *("utilization", "while EXECUTE is busy", "descriptors", "cycles that differ"),
        "activations that differ",
    )
    rows = [
        [
            run["network"],
            "the `edge` default" if run["name"] == DEFAULT else accelerator_text(run["accelerator"]),
            f"{run['macs_per_cycle']:,}",
            f"{run['warm_cycles']:,}",
            f"{run['cold_cycles']:,}",
            "no stream" if run["stream_cycles"] is None else f"{run['stream_cycles']:,}",
            *(f"{100 * run[name]:.1f} %" for name in ("utilization", "busy_utilization")),
            *(f"{run[name]:,}" for name in ("descriptors", "mismatched_cycles", "mismatched_activations")),
        ]
        for run in results["runs"]
    ]  # fmt: skip
    made = (
        f"{results['images']} random images each; gateware `{results['gateware_hash'][:12]}`, "
        f"{results['date']}, Verilator {results['verilator']}, {results['processor']}."
    )
    return "\n".join([*table_lines(titles, rows, text=2), "", made])


def small_optima(results: Results) -> str:
    """Accelerators of fewest warm and of fewest cold cycles where local memories may be small and buses wide."""
    return edge_optima({name: {"optima": row["optima"]} for name, row in results.items()})


def memory_pairs(results: Results) -> str:
    """Fewest warm cycles for each local memory and weight store, all other fields free, within each area."""
    stores = next(iter(results.values()))["pairs"]["default"][0]["warm"]
    titles = ["network", "area", "KiB per PE", *(_store(int(store)) for store in stores)]
    rows = [
        [name, _AREAS[area], f"{pair['local_memory_kb']}", *map(_cycles, pair["warm"].values())]
        for name, row in results.items()
        for area, pairs in row["pairs"].items()
        for pair in pairs
    ]
    return "\n".join(table_lines(titles, rows, text=2))


def _store(kib: int) -> str:
    return f"{kib:,} KiB of store" if kib else "no store"


def bandwidth_memories(results: Results) -> str:
    """Fewest cycles for each bandwidth within each area, and the memories of the accelerator that has them."""
    titles = ["network", "area", "GB/s"]
    for entry in ("warm", "cold"):
        titles += [f"{entry} cycles", "KiB per PE", "KiB of store"]
    rows = []
    for name, row in results.items():
        for area, values in row["bandwidths"].items():
            for value in values:
                cells = [name, _AREAS[area], f"{value['io_bandwidth_gbps']:g}"]
                for entry, column in (
                    ("warm", "predicted_cycles"),
                    ("cold", "predicted_cold_cycles"),
                ):
                    best = value[entry]
                    chosen = best["accelerator"]
                    cells += [f"{best[column]:,}", f"{chosen['local_memory_kb']:,}"]
                    cells.append(f"{chosen.get('weight_store_kb', 0):,}")
                rows.append(cells)
    return "\n".join(table_lines(titles, rows, text=2))

"""Tables of the pages on the claims of papers, on the joint truth, and on shared accelerators."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from claim_verdicts import percent, times
from page_tables import NOT_YET, table_lines

__all__ = [
    "accelerator_regrets",
    "claims",
    "default_gains",
    "joint_front",
    "joint_in_rtl",
    "joint_reading",
    "joint_searches",
    "learned_proposals",
    "shared_accelerators",
    "shared_front",
    "tuned_strategies",
]

Results = Mapping[str, Any]


def claims(results: Results) -> str:
    """Claims of a paper, its setting and ours, and whether they hold here; and what the figures were made with."""
    if not results["claims"]:
        return NOT_YET
    titles = ("claim", "setting of the paper", "setting here", "measured", "rule", "reproduced")
    names = ("claim", "theirs", "ours", "figure", "rule", "reproduced")
    rows = [[claim[name] for name in names] for claim in results["claims"]]
    made, settings = results["digests"], results["settings"]
    return "\n".join(
        [
            *table_lines(titles, rows, text=len(titles)),
            "",
            f"{settings['seeds']} seeds, {settings['budget']:,} evaluations; gateware `{made['gateware'][:12]}`, fits "
            f"`{made['fits'][:12]}`, sources `{made['sources'][:12]}`.",
        ]
    )


def default_gains(results: Results) -> str:
    """Gains over default hardware of each network: of the agent, or of exact optima, warm and cold, bandwidth free and pinned."""
    figures = results["figures"]
    if not figures:
        return NOT_YET
    cases = [(bandwidth, entry) for bandwidth in ("free", "pinned") for entry in ("warm", "cold")]
    titles = ["network", "images", "space", "metric", *(", ".join(case) for case in cases)]
    rows = []
    for name, row in figures.items():
        for metric, gains in row["metrics"].items():
            cells = [_gain(gains[bandwidth].get(entry)) for bandwidth, entry in cases]
            rows.append([name.partition(" on ")[0], row["images"], row["space"], metric, *cells])
    return "\n".join(table_lines(titles, rows, text=4))


def _gain(cell: Results | None) -> str:
    if cell is None:
        return "not measured"
    if "optima" in cell:
        return times(cell["optima"])
    return f"{times(cell['agent'])}; optimum {cell['optimum']:.2f}×"


def learned_proposals(results: Results) -> str:
    """Share of the agent's proposals that cannot be realized, by part of the search, beside that of the space."""
    rows = [
        [
            name.partition(" on ")[0],
            row["space"],
            f"{100 * row['not_realizable']:.1f} %",
            *(percent(part, 1) for part in row["proposals"]["by_part"]),
        ]
        for name, row in results["figures"].items()
        if "proposals" in row
    ]
    if not rows:
        return NOT_YET
    titles = ["network", "space", "of the space"]
    titles += [f"{place} quarter" for place in ("first", "second", "third", "last")]
    return "\n".join(table_lines(titles, rows, text=2))


def accelerator_regrets(results: Results) -> str:
    """Regret of searches of accelerators by evaluations, with the range over networks and seeds."""
    regrets = results["figures"].get("hardware")
    if not regrets:
        return NOT_YET
    counts = list(next(iter(regrets.values())))
    rows = [[name, *(_regret(row[count]) for count in counts)] for name, row in regrets.items()]
    titles = ["strategy", *(f"{int(count):,} evaluations" for count in counts)]
    return "\n".join(table_lines(titles, rows, text=1))


def _regret(spread: Results) -> str:
    without = f"; {spread['infeasible']} without a design" if spread["infeasible"] else ""
    return f"{percent(spread)}{without}"


def joint_front(results: Results) -> str:
    """Pairs of a kept front, and the ends of their costs."""
    front = results["front"]
    clock_mhz = results["space"]["clock_mhz"]
    cycles, energy = front["cycles"], front["energy"]
    titles = ["pairs", "on the front", "networks of them", "accelerators of them"]
    titles += ["latency, ms", "energy, µJ"]
    counts = [results["pairs"], *(len(set(front[name])) for name in ("network", "accelerator"))]
    row = [f"{counts[0]:,}", f"{len(cycles):,}", *(f"{count:,}" for count in counts[1:])]
    row.append(f"{min(cycles) / clock_mhz / 1000:.3f} … {max(cycles) / clock_mhz / 1000:.1f}")
    row.append(f"{min(energy) / 1e6:.1f} … {max(energy) / 1e6:,.0f}")
    return "\n".join(table_lines(titles, [row], text=0))


def joint_in_rtl(results: Results) -> str:
    """Pairs of a joint enumeration that ran in RTL, and what differs."""
    if not results.get("random"):
        return NOT_YET
    titles = ["pairs", "ran", "networks", "accelerators", "activations compared", "differ"]
    titles += ["descriptors compared", "differ", "other cycles than enumerated", "failed"]
    rows = []
    for name, part in (("random", results["random"]), ("of the front", results["front"])):
        counts = [part[figure] for figure in ("pairs", "networks", "accelerators")]
        counts += [part["activations"], part["bit_differences"]]
        counts += [part["descriptors"], part["timing_differences"]]
        counts += [part["other_than_enumerated"], len(part["failures"])]
        rows.append([name, *(f"{count:,}" for count in counts)])
    return "\n".join(table_lines(titles, rows, text=1))


def joint_reading(results: Results) -> str:
    """Sentences on the strategies that come closest to the joint optimum, and on the others."""
    if not results.get("strategies"):
        return NOT_YET
    regrets = {
        name: [
            1.0 if search["design"] is None else search["design"]["regret"]
            for search in entry["searches"]
        ]
        for name, entry in results["strategies"].items()
    }
    order = sorted(regrets, key=lambda name: (median(regrets[name]), max(regrets[name])))
    best = order[0]
    searches = results["strategies"][best]["searches"]
    counts = sorted(search["evaluations_within"] or math.inf for search in searches)
    reached = counts[-1]  # with every seed
    within = "" if reached == math.inf else f", and within 2 % after {reached:,} at most"
    behind = ", ".join(f"`{name}` {100 * median(regrets[name]):.2f} %" for name in order[1:])
    return (
        f"Of all {results['joint']['pairs']:,} pairs of networks and accelerators the best is known. With {results['budget']:,} evaluations, "
        f"`{best}` ends within {100 * max(regrets[best]):.2f} % of its score with each of {len(searches)} seeds{within}. "
        f"The others, median of the seeds: {behind}."
    )


def joint_searches(results: Results) -> str:
    """Regret of each strategy from the joint optimum, and what it spent."""
    if not results.get("strategies"):
        return NOT_YET
    titles = ["strategy", "median regret", "worst", "within 2 %", "hypervolume", "evaluations"]
    titles += ["trainings", "not realizable", "above a budget", "CPU s"]
    rows = []
    for name, entry in results["strategies"].items():
        searches = entry["searches"]
        designs = [search["design"] for search in searches]
        regrets = [1.0 if design is None else design["regret"] for design in designs]
        seconds = [design["cpu_s"] for design in designs if design is not None]
        rows.append(
            [
                name,
                f"{100 * median(regrets):.2f} %",
                f"{100 * max(regrets):.2f} %",
                f"{sum(regret <= 0.02 for regret in regrets)} of {len(regrets)}",
                f"{median(search['hypervolume'] for search in searches):.4f}",
                *(
                    f"{median(search[figure] for search in searches):,.0f}"
                    for figure in ("evaluations", "trainings", "violations", "over_budget")
                ),
                f"{median(seconds or [0]):.0f}",
            ]
        )
    return "\n".join(table_lines(titles, rows, text=1))


def tuned_strategies(results: Results) -> str:
    """Settings that were chosen for each strategy, and the regret on the seeds that chose them."""
    if not results["strategies"]:
        return NOT_YET
    titles = (
        "strategy",
        "chosen",
        "tried",
        "mean regret on the seeds that chose it",
        "with the defaults",
    )
    rows = [
        [
            name,
            ", ".join(f"`{field} = {json.dumps(value)}`" for field, value in row["chosen"].items())
            or "the defaults",
            f"{row['tried']}",
            f"{100 * row['mean_regret']:.2f} %",
            f"{100 * row['default_mean_regret']:.2f} %",
        ]
        for name, row in results["strategies"].items()
    ]
    return "\n".join(table_lines(titles, rows, text=2))


def shared_accelerators(results: Results) -> str:
    """Prices of the best shared design of each space, metric and bandwidth."""
    if not results["spaces"]:
        return NOT_YET
    titles = ("space", "metric", "bandwidth", "chosen by", "accelerator", "mean price")
    rows = []
    for case, row in _shared_cases(results):
        for name, words in (("best_mean", "mean"), ("best_highest", "highest")):
            if row.get(name) is not None:
                design = row[name]
                cells = [f"{design['mean']:.3f}×", f"{design['highest']:.3f}×"]
                rows.append([*case, words, accelerator(design["accelerator"]), *cells])
    return "\n".join(table_lines((*titles, "highest price"), rows, text=5))


SHOWN = 6
"""Designs of a front that a page shows."""


def shared_front(results: Results) -> str:
    """Designs of the front of mean price and area, spread evenly over its area."""
    if not results["spaces"]:
        return NOT_YET
    titles = ["space", "metric", "bandwidth", "of the front", "area, mm²", "accelerator"]
    rows = []
    for case, row in _shared_cases(results):
        front = list(reversed(row.get("front") or []))  # by rising area
        for place in _spread_places([design["area"] for design in front]):
            design = front[place]
            words = accelerator(design["accelerator"])
            cells = [f"{design['mean']:.3f}×", f"{design['highest']:.3f}×"]
            number = f"{place + 1:,} of {len(front):,}"
            rows.append([*case, number, f"{design['area']:.3f}", words, *cells])
    return "\n".join(table_lines([*titles, "mean price", "highest price"], rows, text=6))


def _shared_cases(results: Results) -> Iterator[tuple[list[str], Results]]:
    """Space, metric and bandwidth, and the designs of each."""
    for space, metrics in results["spaces"].items():
        for metric, by_bandwidth in metrics.items():
            for bandwidth, row in by_bandwidth.items():
                yield [space, metric, bandwidth], row


def _spread_places(areas: Sequence[float]) -> list[int]:
    """Places of the values that are next to evenly spread areas, both ends included."""
    if not areas:
        return []
    step = (areas[-1] - areas[0]) / (SHOWN - 1)
    wanted = [areas[0] + step * number for number in range(SHOWN)]
    places = range(len(areas))
    nearest = [min(places, key=lambda place: abs(areas[place] - value)) for value in wanted]
    return sorted(set(nearest))


def accelerator(config: Results) -> str:
    """Accelerator in a few words."""
    return (
        f"{config['pes_x']}x{config['pes_y']} PEs, {config['compute_lanes']} lanes of {config['simd_units']}, "
        f"{config['local_memory_kb']} KiB, registers {config['register_file_kb']} KiB, "
        f"store {config.get('weight_store_kb', 0)} KiB, {config['io_bandwidth_gbps']} GB/s"
    )

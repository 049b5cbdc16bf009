"""Tables of the pages on the claims of papers, on the joint truth, and on shared accelerators."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from claim_verdicts import percent, times
from cosilico.comparison_joint_summary import WITHIN
from cosilico.joint.problems import PROBLEMS
from joint_problems import is_telling
from page_tables import NOT_YET, table_lines

__all__ = [
    "accelerator_regrets",
    "claims",
    "default_gains",
    "joint_front",
    "joint_in_rtl",
    "joint_problems",
    "joint_reading",
    "joint_regrets",
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
            f"{settings['seeds']} seeds, {settings['budget']:,} evaluations; gateware `{made['gateware'][:12]}`, prices "
            f"`{made['prices'][:12]}`, model `{made['model'][:12]}`, strategies `{made['strategies'][:12]}`.",
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


def joint_problems(results: Results) -> str:
    """How hard each problem is: its optimum, and what is within reach of it."""
    titles = (
        *("problem", "what is searched", "score", "budgets", "accuracy of the best", "its latency"),
        *("networks within 2 %", "accelerators", "pairs", "random pairs", "tells apart"),
    )
    clock_mhz = results["clock_mhz"]
    rows = []
    for name, row in results["problems"].items():
        exponent, best = row["cost_exponent"], row["optimum"]
        score = f"accuracy · {row['metric']}^{exponent}" if exponent else "accuracy"
        budgets = [f"{row['area_budget']:.2f} mm²"]
        if row["cycles_budget"] is not None:
            budgets.append(f"{row['cycles_budget'] / clock_mhz / 1000:.3g} ms")
        budgets += [f"`{field} = {value}`" for field, value in row["pins"].items()]
        latency = f"{best['cycles'] / clock_mhz / 1000:.3f} ms"
        cells = [f"{100 * best['accuracy']:.2f} %", latency]
        cells += [f"{row[count]:,}" for count in ("networks_within", "accelerators_within")]
        cells += [
            f"{row['pairs_within']:,} of {row['pairs_allowed']:,}",
            f"{row['random_pairs']:,}",
        ]
        told = "yes" if is_telling(row, results["networks"]) else "no"
        rows.append([f"`{name}`", PROBLEMS[name].text, score, ", ".join(budgets), *cells, told])
    return "\n".join(table_lines(titles, rows, text=4))


def joint_reading(results: Results) -> str:
    """Sentences on the strategies that come closest to the joint optima, and on the others."""
    if not results.get("problems"):
        return NOT_YET
    problems, ranks = results["problems"], mean_ranks(results)
    order = sorted(ranks, key=lambda name: (ranks[name], name))
    best = order[0]
    regrets = {
        name: [
            final_regret(search)
            for problem in problems.values()
            for search in problem["strategies"][name]["searches"]
        ]
        for name in order
    }
    near = {name: sum(regret <= WITHIN for regret in regrets[name]) for name in order}
    behind = ", ".join(
        f"`{name}` {near[name]} of {len(regrets[name])} (median {100 * median(regrets[name]):.2f} %)"
        for name in order[1:]
    )
    several = len(problems) > 1
    asked = f"{len(problems)} problems" if several else f"the problem `{next(iter(problems))}`"
    others = f" Of the others, by their mean rank: {behind}." if behind else ""
    return (
        f"Of all {results['pairs']:,} pairs of networks and accelerators the best is known for {asked}. With {results['budget']:,} evaluations, "
        f"`{best}` comes closest: {near[best]} of its {len(regrets[best])} searches end within 2 % of the best score, with a median regret of "
        f"{100 * median(regrets[best]):.2f} % and {100 * max(regrets[best]):.2f} % at most.{others}"
    )


def joint_regrets(results: Results) -> str:
    """Median regret of each strategy by problem, and its mean rank."""
    if not results.get("problems"):
        return NOT_YET
    problems, ranks = results["problems"], mean_ranks(results)
    titles = ("strategy", "mean rank", *(f"`{name}`" for name in problems))
    rows = []
    for name in sorted(ranks, key=lambda name: (ranks[name], name)):
        cells = []
        for problem in problems.values():
            searches = problem["strategies"][name]["searches"]
            regrets = [final_regret(search) for search in searches]
            near = sum(regret <= WITHIN for regret in regrets)
            cells.append(f"{regret_text(problem, median(regrets))} ({near}/{len(regrets)})")
        rows.append([name, f"{ranks[name]:.1f}", *cells])
    return "\n".join(table_lines(titles, rows, text=1))


def joint_searches(results: Results) -> str:
    """Regret and excess cost of each strategy and problem, and what was spent."""
    if not results.get("problems"):
        return NOT_YET
    titles = ["problem", "strategy", "median regret", "worst", "within 2 %", "evaluations to it"]
    titles += ["cost above least", "hypervolume", "evaluations", "trainings", "above a budget"]
    refused = any(
        search["violations"]
        for problem in results["problems"].values()
        for entry in problem["strategies"].values()
        for search in entry["searches"]
    )
    titles += ["not realizable"] if refused else []
    counts = ("evaluations", "trainings", "over_budget", *(("violations",) if refused else ()))
    rows = []
    for problem_name, problem in results["problems"].items():
        for name, entry in problem["strategies"].items():
            searches = entry["searches"]
            regrets = [final_regret(search) for search in searches]
            designs = [search["design"] for search in searches if search["design"] is not None]
            reached = sorted(search["evaluations_within"] or math.inf for search in searches)
            middle = reached[len(reached) // 2]
            volumes = [search["hypervolume"].get("end") for search in searches]
            known = [volume for volume in volumes if volume is not None]
            rows.append(
                [
                    f"`{problem_name}`",
                    name,
                    regret_text(problem, median(regrets)),
                    regret_text(problem, max(regrets)),
                    f"{sum(regret <= WITHIN for regret in regrets)} of {len(regrets)}",
                    "never" if middle == math.inf else f"{middle:,}",
                    f"{100 * median(design['excess_cost'] for design in designs):.1f} %"
                    if designs
                    else "no design",
                    f"{median(known):.3f}" if known else "not measured",
                    *(f"{median(search[count] for search in searches):,.0f}" for count in counts),
                ]
            )
    none = "" if refused else "\n\nEvery pair of these searches is realizable."
    return "\n".join(table_lines(titles, rows, text=2)) + none


def final_regret(search: Results) -> float:
    """Regret of a search's design; 1 where it has none."""
    return 1.0 if search["design"] is None else float(search["design"]["regret"])


def regret_text(problem: Results, regret: float) -> str:
    """Regret in percent of the score; in points where that is an accuracy."""
    if problem["cost_exponent"] == 0:
        return f"{100 * regret * problem['optimum']['score']:.2f} points"
    return f"{100 * regret:.2f} %"


def mean_ranks(results: Results) -> dict[str, float]:
    """Mean over the problems of each strategy's rank by its median regret, 1 for the best. Equal strategies share theirs."""
    ranks: dict[str, list[float]] = {}
    for problem in results["problems"].values():
        medians = {
            name: median(final_regret(search) for search in entry["searches"])
            for name, entry in problem["strategies"].items()
        }
        for name, own in medians.items():
            better = sum(other < own for other in medians.values())
            equal = sum(other == own for other in medians.values())
            ranks.setdefault(name, []).append(better + (equal + 1) / 2)
    return {name: sum(each) / len(each) for name, each in ranks.items()}


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
    tried = (
        f"Each of the settings was tried on {len(results['problems'])} problems with {results['seeds']} seeds each, searches of "
        f"{results['budget']:,} evaluations."
    )
    return "\n".join([*table_lines(titles, rows, text=2), "", tried])


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

"""RHNAS's claims: gains over default hardware at equal area, and proposals that cannot be built.

Networks are enumerated on their spaces. The hardware agent searches the enumerated tables, in warm and in cold runs, with
the bandwidth free and with the default's; its designs are compared with the default, beside the optimum. Networks of
NAS-Bench-201 have exact optima: those of a joint enumeration's front, each on all of its accelerators.

    python benchmarks/claims_rhnas.py [--joint DIR] [--work DIR] [--out FILE] [--seeds N] [--budget N] [--smoke]
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from claim import Claim, Record, Settings, begin, run_tasks, spread, write_claims
from claim_gains import (
    BANDWIDTHS,
    Entry,
    accelerators,
    entries_of,
    entry_column,
    front_networks,
    pinned,
)
from claim_verdicts import NOT_MEASURED, REACHED, medians, percent, reached, times
from cosilico.enumeration import enumerate_network
from cosilico.joint.source import is_joint, joint_digests, read_joint, resolved
from cosilico.joint.space import JointSpace
from cosilico.progress import progress_bar
from joint_searches import objective_of
from proposals import ProposalLog, not_realizable
from search.in_memory import search_in_memory
from search.networks.cells import CellMember, CellNetworks
from search.strategies.hardware_settings import HardwareSettings
from search.tabulated import TabulatedCosts, arrays_of, table_of
from sim.cost.area import area
from sim.cost.columns import COST_COLUMNS
from sim.cost.costs import evaluate_many
from sim.cost.objective import Metric, Objective
from sim.cost.table import CostTable
from sim.networks.named import named_network
from sim.spec.errors import NotRealizableError
from sim.spec.files import write_atomic
from sim.spec.network import Network
from sim.spec.npz import npz_bytes, read_arrays
from sim.spec.spaces import EDGE, NAHAS, TINY, HardwareSpace

METRICS: tuple[Metric, ...] = ("latency", "edp")

DESIGNS = 16
"""Designs of an update: with the agent's own 128, a thousand evaluations are eight updates, in which it learns little."""

PARTS = 4
"""Parts of a search, by proposals, whose shares of designs that cannot be built are told apart."""

MATTERS = 0.05
"""Share of a space that cannot be realized from which on learning to avoid it is judged."""

CLAIMED = {
    ("ImageNet", "latency"): 1.84,
    ("ImageNet", "edp"): 1.86,
    ("CIFAR-10", "latency"): 2.81,
    ("CIFAR-10", "edp"): 3.30,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A network and the space on which its accelerator is searched.

    Parameters
    ----------
    network : str
    space : HardwareSpace
    images : str
        Images of the network.
    size : str
        Size of the claim that it is judged by; empty for none.
    gains : bool
        Whether its gains are measured, or only what its proposals break.
    """

    network: str
    space: HardwareSpace
    images: str
    size: str = ""
    gains: bool = True

    @property
    def name(self) -> str:
        """Name in results and in keys."""
        return f"{self.network} on {self.space.name}"


SUBJECTS = (
    Subject(network="mobilenet_v2", space=EDGE, images="ImageNet, 224×224", size="ImageNet"),
    Subject(network="efficientnet_lite0", space=EDGE, images="ImageNet, 224×224", size="ImageNet"),
    Subject(network="resnet8", space=TINY, images="CIFAR-10, 32×32", size="CIFAR-10"),
    Subject(network="mobilenet_v1_025", space=TINY, images="visual wake words, 96×96"),
    Subject(network="ds_cnn", space=TINY, images="keywords, 49×10"),
    Subject(network="ds_cnn", space=NAHAS, images="keywords, 49×10", gains=False),
)

NAS_BENCH = "NAS-Bench-201"
"""Name of the joint enumeration's networks in the results; they are for CIFAR-10."""


def main() -> None:
    """Search all networks; write the results anew after each."""
    begin(__doc__, __file__, measure)


def measure(settings: Settings) -> dict[str, Any]:
    """Measure all networks, write the claims, and return the figures."""
    figures: dict[str, Any] = {}
    subject = str(settings.joint)
    truth = read_joint(subject) if is_joint(subject) else None
    if truth is not None and isinstance(truth.networks, CellNetworks):
        figures[NAS_BENCH] = bench_gains(truth, settings)
    chosen = SUBJECTS[-2:] if settings.smoke else SUBJECTS
    for each in chosen:
        figures[each.name] = measured(each, settings)
        write_claims(settings, claims(figures), figures)
    return figures


def measured(subject: Subject, settings: Settings) -> dict[str, Any]:
    """Gains and proposals of a network on its space."""
    space = smaller(subject.space) if settings.smoke else subject.space
    network = named_network(subject.network)
    table = enumerated(network, space, settings)
    cases = [
        (metric, bandwidth, entry)
        for metric in (METRICS if subject.gains else METRICS[:1])
        for bandwidth in (BANDWIDTHS if subject.gains else BANDWIDTHS[:1])
        for entry in (entries_of(metric) if subject.gains else entries_of(metric)[:1])
    ]
    tasks = {
        "|".join((*case, str(seed))): (subject.network, space.name, *case, settings.budget, seed)
        for case in cases
        for seed in range(settings.seeds)
    }
    identity = {"network": subject.network, "space": space.to_json(), "budget": settings.budget}
    records = run_tasks(
        settings,
        f"searches of {subject.network} on {space.name}",
        identity,
        tasks,
        searched,
        keep,
        (settings.tables.resolve(),),
    )
    made: dict[str, Any] = {
        "images": subject.images,
        "size": subject.size,
        "space": space.name,
        "points": len(space),
        "not_realizable": float(1 - table.realizable.mean()),
        "metrics": {},
    }
    for case in cases:
        metric, bandwidth, entry = case
        rows = [records["|".join((*case, str(seed)))] for seed in range(settings.seeds)]
        if subject.gains:
            by_bandwidth = made["metrics"].setdefault(metric, {}).setdefault(bandwidth, {})
            by_bandwidth[entry] = {
                "agent": spread([row["gain"] for row in rows]),
                "optimum": optimum_gain(table, space, *case),
            }
        if case == cases[0]:
            made["proposals"] = proposals(rows)
    return made


def proposals(rows: list[Record]) -> dict[str, Any]:
    """Shares of proposals that cannot be realized, by part of the search."""
    return {
        "proposals": spread([row["proposals"] for row in rows]),
        "by_part": [spread([row["parts"][part] for row in rows]) for part in range(PARTS)],
        "last": [row["parts"][-1] for row in rows],
    }


def optimum_gain(
    table: CostTable, space: HardwareSpace, metric: Metric, bandwidth: str, entry: str
) -> float:
    """Cost of the default over that of the best accelerator within its area."""
    objective = Objective(metric=metric, area_budget=area(space.default).total)
    default = space.flat_index(space.default)
    costs = objective.cost(Entry(table, entry))
    allowed = np.zeros(len(table), np.bool_)
    allowed[accelerators(space, bandwidth)] = True
    allowed &= np.asarray(objective.feasible(table), np.bool_)
    if not allowed[default]:
        raise NotRealizableError(
            f"default of space {space.name} must run the network, but it does not"
        )
    return float(costs[default] / costs[allowed].min())


def smaller(space: HardwareSpace) -> HardwareSpace:
    """Space of the first and the last value of each field, and the default's."""
    values = {
        name: tuple(sorted({each[0], getattr(space.default, name)}))
        for name, each in space.values.items()
    }
    return replace(space, name=f"{space.name}{_SMALL}", values=values)


_SMALL = "_small"

_SPACES: Mapping[str, HardwareSpace] = {
    name: each
    for whole in (TINY, EDGE, NAHAS)
    for name, each in ((whole.name, whole), (f"{whole.name}{_SMALL}", smaller(whole)))
}
"""Spaces by the names that a process is told."""


def enumerated(network: Network, space: HardwareSpace, settings: Settings) -> CostTable:
    """All points of a space, kept in the folder."""
    path = _table_file(settings.tables, network.name, space)
    if not path.exists():
        with progress_bar() as report:
            table = enumerate_network(
                network, space, report, jobs=settings.jobs, scheduler=settings.scheduler
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, npz_bytes(arrays_of(table)))
    return table_of(space, read_arrays(path, "table", finite=True))


def _table_file(folder: Path, network: str, space: HardwareSpace) -> Path:
    return folder / f"{space.name}-{network}.npz"


_folder: list[Path] = []
"""Folder of the tables, of a process."""


def keep(folder: Path) -> None:
    """Prepare a process."""
    torch.set_num_threads(1)
    _folder[:] = [folder]
    _costs.cache_clear()
    _table.cache_clear()


@lru_cache(maxsize=1)
def _table(network: str, space: str) -> CostTable:
    path = _table_file(_folder[0], network, _SPACES[space])
    return table_of(_SPACES[space], read_arrays(path, "table", finite=True))


@lru_cache(maxsize=2)
def _costs(network: str, space: str, bandwidth: str, entry: str) -> TabulatedCosts:
    """Costs of an entry by the names of the warm columns, on the accelerators that are compared."""
    whole, table = _SPACES[space], _table(network, space)
    part = pinned(whole) if bandwidth == "pinned" else whole
    if part is not whole:
        table = table.select(accelerators(whole, bandwidth))
    values = {column: entry_column(table, column, entry) for column in table.values}
    return TabulatedCosts(part, named_network(network), replace(table, values=values))


def searched(
    network: str,
    space: str,
    metric: Metric,
    bandwidth: str,
    entry: str,
    budget: int,
    seed: int,
) -> dict[str, Any]:
    """Search once with the agent.

    Returns
    -------
    dict
        ``gain`` : float, the default's cost over the design's; ``proposals`` : int; ``parts`` : list of float, share of each
        part's proposals that cannot be realized.
    """
    whole = _SPACES[space]
    part = pinned(whole) if bandwidth == "pinned" else whole
    costs = _costs(network, space, bandwidth, entry)
    objective = Objective(metric=metric, area_budget=area(whole.default).total)
    log = ProposalLog(costs)
    search_in_memory(
        named_network(network),
        part,
        objective,
        agent_settings(metric, budget),
        costs,
        seed=seed,
        evaluator_of=lambda _: log,
    )
    default = log.records[0]
    best = min(filter(objective.feasible, log.records), key=objective.rank)
    # Every update asks for the default first, to compare its designs with it
    drawn = [row for asked in log.asked if asked.phase == "agent" for row in asked.rows[1:]]
    return {
        "gain": float(objective.cost(default)) / float(objective.cost(best)),
        "proposals": len(drawn),
        "parts": [
            not_realizable([drawn[place] for place in places])
            for places in np.array_split(np.arange(len(drawn)), PARTS)
        ],
    }


def agent_settings(metric: Metric, budget: int) -> HardwareSettings:
    """Settings with which the agent learns within a budget: small updates, and no polish, so that all proposals are its own."""
    return HardwareSettings(
        metric=metric,
        budget=budget,
        polish=False,
        designs_per_update=DESIGNS,
        updates=math.ceil(budget / DESIGNS) + 1,
    )


_truth: list[JointSpace] = []
"""Joint space of a process."""


def keep_truth(subject: str) -> None:
    """Prepare a process."""
    _truth[:] = [read_joint(subject)]


def bench_gains(truth: JointSpace, settings: Settings) -> dict[str, Any]:
    """Gains of the optimum over the default for each network of the front within the default's area."""
    names = {
        name: None
        for metric in METRICS
        for name in front_networks(truth, objective_of(truth, metric))
    }
    subject = str(settings.joint)
    records = run_tasks(
        settings,
        "networks of the front",
        joint_digests(subject),
        {name: (name,) for name in list(names)[: 3 if settings.smoke else None]},
        optima,
        keep_truth,
        (resolved(subject),),
    )
    return {
        "images": "CIFAR-10, 32×32",
        "size": "CIFAR-10",
        "space": truth.space.name,
        "points": len(truth.space),
        "networks": len(records),
        "metrics": {
            metric: {
                bandwidth: {
                    entry: {
                        "optima": spread(
                            [row[metric][bandwidth][entry] for row in records.values()]
                        )
                    }
                    for entry in entries_of(metric)
                }
                for bandwidth in BANDWIDTHS
            }
            for metric in METRICS
        },
    }


def optima(name: str) -> dict[str, Any]:
    """Gains of a network's best accelerators over the default, by metric, bandwidth and entry."""
    truth = _truth[0]
    space = truth.space
    network = truth.networks.network(CellMember(key=name))
    table = evaluate_many(list(space), network, columns=tuple(COST_COLUMNS), limits=space.limits)
    return {
        metric: {
            bandwidth: {
                entry: optimum_gain(table, space, metric, bandwidth, entry)
                for entry in entries_of(metric)
            }
            for bandwidth in BANDWIDTHS
        }
        for metric in METRICS
    }


def claims(figures: Mapping[str, Any]) -> list[Claim]:
    """Claims of the paper beside the figures of all networks of a size."""
    made = [
        _gain_claim(figures, size, metric, theirs) for (size, metric), theirs in CLAIMED.items()
    ]
    judged = {
        name: row
        for name, row in figures.items()
        if "proposals" in row and row["not_realizable"] >= MATTERS
    }
    learned = {
        name: sum(share < row["not_realizable"] for share in row["proposals"]["last"])
        for name, row in judged.items()
    }
    enough = [
        count >= 0.9 * len(judged[name]["proposals"]["last"]) for name, count in learned.items()
    ]
    made.append(
        Claim(
            claim="the agent learns to propose what can be realized",
            theirs="share of proposals that cannot be realized falls with training",
            ours=f"proposals of the agent, repeats included, in updates of {DESIGNS} designs; spaces of which at "
            f"least {100 * MATTERS:.0f} % cannot be realized; warm latency, bandwidth free",
            figure="; ".join(
                f"{name}: {100 * row['not_realizable']:.1f} % of the space, first quarter "
                f"{percent(row['proposals']['by_part'][0], 1)}, last {percent(row['proposals']['by_part'][-1], 1)}"
                for name, row in judged.items()
            )
            or "no such space",
            rule="yes if on each of these spaces the last quarter has a lower share than the space with nine seeds of "
            "ten, in part if on some",
            reproduced=NOT_MEASURED
            if not enough
            else "yes"
            if all(enough)
            else "in part"
            if any(enough)
            else "no",
        )
    )
    return made


def _gain_claim(figures: Mapping[str, Any], size: str, metric: str, theirs: float) -> Claim:
    parts, values = [], []
    for name, row in figures.items():
        if row["size"] != size or metric not in row["metrics"]:
            continue
        cells = {
            (bandwidth, entry): cell.get("agent") or cell["optima"]
            for bandwidth, entries in row["metrics"][metric].items()
            for entry, cell in entries.items()
        }
        values += medians(cells.values())
        parts.append(
            f"{name}: "
            + ", ".join(f"{' '.join(case)} {times(cell)}" for case, cell in cells.items())
        )
    cold = len(entries_of(metric)) > 1
    return Claim(
        claim=f"{theirs:.2f}× less {'EDP' if metric == 'edp' else metric} than default hardware, {size}",
        theirs="network and accelerator searched together, equal area, no limit of bandwidth",
        ours="accelerator searched for given networks within the default's area, bandwidth free and pinned, warm and "
        + ("cold" if cold else "not cold, whose energy the model does not have")
        + ": median of the agent's seeds, of NAS-Bench-201 median of the exact optima of the front's networks",
        figure="; ".join(parts) or NOT_MEASURED,
        rule=REACHED,
        reproduced=reached(values, theirs),
    )


if __name__ == "__main__":
    main()

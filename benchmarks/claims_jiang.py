"""Claims of Jiang et al.: trainings that the fast level avoids; throughput and energy efficiency over fixed hardware.

Two-level and single-level searches run on a joint enumeration with budgets of latency that some, half and most of the
networks miss. Both are judged by the most accurate network within the budget that they have trained. The gains at equal
accuracy are those of the exact optima.

    python benchmarks/claims_jiang.py --joint DIR [--work DIR] [--out FILE] [--seeds N] [--budget N] [--smoke]
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from claim import Claim, Record, Settings, begin, spread, write_claims
from claim_gains import BANDWIDTHS, accelerators, fixed_hardware_gains, least_costs
from claim_searches import JointTask, run_searches, spending
from claim_verdicts import REACHED, percent, reached, times
from cosilico.joint.truth import JointTruth, read_truth
from joint_searches import objective_of
from search.strategies.nahas_settings import NahasJointSettings
from search.strategies.two_level_settings import TwoLevelSettings

MISSED = (0.2, 0.5, 0.8)
"""Shares of the networks that no accelerator within the area makes fast enough."""

TWO, SINGLE = "two-level", "nahas-joint"

THEIR_SPEED = 136
"""Times that the paper's search is faster."""


def main() -> None:
    """Measure everything; write the results."""
    begin(__doc__, __file__, measure)


def measure(settings: Settings) -> dict[str, Any]:
    """Measure everything, write the claims, and return the figures."""
    truth = read_truth(settings.joint)
    limits = {
        f"{100 * missed:.0f} % miss, bandwidth {bandwidth}": (bandwidth, *limit)
        for bandwidth in BANDWIDTHS
        for missed, limit in specifications(truth, bandwidth).items()
    }
    tasks: dict[str, JointTask] = {}
    for name, (bandwidth, limit, _) in limits.items():
        objective = objective_of(truth, "latency", limit)
        two = spending(TwoLevelSettings(), settings.budget)
        single = spending(NahasJointSettings(reward="hard"), settings.budget)
        for strategy, chosen in ((TWO, two), (SINGLE, single)):
            tasks[f"{strategy}, {name}"] = JointTask(
                settings=chosen, objective=objective, space=bandwidth
            )
    searches = run_searches(settings, tasks)
    figures: dict[str, Any] = {
        "specifications": {
            name: compared(searches[f"{TWO}, {name}"], searches[f"{SINGLE}, {name}"], limit, best)
            for name, (_, limit, best) in limits.items()
        }
    }
    for metric in ("latency", "energy"):
        objective = objective_of(truth, metric)
        figures[metric] = {
            name: fixed_hardware_gains(truth, objective, bandwidth=name)["spread"]
            for name in BANDWIDTHS
        }
    write_claims(settings, claims(figures), figures)
    return figures


def specifications(truth: JointTruth, bandwidth: str) -> dict[float, tuple[float, float]]:
    """Budgets of cycles that these shares of the networks miss, each with the best accuracy that any pair has within it."""
    points = accelerators(truth.space, bandwidth)
    least = least_costs(truth, objective_of(truth, "latency"), points)
    made = {}
    for missed in MISSED:
        limit = float(np.quantile(least, 1 - missed, method="lower"))
        made[missed] = limit, float(truth.accuracies[least <= limit].max())
    return made


def compared(
    two: Sequence[Record], single: Sequence[Record], limit: float, best: float
) -> dict[str, Any]:
    """Both searches with a specification, seed by seed.

    Returns
    -------
    dict
        ``limit``, ``best`` : float, cycles and the best accuracy within them; for each search, spreads over the seeds of
        ``accuracy`` (the best within the budget of a network that it trained), ``behind`` (of the best that there is),
        ``trainings``, and ``avoided`` (share of the evaluated networks that it did not train); ``ratio`` : spread of the
        trainings that the single level needs over those that two levels need, up to the accuracy that both reach.
    """
    ratios = []
    for ours, theirs in zip(two, single, strict=True):
        if ours["curve"] and theirs["curve"]:
            equal = min(ours["curve"][-1][1], theirs["curve"][-1][1])
            ratios.append(trainings_to(theirs, equal) / trainings_to(ours, equal))
    return {
        "limit": limit,
        "best": best,
        **{
            name: {
                "accuracy": spread([_accuracy(row) for row in rows]),
                "behind": spread([best - _accuracy(row) for row in rows]),
                "trainings": spread([row["trainings"] for row in rows]),
                "avoided": spread([1 - row["trainings"] / row["networks"] for row in rows]),
            }
            for name, rows in ((TWO, two), (SINGLE, single))
        },
        "ratio": spread(ratios) if ratios else {"count": 0},
    }


def _accuracy(row: Record) -> float:
    return row["curve"][-1][1] if row["curve"] else 0.0


def trainings_to(row: Record, accuracy: float) -> int:
    """Trainings that a search spent until a network within the budget was as accurate."""
    return next(int(place) for place, reached_here in row["curve"] if reached_here >= accuracy)


def claims(figures: Mapping[str, Any]) -> list[Claim]:
    """Claims of the paper beside the figures."""
    known = figures["specifications"]
    ratios = [row["ratio"].get("median", 0.0) for row in known.values()]
    made = [
        Claim(
            claim="the fast level avoids trainings: 136× less search time",
            theirs="ImageNet and CIFAR-10, pipelines of FPGAs, time of trainings",
            ours="trainings that a search of one level (`nahas-joint`, hard reward) spends over those of two levels, up to the "
            "accuracy within the budget of warm latency that both reach; equal evaluations",
            figure="; ".join(
                f"{name}: {times(row['ratio'], digits=1)}" for name, row in known.items()
            ),
            rule="yes if the median reaches the figure with each specification, in part if it is above 1 with each",
            reproduced="yes"
            if min(ratios) >= THEIR_SPEED
            else "in part"
            if min(ratios) > 1
            else "no",
        ),
        Claim(
            claim="two levels lose no accuracy",
            theirs="higher accuracy than hardware-aware search of the network",
            ours="the best accuracy within the budget of networks that were trained, against that of all pairs",
            figure="; ".join(
                f"{name}: two levels {percent(row[TWO]['behind'])} behind the best, one level "
                f"{percent(row[SINGLE]['behind'])}"
                for name, row in known.items()
            ),
            rule="yes if the median of two levels is no further behind with each specification, in part with some",
            reproduced=_no_worse(known),
        ),
    ]
    for metric, label, theirs in (
        ("latency", "throughput", 1.3524),
        ("energy", "energy efficiency", 1.5405),
    ):
        gained = {
            name: {key: value - 1 for key, value in row.items()} | {"count": row["count"]}
            for name, row in figures[metric].items()
        }
        made.append(
            Claim(
                claim=f"{100 * (theirs - 1):.2f} % more {label} at equal accuracy than a search on fixed hardware",
                theirs="CIFAR-10 and ImageNet on FPGAs",
                ours="exact optima of both over all pairs, within the default's area; batch 1, warm runs; range over the "
                "accuracies of the default's front",
                figure=", ".join(
                    f"bandwidth {name} {percent(row, 1)}" for name, row in gained.items()
                ),
                rule=REACHED,
                reproduced=reached([row["median"] for row in figures[metric].values()], theirs),
            )
        )
    return made


def _no_worse(known: Mapping[str, Any]) -> str:
    held = [
        row[TWO]["behind"]["median"] <= row[SINGLE]["behind"]["median"] for row in known.values()
    ]
    return "yes" if all(held) else "in part" if any(held) else "no"


if __name__ == "__main__":
    main()

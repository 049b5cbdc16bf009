"""Claims of Jiang et al.: trainings that the fast level avoids; throughput and energy efficiency over fixed hardware.

Two-level and single-level searches run on a joint enumeration with budgets of latency that some, half and most of the
networks miss. The gains at equal accuracy are those of the exact optima.

    python benchmarks/claims_jiang.py --joint DIR [--work DIR] [--out FILE] [--seeds N] [--budget N] [--smoke]
"""

from typing import Any

import numpy as np

from claim import (
    Claim,
    Settings,
    fixed_hardware_gains,
    least_costs,
    settings_of,
    spread,
    write_claims,
)
from cosilico.joint.truth import JointTruth, read_truth
from joint_searches import objective_of, run_searches
from search.strategies.nahas_settings import NahasJointSettings
from search.strategies.two_level_settings import TwoLevelSettings
from sim.cost.objective import Objective

MISSED = (0.2, 0.5, 0.8)
"""Shares of the networks that no accelerator within the area makes fast enough."""


def main() -> None:
    """Measure everything; write the results."""
    measure(settings_of(__doc__, __file__))


def measure(settings: Settings) -> dict[str, Any]:
    """Measure everything, write the claims, and return the figures."""
    truth = read_truth(settings.joint)
    objectives = specifications(truth)
    tasks: dict[str, Any] = {}
    for missed, objective in objectives.items():
        tasks[f"two-level, {missed}"] = (TwoLevelSettings().spending(settings.budget), objective)
        single = NahasJointSettings(reward="hard").spending(settings.budget)
        tasks[f"nahas-joint, {missed}"] = (single, objective)
    searches = run_searches(settings, tasks)
    figures: dict[str, Any] = {
        "searches": {
            name: {
                "networks": spread([row["networks"] for row in rows]),
                "trainings": spread([row["trainings"] for row in rows]),
                "avoided": spread([1 - row["trainings"] / row["networks"] for row in rows]),
                "accuracy": spread([row["accuracy"] or 0.0 for row in rows]),
            }
            for name, rows in searches.items()
        }
    }
    for metric in ("latency", "energy"):
        objective = objective_of(truth, metric)
        figures[metric] = {
            name: fixed_hardware_gains(truth, objective, pinned=name == "pinned")["spread"]
            for name in ("free", "pinned")
        }
    write_claims(settings, claims(figures), figures)
    return figures


def specifications(truth: JointTruth) -> dict[str, Objective]:
    """Objectives whose budget of latency these shares of the networks miss."""
    least = least_costs(truth, objective_of(truth, "latency"))
    made = {}
    for missed in MISSED:
        limit = float(np.quantile(least, 1 - missed, method="lower"))
        made[f"{100 * missed:.0f} % miss"] = objective_of(truth, "latency", limit)
    return made


def claims(figures: dict[str, Any]) -> list[Claim]:
    """Claims of the paper beside the figures."""
    two = {name: row for name, row in figures["searches"].items() if name.startswith("two-level")}
    avoided = [row["avoided"]["median"] for row in two.values()]
    accuracies = {name: row["accuracy"]["median"] for name, row in figures["searches"].items()}
    made = [
        Claim(
            claim="the fast level avoids trainings: 136× less search time",
            theirs="ImageNet and CIFAR-10, pipelines of FPGAs, time of trainings",
            ours="share of the evaluated networks that are not trained, equal evaluations, three specifications",
            figure=", ".join(
                f"{100 * share:.0f} % ({name.partition(', ')[2]})"
                for name, share in zip(two, avoided, strict=True)
            )
            + "; accuracy "
            + ", ".join(f"{name} {100 * value:.2f} %" for name, value in accuracies.items()),
            reproduced="yes"
            if min(avoided) > 1 - 1 / 136
            else "in part"
            if min(avoided) > 0
            else "no",
        )
    ]
    for metric, label, theirs in (
        ("latency", "throughput", 1.35),
        ("energy", "energy efficiency", 1.54),
    ):
        free, pinned = (figures[metric][name] for name in ("free", "pinned"))
        medians = [free["median"], pinned["median"]]
        made.append(
            Claim(
                claim=f"{100 * (theirs - 1):.0f} % more {label} at equal accuracy than a search on fixed hardware",
                theirs="CIFAR-10 and ImageNet on FPGAs",
                ours="exact optima of both over all pairs, within the default's area; batch 1",
                figure=f"{100 * (medians[0] - 1):.0f} % (of the front {100 * (free['least'] - 1):.0f} … "
                f"{100 * (free['most'] - 1):.0f} %), bandwidth pinned {100 * (medians[1] - 1):.0f} %",
                reproduced="yes"
                if min(medians) >= theirs
                else "in part"
                if max(medians) >= theirs
                else "no",
            )
        )
    return made


if __name__ == "__main__":
    main()

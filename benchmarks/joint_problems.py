"""How hard the problems are by which co-searches are judged: what is within 2 % of each optimum, of all pairs.

    python benchmarks/joint_problems.py --joint DIR [--out FILE]

A problem tells strategies apart where neither a handful of networks nor most of them are within reach.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from cosilico.comparison_joint_run import joint_target
from cosilico.comparison_joint_summary import WITHIN
from cosilico.joint.judge import JointJudge
from cosilico.joint.problem import JointProblem
from cosilico.joint.problems import JUDGED, PROBLEMS, named_problem
from cosilico.joint.truth import JointTruth, read_truth
from cosilico.measured_state import measured_state
from sim.spec.files import write_atomic

__all__ = ["FEWEST", "MOST", "hardness", "is_telling", "measure"]

FEWEST, MOST = 20, 0.5
"""Networks within reach of a telling problem: at least so many, and at most this share of all."""

_ROWS = 256
"""Networks whose pairs are scored at once."""


def main() -> None:
    """Count for all problems; write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--joint", type=Path, default=Path("build/evidence/joint"))
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    arguments = parser.parse_args()
    content = measure(read_truth(arguments.joint))
    write_atomic(arguments.out, json.dumps(content, indent=1) + "\n")
    for name, row in content["problems"].items():
        print(f"{name}: {row['networks_within']:,} networks within {WITHIN:.0%}", flush=True)


def measure(truth: JointTruth) -> dict[str, Any]:
    """Figures of all problems on a joint space."""
    return {
        "benchmark": truth.benchmark,
        "space": truth.space.name,
        "clock_mhz": truth.space.clock_mhz,
        "networks": len(truth.names),
        "accelerators": len(truth.space),
        "pairs": truth.pairs,
        "digests": {
            name: digest for name, digest in measured_state().items() if name != "strategies"
        },
        "problems": {
            name: {"judged": name in JUDGED} | hardness(truth, named_problem(name, truth))
            for name in PROBLEMS
        },
    }


def hardness(truth: JointTruth, problem: JointProblem) -> dict[str, Any]:
    """Optimum of a problem, and how many networks, accelerators and pairs are within reach of it."""
    target = joint_target(truth, problem)
    judge = JointJudge(truth, problem, target)
    points = problem.points(truth)
    allowed = np.arange(len(truth.space)) if points is None else points
    objective = problem.objective
    p, q = objective.soft
    least = (1 - WITHIN) * judge.optimum.score
    networks, pairs, feasible_pairs = 0, 0, 0
    accelerators = np.zeros(len(allowed), np.bool_)
    for first in range(0, len(truth.names), _ROWS):
        rows = slice(first, first + _ROWS)
        block = truth.of_networks(rows, allowed)
        accuracies = truth.accuracies[rows][:, None]
        scores = objective.weighted_product(accuracies, block, p=p, q=q, target=target)
        feasible = np.asarray(objective.feasible(block), np.bool_)
        near = feasible & (scores >= least)
        networks += int(near.any(axis=1).sum())
        pairs += int(near.sum())
        feasible_pairs += int(feasible.sum())
        accelerators |= near.any(axis=0)
    total = len(truth.names) * len(allowed)
    best = truth.space.at(judge.optimum.accelerator)
    return {
        **problem.to_json(),
        "optimum": {
            "network": judge.optimum.network,
            "accelerator": best.to_json(),
            "accuracy": judge.optimum.accuracy,
            "cost": judge.optimum.cost,
            "cycles": int(
                truth.cycles[truth.numbers[judge.optimum.network], judge.optimum.accelerator]
            ),
        },
        "front": judge.front,
        "networks_within": networks,
        "accelerators_within": int(accelerators.sum()),
        "pairs_within": pairs,
        "pairs_allowed": total,
        "pairs_feasible": feasible_pairs,
        # Pairs that random search draws until it has hit at even odds
        "random_pairs": math.ceil(math.log(0.5) / math.log1p(-pairs / total)),
    }


def is_telling(row: dict[str, Any], networks: int) -> bool:
    """Whether a problem tells strategies apart, by its figures and the number of all networks."""
    return FEWEST <= int(row["networks_within"]) <= MOST * networks


if __name__ == "__main__":
    main()

"""Arguments, spreads and exact gains that the experiments on the claims of papers share."""

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosilico.cache import source_digest
from cosilico.joint.truth import JointTruth
from sim.cost.objective import Objective
from sim.spec.errors import CosilicoError
from sim.spec.files import write_atomic

__all__ = [
    "Claim",
    "Settings",
    "fixed_hardware_gains",
    "least_costs",
    "require_counts",
    "settings_of",
    "spread",
    "write_claims",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim of a paper, and what became of it here.

    Parameters
    ----------
    claim : str
        In the paper's figures.
    theirs, ours : str
        Setting.
    figure : str
        What was measured here, with its spread.
    reproduced : "yes", "no" or "in part"
    """

    claim: str
    theirs: str
    ours: str
    figure: str
    reproduced: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Arguments of an experiment.

    Parameters
    ----------
    joint : Path
        Folder of a joint enumeration.
    work, out : Path
        Folder of what is kept between runs; file of the results.
    seeds, budget, jobs : int
    scheduler : str or None
        Address of a Dask scheduler, in the place of processes.
    smoke : bool
        Whether all is made so small that it takes seconds.
    """

    joint: Path
    work: Path
    out: Path
    seeds: int
    budget: int
    jobs: int
    scheduler: str | None
    smoke: bool

    @property
    def tables(self) -> Path:
        """Folder of enumerated spaces, of the present model; all experiments share it."""
        return self.work.parent / "tables" / source_digest("sim")[:16]

    @property
    def documented(self) -> dict[str, Any]:
        """Settings that decide the figures, for the results file."""
        return {"seeds": self.seeds, "budget": self.budget, "smoke": self.smoke}


def settings_of(doc: str | None, file: str, words: Sequence[str] | None = None) -> Settings:
    """Parse the arguments that every experiment has.

    Parameters
    ----------
    doc : str or None
        Docstring of the experiment; its first line is the help.
    file : str
        Path of the experiment, whose results lie beside it.
    words : sequence of str, optional
        Those of the command line if not given.
    """
    name = Path(file).stem
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--joint", type=Path, default=Path("build/evidence/joint"))
    parser.add_argument("--work", type=Path, default=Path("build/evidence") / name)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--budget", type=int)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--scheduler")
    parser.add_argument("--smoke", action="store_true", help="seconds, and no figure that counts")
    given = parser.parse_args(words)
    try:
        require_counts(seeds=given.seeds, budget=given.budget, jobs=given.jobs)
    except CosilicoError as error:
        parser.exit(2, f"{name}: {error}\n")
    made = given.work / f"{name}.json" if given.smoke else Path(file).with_suffix(".json")
    given.work.mkdir(parents=True, exist_ok=True)
    return Settings(
        joint=given.joint,
        work=given.work,
        out=given.out or made,
        seeds=given.seeds or (2 if given.smoke else 10),
        budget=given.budget or (40 if given.smoke else 1000),
        jobs=given.jobs,
        scheduler=given.scheduler or None,
        smoke=given.smoke,
    )


def require_counts(**counts: int | None) -> None:
    """Raise unless each argument that is given is at least 1.

    Raises
    ------
    CosilicoError
    """
    for name, value in counts.items():
        if value is not None and value < 1:
            raise CosilicoError(f"--{name} must be an integer from 1 on, not {value}")


def spread(values: Sequence[float]) -> dict[str, float | int]:
    """Median, least and most of some figures, and their number."""
    known = np.array(values, np.float64)
    return {
        "median": float(np.median(known)),
        "least": float(known.min()),
        "most": float(known.max()),
        "count": len(known),
    }


def write_claims(settings: Settings, claims: Sequence[Claim], figures: Mapping[str, Any]) -> None:
    """Write what was measured, and the claims in words."""
    results = {
        "settings": settings.documented,
        "claims": [asdict(claim) for claim in claims],
        "figures": figures,
    }
    write_atomic(settings.out, json.dumps(results, indent=1) + "\n")
    for claim in claims:
        print(f"{claim.claim}: {claim.figure} ({claim.reproduced})", flush=True)


def least_costs(
    truth: JointTruth, objective: Objective, points: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Least cost of every network on accelerators that keep the budgets: float64[n], infinite where none does.

    Parameters
    ----------
    truth : JointTruth
    objective : Objective
    points : int64[k], optional
        Accelerators to choose from; all if not given.
    """
    least = np.full(len(truth.names), np.inf)
    for number in range(len(truth.names)):
        costs = truth.of_network(number)
        allowed = np.asarray(objective.feasible(costs), np.bool_)
        if points is not None:
            chosen = np.zeros(len(allowed), np.bool_)
            chosen[points] = True
            allowed = allowed & chosen
        if allowed.any():
            least[number] = np.asarray(objective.cost(costs))[allowed].min()
    return least


def fixed_hardware_gains(
    truth: JointTruth, objective: Objective, *, pinned: bool
) -> dict[str, Any]:
    """Cost of the best network on the default accelerator, over the least of all pairs at the same accuracy.

    Both are exact optima: of the networks on the default's front in accuracy and cost, each is compared with the
    cheapest pair of a network that is at least as accurate.

    Parameters
    ----------
    truth : JointTruth
    objective : Objective
    pinned : bool
        Whether only accelerators with the default's bandwidth are compared.
    """
    space = truth.space
    default = np.array([space.flat_index(space.default)], np.int64)
    points = None
    if pinned:
        wanted = space.default.io_bandwidth_gbps
        points = np.array(
            [i for i, config in enumerate(space) if config.io_bandwidth_gbps == wanted], np.int64
        )
    fixed = least_costs(truth, objective, default)
    free = least_costs(truth, objective, points)
    order = np.argsort(-truth.accuracies, kind="stable")
    gains: list[float] = []
    accuracies: list[float] = []
    best_fixed, best_free = np.inf, np.inf
    for number in order.tolist():
        best_free = min(best_free, free[number])
        if fixed[number] < best_fixed:
            best_fixed = fixed[number]
            # Networks of the same accuracy that come later count as well
            equal = truth.accuracies == truth.accuracies[number]
            cheapest = min(best_free, float(free[equal].min()))
            gains.append(float(best_fixed / cheapest))
            accuracies.append(float(truth.accuracies[number]))
    return {"gains": gains, "accuracies": accuracies, "spread": spread(gains)}

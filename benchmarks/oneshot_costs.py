"""One-shot searches with costs that were learned from many exact labels, and what their latencies are beside the target."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from claim import Record, Settings, run_tasks, spread
from cosilico.cache import document_digest, source_digest
from cosilico.comparison_joint_run import EPOCH_SHARE
from cosilico.joint.source import joint_digests, resolved
from cosilico.joint.truth import JointTruth, read_truth
from cosilico.progress import progress_bar
from search.determinism import deterministic_torch
from search.evaluator import Evaluation, Evaluator
from search.experiment import TrainSettings
from search.learned_costs import LearnedCosts
from search.stages import run_stages
from search.strategies.nahas_oneshot import NahasOneshot
from search.strategies.nahas_settings import NahasOneshotSettings
from search.strategies.protocol import CoSearchProblem
from sim.cost.objective import Objective
from sim.spec.archives import file_sha256

__all__ = ["EPOCHS", "LABELS", "gaps"]

LABELS, EPOCHS = 500_000, 20
"""Labels of the cost model, and its epochs over them."""

SMOKE_LABELS, SMOKE_EPOCHS = 200, 2

_CHUNK = 10_000
"""Labels between two reports of progress."""

_kept: list[tuple[JointTruth, dict[str, Any]]] = []
"""Truth, and state of the learned costs, of a process."""


def gaps(truth: JointTruth, objective: Objective, settings: Settings) -> dict[str, Any]:
    """Distances of the latencies that one-shot searches end at, as shares.

    Parameters
    ----------
    truth : JointTruth
    objective : Objective
        Latency with its target as the budget of cycles.
    settings : Settings

    Returns
    -------
    dict
        ``simulated`` : spread over the seeds of the most probable pair's exact latency from the target, of pairs that are
        realizable; ``predicted`` : of its learned latency from the target; ``learned`` : of its learned from its exact
        latency; ``broken`` : int, pairs that are not realizable; ``searches`` : list of the records; ``model`` : labels and
        error of the learned costs.
    """
    subject = str(settings.joint)
    identity = {
        **joint_digests(subject),
        "objective": repr(objective),
        "sources": source_digest("search", "sim"),
        "labels": [SMOKE_LABELS, SMOKE_EPOCHS] if settings.smoke else [LABELS, EPOCHS],
    }
    path = settings.work / f"learned-{document_digest(identity)[:16]}.pt"
    model = trained(truth, objective, settings, path)
    records = run_tasks(
        settings,
        "one-shot searches",
        identity | {"model": file_sha256(path, "learned costs"), "budget": settings.budget},
        {str(seed): (objective, settings.budget, seed) for seed in range(settings.seeds)},
        searched,
        keep,
        (resolved(subject), path.resolve()),
    )
    rows: list[Record] = list(records.values())
    exact = [row for row in rows if row["exact"] is not None]
    target = objective.cycles_budget
    error = model.error()

    def distances(first: str, second: str | None) -> dict[str, Any]:
        known = [abs(row[first] / (row[second] if second else target) - 1) for row in exact]
        return spread(known) if known else {"count": 0}

    return {
        "target": target,
        "simulated": distances("exact", None),
        "predicted": distances("predicted", None),
        "learned": distances("predicted", "exact"),
        "broken": len(rows) - len(exact),
        "searches": rows,
        "model": {"labels": len(model), "error": None if error is None else error.to_json()},
    }


def trained(
    truth: JointTruth, objective: Objective, settings: Settings, path: Path
) -> LearnedCosts:
    """Costs that were learned from pairs drawn by chance; from the file, or trained on from its last epoch."""
    count, epochs = (SMOKE_LABELS, SMOKE_EPOCHS) if settings.smoke else (LABELS, EPOCHS)
    learned = LearnedCosts(objective, pair_sizes(truth), seed=0)
    done = 0
    if path.exists():
        state = torch.load(path, weights_only=True)
        done = state.pop("done")
        learned.load_state_dict(state)
    with progress_bar() as report, deterministic_torch():
        if not done:
            for label in range(0, count, _CHUNK):
                report("labels", label, count)
                add_labels(learned, truth, min(_CHUNK, count - label), seed=label)
        while done < epochs:
            report("epochs of the learned costs", done, epochs)
            learned.epoch()
            done += 1
            partial = path.with_suffix(".partial")
            torch.save(learned.state_dict() | {"done": done}, partial)
            partial.replace(path)
    return learned


def pair_sizes(truth: JointTruth) -> tuple[int, ...]:
    """Number of choices of each decision of a network and of each field of an accelerator."""
    return (*map(len, truth.networks.decisions.values()), *truth.space.sizes)


def add_labels(learned: LearnedCosts, truth: JointTruth, count: int, *, seed: int) -> None:
    """Add the exact costs of pairs that are drawn by chance, each choice as probable as any other."""
    random = np.random.default_rng(seed)
    decisions = truth.networks.decisions
    edges = len(decisions)
    drawn = np.stack([random.integers(size, size=count) for size in pair_sizes(truth)], axis=1)
    points = np.ravel_multi_index(tuple(drawn[:, edges:].T), truth.space.sizes)
    for indices, point in zip(drawn.tolist(), points.tolist(), strict=True):
        architecture = truth.networks.architecture(
            dict(zip(decisions, indices[:edges], strict=True))
        )
        chosen = truth.networks.choices(architecture)
        number = truth.numbers[architecture.key]
        row = Evaluation(
            index=len(learned),
            phase="label",
            network=architecture.key,
            accelerator=truth.space.default,
            costs={
                "cycles": int(truth.cycles[number, point]),
                "energy": float(truth.energy[number, point]),
                "area": float(truth.areas[point]),
            },
            violations=truth.codes[truth.rules[number, point]],
            excess=0.0,
            accuracy=None,
        )
        learned.add([*(chosen[name] for name in decisions), *indices[edges:]], row)


def keep(subject: str, model: Path) -> None:
    """Prepare a process."""
    torch.set_num_threads(1)
    state = torch.load(model, weights_only=True)
    state.pop("done")
    _kept[:] = [(read_truth(Path(subject)), state)]


def searched(objective: Objective, budget: int, seed: int) -> dict[str, Any]:
    """Run a one-shot search whose costs are already learned.

    Returns
    -------
    dict
        ``predicted`` : float, learned cost of the most probable pair; ``exact`` : float or None, its cost where it is
        realizable; ``accuracy`` : float, of its network.
    """
    truth, state = _kept[0]
    settings = NahasOneshotSettings()
    evaluator = Evaluator(truth.costs)
    problem = CoSearchProblem(
        hardware=truth.space,
        objective=objective,
        evaluator=evaluator,
        seed=seed,
        name="search",
        task=None,
        networks=truth.networks,
        train=TrainSettings(),
        known_steps=max(1, budget // EPOCH_SHARE),
    )
    learned = LearnedCosts(objective, pair_sizes(truth), seed=0)
    learned.load_state_dict(state)
    with deterministic_torch():
        search = NahasOneshot(problem, settings)
        search.learned = learned
        stages = search.stages
        run_stages(search, evaluator, settings, done=stages["labels"] + stages["cost model"])
        indices = search.controller.best_guess().tolist()
        predicted, _ = learned.predict(search.canonical(indices))
    architecture, config = search.pair(indices)
    (row,) = search.evaluate(architecture, [config], "most probable")
    return {
        "predicted": predicted,
        "exact": float(objective.cost(row)) if row.realizable else None,
        "accuracy": truth.networks.known_accuracy(architecture),
    }

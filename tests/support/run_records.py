"""Folders of runs whose RTL is stood in for by the model: every record of a run, in seconds."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cosilico.api.prediction import PredictedRun
from cosilico.api.prediction import predict as predict_run
from cosilico.enumeration import census
from cosilico.images import save_arrays
from cosilico.profile import profile_of
from cosilico.provenance import provenance
from cosilico.results import figures
from cosilico.timeline import write_timeline
from cosilico.trace_files import predicted_run
from sim.cost.area import area_budget
from sim.cost.columns import titled
from sim.cost.costs import evaluate_many
from sim.cost.objective import Objective
from sim.cost.table import CostTable
from sim.networks.named import named_network
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import Design
from sim.spec.spaces import EDGE, TINY, HardwareSpace
from sim.timing import calibration

__all__ = ["write_run"]

SPACES = {"tiny": TINY, "edge": EDGE}


def write_run(
    folder: Path,
    network_name: str = "ds_cnn",
    space_name: str = "tiny",
    *,
    seed: int = 0,
    points: int = 200,
    accuracies: bool = True,
) -> dict[str, Any]:
    """Write the records of a random search of so many points within twice the default's area; return ``results.json``'s content.

    Accuracies, where asked for, are made up: the network is the same in all evaluations.
    """
    space, network = SPACES[space_name], named_network(network_name, 0)
    rng = np.random.default_rng(seed)
    configs = _drawn(space, points, rng)
    table = evaluate_many(configs, network)
    budget = 2 * area_budget(space)
    objective = Objective(metric="latency", area_budget=budget)
    rows = [
        {
            "index": i,
            "phase": "random",
            "network": network.name,
            "accelerator": config.to_json(),
            **table.row(i),
            "violations": list(table.violations[i]),
            "excess": float(table.excess[i]),
            "accuracy": round(float(rng.uniform(0.8, 0.99)), 4) if accuracies else None,
        }
        for i, config in enumerate(configs)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(row) + "\n" for row in rows]
    (folder / "evaluations.jsonl").write_text("".join(lines))
    half = table.select(range(points // 2))
    chosen = objective.best(half)
    assert chosen is not None
    searched = configs[chosen]
    save_arrays(
        folder / "enumeration.npz",
        **titled(table.values),
        realizable=table.realizable,
        front=np.array(table.front(), np.int64),
    )
    sides = {"rtl": searched, "rtl_default": space.default}
    results = {
        "schema": 1,
        "cosilico": "0",
        "name": network.name,
        "space": space.name,
        "memory": {"kind": "fixed"},
        "search": _search(table, space, objective, seed, half.figures(chosen)),
        **{name: _side(network_name, config, folder, name) for name, config in sides.items()},
        "violations": {"sampled": points, "non_realizable": int((~table.realizable).sum())},
        "calibration": {
            "gateware_hash": calibration.default().gateware_hash,
            "constants": calibration.default().constants,
        },
    }
    (folder / "results.json").write_text(json.dumps(results))
    command = f"cosilico run --network {network_name} --space {space_name} --seed {seed}"
    document = provenance(command, {"network": "0" * 64, "seed": str(seed)})
    (folder / "provenance.json").write_text(json.dumps(document))
    return results


def _drawn(space: HardwareSpace, points: int, rng: np.random.Generator) -> list[AcceleratorConfig]:
    """Default, then others without repetition."""
    known = dict.fromkeys([space.default])
    while len(known) < points:
        values = {name: rng.choice(values).item() for name, values in space.values.items()}
        known[replace(space.default, **values)] = None
    return list(known)


def _search(
    table: CostTable,
    space: HardwareSpace,
    objective: Objective,
    seed: int,
    best: dict[str, Any],
) -> dict[str, Any]:
    optimum = objective.best(table)
    assert optimum is not None
    bandwidth = space.default.io_bandwidth_gbps
    pinned = table.select(
        [i for i, c in enumerate(table.configs) if c.io_bandwidth_gbps == bandwidth]
    )
    best_pinned = objective.best(pinned)
    return {
        "strategy": "random",
        "seed": seed,
        "evaluations": len(table),
        "wall_s": 1.5,
        "area_budget": objective.area_budget,
        "architecture": None,
        "default": table.figures(0),
        "best": best | {"float_accuracy": None, "int8_accuracy": None},
        "optimum": table.figures(optimum),
        "pinned_optimum": None if best_pinned is None else pinned.figures(best_pinned),
        "space_points": len(table),
        "space_realizable": int(table.realizable.sum()),
        "space_refused": {c: n for c, n in census(table).items() if c != "realizable"},
        "objective": {"metric": objective.metric, "budgets": objective.budgets},
    }


def _side(network_name: str, config: AcceleratorConfig, folder: Path, name: str) -> dict[str, Any]:
    run: PredictedRun = predict_run(_design(network_name, config))
    known = run.prediction
    program = predicted_run(run.mapped, known)
    timeline = replace(program.timeline, source="measured")
    where = folder if name == "rtl" else folder / "default"
    where.mkdir(exist_ok=True)
    write_timeline(where / "timeline.json", timeline)
    layers = [
        {"name": layer.name, "kind": str(layer.kind), "macs": layer.macs,
         "predicted_cycles": layer.cycles, "measured_cycles": layer.cycles,
         "utilization": layer.utilization, "mismatched_activations": 0}
        for layer in known.layers
    ]  # fmt: skip
    return figures(run.design) | {
        "simulator": "verilator", "simulator_version": "5", "images": 1, "batch": 1,
        "view": "synthesis", "accuracy": None, "golden_accuracy": None,
        "mismatched_activations": 0, "predicted_cycles": known.total_cycles,
        "measured_cycles": known.total_cycles, "predicted_cold_cycles": known.cold_cycles,
        "cold_cycles": known.cold_cycles, "cycles_per_s": 1.0, "layers": layers,
        "profile": profile_of(program.mapped, known, timeline).to_json(),
    }  # fmt: skip


def _design(network_name: str, config: AcceleratorConfig) -> Design:
    return Design(network=named_network(network_name, 0), accelerator=config)

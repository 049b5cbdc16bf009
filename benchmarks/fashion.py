"""Fashion-MNIST: network and accelerator searched together, against either of them alone.

Run as ``python benchmarks/fashion.py [--data DIR] [--work DIR] [--jobs N]``. Three searches per seed
and mode, which spend alike:

``joint``     network and accelerator, at three prices of a cycle
``network``   networks for the default accelerator, at the same prices
``hardware``  accelerators for a small, a middle and a large network

The hypervolume of test accuracy (int8) and cycles of the three designs is compared, at the default's
bandwidth. The winner of the first seed, that with the largest share of the hypervolume alone, then
runs its test images in RTL. What was ended goes on with the same command.
"""

import argparse
import json
import math
import os
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cosilico.cache import document_digest, source_digest
from cosilico.gateware import current_calibration
from cosilico.images import ImageSet
from cosilico.progress import progress_bar, within
from cosilico.simulation import simulate_design
from search.driver import run_search
from search.experiment import Experiment, load_experiment
from search.loading import load_task
from sim.cost.hypervolume import hypervolume
from sim.spec.design import load as load_design
from sim.spec.files import write_atomic
from sim.spec.spaces import TINY
from testbench.validation.journal import Journal
from testbench.validation.workers import worker_pool

SEEDS = 3
PRICES = (0.0003, 0.001, 0.003)
"""Cross entropy that doubling the cycles is worth, to the search and to its final choice."""

MODES = ("joint", "network", "hardware")
RTL_IMAGES = 1000
LEAST_ACCURACY = 0.5
"""Accuracy of the reference point; its cycles are those of the large network on the default."""

EPOCHS, TRAIN_EPOCHS = 12, 12
"""Epochs of the shared weights and of the final network; of a fixed network it is their sum."""

_WIDTHS = {"small": (8, 16, 32, 64), "middle": (16, 24, 48, 64), "large": (16, 32, 64, 96)}
_BLOCKS = ((1, 1), (2, 2), (3, 2), (2, 2))
_SHAPES = {"small": (3, 1, 0), "middle": (3, 4, 64), "large": (5, 4, 128)}
"""Kernel, expansion and head of each fixed network."""

_BASE = """
name = "fashion"
[task]
name = "fashion_mnist"
path = "{data}"
train_limit = 6000
test_limit = 2000
[network]
space = "fashion"
image = [14, 14]
{network}
[hardware]
space = "tiny"
[hardware.values]
{hardware}
[objective]
cost_exponent = {exponent}
[search]
strategy = "rhnas"
latency_weight = {price}
budget = 4000
warmup_epochs = {warmup}
rounds = 6
refine_updates = 20
designs_per_update = 64
[train]
epochs = {epochs}
"""


def main() -> None:
    """Search what the journal lacks, summarize, and run the winner in RTL."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--work", type=Path, default=Path("build/fashion"))
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    files = {
        (mode, i): experiment_file(arguments.work, arguments.data, mode, i)
        for mode in MODES
        for i in range(len(PRICES))
    }
    header = {"benchmark": "fashion", "sources": source_digest("search", "sim")}
    header["experiments"] = document_digest(
        {f"{mode}:{i}": load_experiment(path).to_json() for (mode, i), path in files.items()}
    )
    journal = Journal(arguments.work / "runs.jsonl", header, renew=True)
    left = {
        f"{mode}:{i}:{seed}": (path, arguments.work / f"{mode}-{i}-{seed}", seed)
        for seed in range(arguments.seeds)
        for (mode, i), path in files.items()
        if f"{mode}:{i}:{seed}" not in journal.records
    }
    with progress_bar() as report:
        with worker_pool(arguments.jobs) as workers:
            futures = {workers.submit(search, *work): key for key, work in left.items()}
            for done, future in enumerate(as_completed(futures)):
                journal.append(futures[future], future.result())
                report("searches", done + 1, len(left))
        results = summary(journal.records, reference_cycles(files["hardware", 0]))
        write_atomic(arguments.out, json.dumps(results, indent=1) + "\n")
        winner = arguments.work / results["winner"].replace(":", "-")
        experiment = load_experiment(files["joint", int(results["winner"].split(":")[1])])
        results["rtl"] = in_rtl(experiment, winner, within("winner in RTL", report))
    write_atomic(arguments.out, json.dumps(results, indent=1) + "\n")
    print(json.dumps({name: results[name] for name in ("hypervolume", "winner", "rtl")}, indent=1))


def experiment_file(work: Path, data: str, mode: str, index: int) -> Path:
    """Write the experiment of a mode and a price."""
    fixed = mode == "hardware"
    values = {
        name: [getattr(TINY.default, name)]
        for name in TINY.values
        if mode == "network" or name == "io_bandwidth_gbps"
    }
    text = _BASE.format(
        data=Path(data).resolve(),
        network=_fixed_network(("large", "middle", "small")[index]) if fixed else "",
        hardware="\n".join(f"{name} = {value}" for name, value in values.items()),
        price=PRICES[index],
        exponent=-PRICES[index] / math.log(2),
        warmup=0 if fixed else EPOCHS - 6,
        epochs=EPOCHS - 6 + TRAIN_EPOCHS if fixed else TRAIN_EPOCHS,
    )
    path = work / f"{mode}-{index}.toml"
    write_atomic(path, text)
    return path


def _fixed_network(name: str) -> str:
    """Fields of a network space with a single member."""
    kernel, expansion, head = _SHAPES[name]
    lines = [f"kernels = [{kernel}]", f"expansions = [{expansion}]", f"heads = [{head}]"]
    lines.append("skip = false")
    for width, (blocks, stride) in zip(_WIDTHS[name], _BLOCKS, strict=True):
        lines += ["[[network.stages]]", f"widths = [{width}]"]
        lines += [f"blocks = {blocks}", f"stride = {stride}"]
    return "\n".join(lines)


def search(experiment: Path, out: Path, seed: int) -> dict[str, Any]:
    """Run a search to its end; return its figures."""
    torch.set_num_threads(1)
    result = run_search(load_experiment(experiment), out, resume=True, seed=seed)
    return {
        "cycles": int(result.best["cycles"]),
        "default_cycles": int(result.default["cycles"]),
        "area": float(result.best["area"]),
        "float_accuracy": result.float_accuracy,
        "int8_accuracy": result.int8_accuracy,
        "evaluations": result.evaluations,
        "trained_images": result.trained_images,
        "wall_s": round(result.wall_s, 1),
    }


def reference_cycles(experiment: Path) -> int:
    """Cycles of the large network on the default accelerator."""
    from search.export import shape_network
    from search.loading import load_family
    from sim.cost.costs import evaluate_many

    loaded = load_experiment(experiment)
    family = load_family(loaded, load_task(loaded))
    (member,) = [family.architecture(dict.fromkeys(family.decisions, 0))]
    network = shape_network(family.layers(member), name="large")
    return int(evaluate_many([TINY.default], network)["cycles"][0])


def summary(records: dict[str, dict[str, Any]], cycles: int) -> dict[str, Any]:
    """Hypervolume of each mode and seed as a share of the reference's box, and the winner."""
    seeds = sorted({int(key.rpartition(":")[2]) for key in records})
    reference = (float(cycles), 1 - LEAST_ACCURACY)

    def volume(keys: list[str]) -> float:
        costs = np.array([records[key]["cycles"] for key in keys], float)
        errors = np.array([1 - records[key]["int8_accuracy"] for key in keys])
        share = hypervolume(costs, errors, np.ones(len(keys), bool), reference)
        return share / (reference[0] * reference[1])

    volumes = {
        mode: [
            round(volume([f"{mode}:{i}:{seed}" for i in range(len(PRICES))]), 4) for seed in seeds
        ]
        for mode in MODES
    }
    spent = {
        mode: {
            name: int(sum(row[name] for key, row in records.items() if key.startswith(f"{mode}:")))
            for name in ("evaluations", "trained_images", "wall_s")
        }
        for mode in MODES
    }
    winner = max((f"joint:{i}:0" for i in range(len(PRICES))), key=lambda key: volume([key]))
    return {
        "hypervolume": volumes,
        "reference": {"cycles": cycles, "accuracy": LEAST_ACCURACY},
        "spent": spent,
        "winner": winner,
        "runs": dict(sorted(records.items())),
    }


def in_rtl(experiment: Experiment, folder: Path, report: Any) -> dict[str, Any]:
    """Classify test images in RTL; compare cycles and activations, and accuracy."""
    design, task = load_design(folder / "design.json"), load_task(experiment)
    images, labels = task.quantize(task.test.images[:RTL_IMAGES]), task.test.labels[:RTL_IMAGES]
    shown = ImageSet(x=images, y=labels.numpy())
    result = simulate_design(design, shown, current_calibration(), report)
    return {"images": len(images)} | {
        name: value for name, value in result.to_json().items() if np.isscalar(value)
    }


if __name__ == "__main__":
    main()

"""Co-searches of the examples: costs of the search, and the design that it ends with.

Run as ``python benchmarks/co_searches.py [NAME …] [--work DIR] [--seed N] [--out FILE]`` with names of
experiments in ``examples/``; the others' rows stay as they are. A search that was ended goes on with the
same command, but its seconds are then those of the last run.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from cosilico.progress import progress_bar, within
from search.driver import run_search
from search.experiment import load_experiment
from sim.spec.files import write_atomic

EXAMPLES = Path(__file__).parent.parent / "examples"
NAMES = tuple(sorted(path.stem for path in EXAMPLES.glob("digits*.toml")))


def main() -> None:
    """Run the searches; write all rows anew after each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--work", type=Path, default=Path("build/co_searches"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    arguments = parser.parse_args()
    names = arguments.names or NAMES
    for name in names:
        if name not in NAMES:
            parser.error(f"name must be one of {', '.join(NAMES)}, not {name!r}")
    rows: dict[str, Any] = {}
    if arguments.out.exists():
        rows = json.loads(arguments.out.read_text())["experiments"]
    for name in names:
        rows[name] = searched(name, arguments.work / name, arguments.seed)
        rows = {known: rows[known] for known in NAMES if known in rows}
        write_atomic(arguments.out, json.dumps({"experiments": rows}, indent=1) + "\n")


def searched(name: str, out: Path, seed: int) -> dict[str, Any]:
    """Run an example's search, and return its row."""
    experiment = load_experiment(EXAMPLES / f"{name}.toml")
    started = time.process_time()
    with progress_bar() as report:
        progress = within(name, report)
        result = run_search(experiment, out, resume=True, seed=seed, progress=progress)
    return {
        "strategy": result.strategy,
        "seed": seed,
        "latency_budget_ms": experiment.objective.latency_budget_ms,
        "evaluations": result.evaluations,
        "trained_images": result.trained_images,
        "cpu_s": time.process_time() - started,
        "default_cycles": result.default["cycles"],
        "cycles": result.best["cycles"],
        "area": result.best["area"],
        "area_budget": result.area_budget,
        "int8_accuracy": result.int8_accuracy,
        "float_accuracy": result.float_accuracy,
        "cost_model": None if result.cost_model is None else result.cost_model.to_json(),
    }


if __name__ == "__main__":
    main()

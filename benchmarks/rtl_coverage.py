"""Lines and toggles of the emitted Verilog that a sample of the validation reaches.

Run as ``python benchmarks/rtl_coverage.py [--networks N] [--damaged N] [--failures N] [--seed N] [--out DIR]``. Two
small accelerators are built with Verilator's coverage. Random networks, damaged programs, failing memories
and hosts, and random accesses to registers run on them, compared as in a validation. Writes
``rtl_coverage.json`` and ``rtl_coverage.md``; the exit status is 1 if control modules are covered by less than
the goal.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from cosilico.progress import Report, progress_bar
from hwgen.gateware_hash import gateware_hash
from sim.spec.files import write_atomic
from sim.spec.views import View
from testbench.coverage.registers import run_register_cases
from testbench.coverage.sample import Sample, run_sample
from testbench.coverage.summary import (
    DATAPATH,
    GOAL_PERCENT,
    HOLES,
    ModuleCoverage,
    control_shares,
    open_points,
    summarize_coverage,
)
from testbench.faults.recovery import CONFIGS
from testbench.rtl.coverage import Coverage
from testbench.rtl.harness import build

FOLDER = Path(__file__).parent
SCHEMA = 1


def main() -> int:
    """Run the sample, write its coverage and return the exit status."""
    defaults = Sample()
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    for name in ("networks", "damaged", "failures", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(defaults, name), metavar="N")
    parser.add_argument("--out", type=Path, default=FOLDER, metavar="DIR")
    arguments = parser.parse_args()
    sample = Sample(
        networks=arguments.networks,
        damaged=arguments.damaged,
        failures=arguments.failures,
        seed=arguments.seed,
    )
    designs = []
    with progress_bar() as progress:
        for number, config in enumerate(CONFIGS):
            coverage = Coverage()
            step = f"accelerator {number}"
            progress(f"{step}: building", 0, 1)
            built = build(config, view=View.SYNTHESIS, coverage=coverage)
            run_sample(built, sample, partial(_report, progress, step))
            run_register_cases(config, coverage)
            designs.append(coverage)
    modules = summarize_coverage(designs)
    write(arguments.out, sample, modules, designs)
    lines, toggles = control_shares(modules)
    print(f"control modules: {lines:.1f} % of lines, {toggles:.1f} % of toggles that can be")
    return int(min(lines, toggles) < GOAL_PERCENT)


def _report(progress: Report, step: str, kind: str, done: int, count: int) -> None:
    progress(f"{step}: {kind}", done, count)


def write(
    out: Path, sample: Sample, modules: Sequence[ModuleCoverage], designs: Sequence[Coverage]
) -> None:
    """Write ``rtl_coverage.json`` and the page that is made of it."""
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "gateware": gateware_hash(),
        "sample": asdict(sample),
        "accelerators": [config.to_json() for config in CONFIGS],
        "goal_percent": GOAL_PERCENT,
        "modules": [module.to_json() for module in modules],
        "open": open_points(designs),
    }
    write_atomic(out / "rtl_coverage.json", json.dumps(content, indent=1) + "\n")
    write_atomic(out / "rtl_coverage.md", page(content, modules))


def page(content: dict[str, Any], modules: Sequence[ModuleCoverage]) -> str:
    """Return the results as a page: a table of modules, and the holes with their reasons."""
    lines, toggles = control_shares(modules)
    sample = content["sample"]
    text = [
        "# Coverage of the emitted Verilog",
        "",
        f"`make coverage`, gateware `{content['gateware'][:12]}`: {len(CONFIGS)} accelerators, synthesis view, seed "
        f"{sample['seed']}; on each {sample['networks']} random networks on two memories, {sample['damaged']} damaged "
        f"programs, {sample['failures']} failures of memory or host, each followed by the good program, and random "
        "accesses to all registers. Everything is compared as in a validation.",
        "",
        f"Of the control modules {lines:.1f} % of the lines and {toggles:.1f} % of the toggles that can be are met. "
        "Lines are blocks of statements and ways of branches. Each bit has two toggles, up and down; what "
        "power-up changes is not counted.",
        "",
        "| module | | lines | met | toggles | met | cannot be or need not |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for module in modules:
        kind = "control" if module.control else "datapath"
        text.append(
            f"| {module.module} | {kind} | {module.lines:,} | {_percent(module.lines_met, module.lines)} "
            f"| {module.toggles:,} | {_percent(module.toggles_met, module.toggles)} "
            f"| {module.explained:,} |"
        )
    text += [
        "",
        f"Datapath modules are {', '.join(DATAPATH)}; their own tests drive them with random values.",
        "",
        "| points that are not met | why |",
        "|---|---|",
        *(f"| `{hole.modules}` {hole.what} | {hole.reason} |" for hole in HOLES),
        "",
        "Other points of control modules that the sample does not meet, by module and signal:",
        "",
        "| module | signals (points) |",
        "|---|---|",
    ]
    for module_name, signals in content["open"].items():
        shown = ", ".join(f"{signal} ({count})" for signal, count in signals.items())
        text.append(f"| {module_name} | {shown} |")
    return "\n".join(text) + "\n"


def _percent(met: int, points: int) -> str:
    return f"{100 * met / points:.1f} %" if points else ""


if __name__ == "__main__":
    sys.exit(main())

"""Whether the lowest versions that pyproject.toml allows work: installs them, runs each command once.

Run as ``python benchmarks/lowest.py``, with arguments of pip behind ``--`` if it needs any. Takes some
minutes, a gigabyte, and the indexes that pip knows.
"""

import argparse
import os
import re
import runpy
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["COMMANDS", "command_dependencies", "lowest_versions"]

ROOT = Path(__file__).parent.parent
EXTRAS = ("rtl", "search", "soc", "synthesis", "fpga", "report", "cluster")
"""Extras that commands need; the others are for work on the project."""

SEED = 5
SPEC = (ROOT / "tests" / "support" / "small_experiment.toml").read_text(encoding="utf-8")
MODELS = f"""
import numpy as np
import torch
from pathlib import Path
from sim.importers.pytorch.aten import export_module
from testbench.cases.onnx_models import random_onnx
from testbench.cases.tflite_models import random_model

Path("m.tflite").write_bytes(random_model({SEED}).content)
Path("m.onnx").write_bytes(random_onnx({SEED}).SerializeToString())
images = np.random.default_rng({SEED}).normal(0, 1, (3, 2, 6, 6)).astype(np.float32)
module = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.ReLU6(), torch.nn.MaxPool2d(2))
torch.export.save(export_module(module, torch.from_numpy(images[:1])), "m.pt2")
np.savez("x.npz", x=images)
"""
"""Program that makes a model of each format that is imported."""

ACCURACIES = """
import pickle
import sys
from pathlib import Path
from types import ModuleType

module = ModuleType("analognasbench.data")
module.Architecture = type("Architecture", (), {"__module__": module.__name__})
sys.modules |= {"analognasbench": ModuleType("analognasbench"), module.__name__: module}
cell = module.Architecture()
vars(cell).update(baseline_accuracy=90.0, ptq_accuracy=89.0, qat_accuracy=89.5)
Path("cells.anb").write_bytes(pickle.dumps({(2, 1, 1, 1, 0, 1): cell}))
Path("few.toml").write_text("[hardware]\\nfixed = true\\n")
"""
"""Program that makes a file of accuracies with one cell, and a space with one accelerator."""

CLUSTER = """
from pathlib import Path

from distributed import LocalCluster

from cosilico.comparison import ComparisonSettings, compare_to_folder

settings = ComparisonSettings(strategies=("random",), seeds=2, budget=20)
with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster:
    compare_to_folder("net", "tiny", Path("clustered"), settings, scheduler=cluster.scheduler_address)
"""
"""Program that compares searches on a cluster."""

COMMANDS = (
    "import m.tflite --out net",
    "import m.onnx --out onnx_net",
    "import m.pt2 --calibration x.npz --out program_net",
    "check net --accelerator tiny",
    "predict design.json",
    "predict net --accelerator tiny --memory dram --json -",
    "generate design.json --out hardware",
    "soc design.json --images 2 --out system",
    "simulate net --accelerator tiny --images 2",
    "simulate net --accelerator tiny --images 1 --memory dram --waves",
    "simulate resnet8 --accelerator tiny --images 1",
    "timing --accelerator tiny --clock-mhz 100",
    "synthesize tiny --clock-mhz 100 --interface hyperbus",
    "synthesize tiny --target ecp5 --route fifo_16x4",
    "validate design.json --view synthesis",
    "validate --random 2 --max-macs 64",
    "calibrate --out calibration.json",
    "enumerate net --out net.parquet",
    "joint cells.anb --space few.toml --out joined",
    "init experiment.toml --schema",
    "compare net --strategies random,tpe+polish --seeds 1 --budget 20 --out compared",
    "search small.toml --out searched",
    "run small.toml --out run",
    "report run",
    "cache",
)
"""Arguments of ``cosilico``: each command, and what reaches into each dependency."""

_BOUND = re.compile(r"([A-Za-z0-9_.-]+)\s*(?:>=|==)\s*([0-9][0-9A-Za-z.]*)")


def lowest_versions(dependencies: Sequence[str], exact: Mapping[str, str]) -> list[str]:
    """Return requirements of the lowest version of each dependency, or of the ``exact`` version.

    Raises
    ------
    ValueError
        If a dependency has no lower bound.
    """
    pinned = []
    for dependency in dependencies:
        bound = _BOUND.match(dependency)
        if bound is None:
            raise ValueError(f"dependency must have a lower bound, not {dependency!r}")
        name, version = bound.groups()
        pinned.append(f"{name}=={exact.get(name, version)}")
    return pinned


def command_dependencies(project: Mapping[str, Any]) -> list[str]:
    """Return the dependencies of all commands: the project's and its extras', each once.

    Parameters
    ----------
    project : mapping
        The table ``project`` of pyproject.toml.
    """
    extras = project["optional-dependencies"]
    return list(dict.fromkeys(sum((extras[name] for name in EXTRAS), project["dependencies"])))


def main() -> None:
    """Install the lowest versions and run every command; exit with the status of what fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch", help="version of torch, where the lowest has no build for CPUs")
    parser.add_argument("pip", nargs="*", help="arguments of pip")
    options = parser.parse_args()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    exact = {} if options.torch is None else {"torch": options.torch}
    requirements = lowest_versions(command_dependencies(project), exact)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "venv", with_pip=True)
        programs = folder / "venv" / "bin"
        pip = [programs / "python", "-m", "pip", "install", "--quiet", "--no-compile", *options.pip]
        _run(folder, *pip, *requirements)
        _run(folder, *pip, "--no-deps", ROOT)
        _try_commands(folder, programs)
    print("the lowest versions work: " + ", ".join(requirements))


def _try_commands(folder: Path, programs: Path) -> None:
    python, cosilico = programs / "python", programs / "cosilico"
    runpy.run_path(str(ROOT / "examples" / "handwritten" / "make_weights.py"))["main"](folder)
    (folder / "small.toml").write_text(SPEC)
    _run(folder, python, "-c", MODELS)
    _run(folder, python, "-c", ACCURACIES)
    _run(folder, cosilico, "--version")
    for arguments in COMMANDS:
        _run(folder, cosilico, *arguments.split())
    _run(folder, python, "-c", CLUSTER)


def _run(folder: Path, *command: str | Path) -> None:
    print("$", *command, flush=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["COSILICO_CACHE"] = str(folder / "cache")
    status = subprocess.run(command, cwd=folder, env=environment, check=False).returncode
    if status:
        sys.exit(status)


if __name__ == "__main__":
    main()

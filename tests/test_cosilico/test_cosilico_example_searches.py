"""The examples' experiments at small size: Fashion-MNIST's files, and several networks at once."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from cosilico.subjects import ExperimentSubject
from project_root import ROOT
from search.tasks.fashion_mnist_settings import NAMES
from sim.cost.costs import evaluate_many
from sim.networks.named import named_network
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import load
from sim.spec.network import Network

EXAMPLES = ROOT / "examples"

SMALLER = {
    "warmup_epochs = 3": "warmup_epochs = 1",
    "warmup_epochs = 4": "warmup_epochs = 1",
    "rounds = 3": "rounds = 1",
    "rounds = 4": "rounds = 1",
    "refine_updates = 10": "refine_updates = 2",
    "refine_updates = 8": "refine_updates = 2",
    "designs_per_update = 32": "designs_per_update = 8",
    "\nepochs = 4\n": "\nepochs = 1\n",
    "\nepochs = 20\n": "\nepochs = 1\nbatch = 400\n",
}


def smaller(folder: Path, name: str, changes: Mapping[str, str]) -> ExperimentSubject:
    text = (EXAMPLES / name).read_text()
    for line, change in changes.items():
        assert line in text
        text = text.replace(line, change)
    for line, change in SMALLER.items():
        text = text.replace(line, change)
    path = folder / name
    path.write_text(text)
    return ExperimentSubject(path, 1)


def cost(config: AcceleratorConfig, network: Network) -> tuple[int, float]:
    table = evaluate_many([config], network)
    return int(table.cycles[0]), float(table.energy[0])


@pytest.mark.long
def test_fashion_mnist_is_searched(tmp_path: Path) -> None:
    """Long: the task has tests of its own, and another example is always searched."""
    random = np.random.default_rng(0)
    for name in NAMES:
        count = 400 if name.startswith("train") else 40
        shape = (count, 28, 28) if "images" in name else (count,)
        values = random.integers(0, 256, shape)
        if "labels" in name:
            values = np.arange(count) % 10
        header = bytes((0, 0, 8, len(shape))) + np.array(shape, ">u4").tobytes()
        (tmp_path / name).write_bytes(header + values.astype(np.uint8).tobytes())
    subject = smaller(
        tmp_path,
        "fashion_mnist.toml",
        {
            'name = "fashion_mnist"\ntrain_limit = 6000': 'name = "fashion_mnist"\npath = "."\ntrain_limit = 200',
            "test_limit = 100": "test_limit = 30",
        },
    )
    assert len(subject.files) == 5
    out = tmp_path / "out"
    subject.search(out, resume=False, progress=lambda *step: None)
    network = load(out / "design.json").network
    assert network.input.shape == (14, 14, 1)
    with np.load(out / "test.npz") as file:
        assert file["x"].shape == (30, 14, 14, 1)
        assert set(file["y"]) <= set(range(10))


def test_an_accelerator_is_searched_for_several_networks(tmp_path: Path) -> None:
    subject = smaller(tmp_path, "several_networks.toml", {})
    other = named_network("resnet8")
    assert [(network.name, runs) for network, runs in subject.workload.others] == [("resnet8", 1)]
    out = tmp_path / "out"
    document = subject.search(out, resume=False, progress=lambda *step: None)
    design = load(out / "design.json")
    for config, figures in (
        (design.accelerator, document["best"]),
        (subject.hardware.default, document["default"]),
    ):
        (cycles, energy), (other_cycles, other_energy) = (
            cost(config, network) for network in (design.network, other)
        )
        assert figures["predicted_cycles"] == 20 * cycles + other_cycles
        assert np.isclose(figures["energy"], 20 * energy + other_energy, rtol=1e-12)
    rows = [json.loads(line) for line in (out / "evaluations.jsonl").read_text().splitlines()]
    refined = next(row["network"] for row in rows if row["phase"] == "refine")
    best = min(
        (row["cycles"] * row["energy"], row["area"])
        for row in rows
        if row["network"] == refined and not row["violations"]
        if row["area"] <= document["area_budget"]
    )
    chosen = document["best"]
    assert (chosen["predicted_cycles"] * chosen["energy"], chosen["area"]) == best

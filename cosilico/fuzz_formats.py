"""Formats that are read from strangers, for the fuzz suite: how inputs are made, read and judged."""

import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from cosilico.accelerators import accelerator_argument
from sim import golden
from sim.importers import folder
from sim.importers.folder import ImportedNetwork
from sim.importers.onnx.conversion import import_onnx
from sim.importers.tflite.conversion import import_tflite
from sim.importers.tflite.reader import parse_tflite
from sim.model import predict, predict_mapped
from sim.realizability import attempt
from sim.spec import design
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Network
from sim.spec.npz import npz_bytes
from sim.spec.spaces import HARDWARE_SPACES
from sim.timing import calibration
from testbench.cases.onnx_models import odd_onnx, random_onnx
from testbench.cases.tflite_models import import_random, random_model
from testbench.cases.tflite_odd_models import odd_model, random_changes
from testbench.faults.changed_files import (
    changed_archive,
    changed_bytes,
    changed_document,
    changed_json,
)
from testbench.judges.interpreters import (
    UnjudgedError,
    judge_onnx,
    judge_tflite,
    random_model_inputs,
)

__all__ = ["FORMATS", "Files", "Format"]

Files = dict[str, bytes]
"""Content of files by name; a command is given the first."""

_BASES = 12
"""Unchanged files, from which others are made."""


@dataclass(frozen=True, slots=True)
class Format:
    """A file format of the fuzz suite: how its files are made, read and judged.

    Parameters
    ----------
    weight : int
        Inputs of each hundred.
    base : callable
        Files that are right.
    make : callable
        Files for a random generator, most of them wrong.
    read : callable
        Reads the first file; raises CosilicoError where it is refused.
    judge : callable
        Uses what was read; returns what is wrong with it, empty if nothing is. Raises
        UnjudgedError.
    """

    weight: int
    base: Callable[[], Files]
    make: Callable[[np.random.Generator], Files]
    read: Callable[[Path], Any]
    judge: Callable[[Files, Any], str]


def _first(files: Files) -> bytes:
    return next(iter(files.values()))


@cache
def _tflite_bases() -> list[bytes]:
    return [random_model(seed).content for seed in range(_BASES)]


def _tflite(rng: np.random.Generator) -> Files:
    if rng.random() < 0.5:
        return {"m.tflite": odd_model(*random_changes(rng))}
    bases = _tflite_bases()
    return {"m.tflite": changed_bytes(rng, bases[int(rng.integers(len(bases)))], bases)}


@cache
def _onnx_bases() -> list[bytes]:
    return [random_onnx(seed).SerializeToString() for seed in range(_BASES)]


def _onnx(rng: np.random.Generator) -> Files:
    if rng.random() < 0.6:
        return {"m.onnx": odd_onnx(rng)}
    bases = _onnx_bases()
    return {"m.onnx": changed_bytes(rng, bases[int(rng.integers(len(bases)))], bases)}


@cache
def _program_bases() -> list[bytes]:
    import torch
    from torch import nn

    from sim.importers.pytorch.aten import export_module

    torch.manual_seed(1)
    modules = [
        nn.Conv2d(2, 3, 3, padding=1),
        nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU6(), nn.MaxPool2d(2)),
        nn.Sequential(nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(18, 4)),
    ]
    contents = []
    for module in modules:
        buffer = io.BytesIO()
        torch.export.save(export_module(module, torch.zeros(1, 2, 6, 6)), buffer)
        contents.append(buffer.getvalue())
    return contents


@cache
def _images() -> bytes:
    x = np.random.default_rng(1).normal(0, 1, (3, 2, 6, 6)).astype(np.float32)
    return npz_bytes({"x": x})


def _member(rng: np.random.Generator, name: str, content: bytes) -> bytes:
    if not name.endswith(".json") or rng.random() < 0.2:
        return changed_bytes(rng, content)
    return json.dumps(changed_document(rng, json.loads(content))).encode()


def _program(rng: np.random.Generator) -> Files:
    bases = _program_bases()
    base = bases[int(rng.integers(len(bases)))]
    return {"m.pt2": changed_archive(rng, base, _member), "x.npz": _images()}


def _read_program(path: Path) -> Any:
    from sim.importers.pytorch.conversion import import_program

    return import_program(path, path.parent / "x.npz")


def _npz(rng: np.random.Generator) -> Files:
    def change(rng: np.random.Generator, name: str, content: bytes) -> bytes:
        return changed_bytes(rng, content)

    return {"x.npz": changed_archive(rng, _images(), change)}


def _read_npz(path: Path) -> Any:
    from sim.importers.pytorch.conversion import load_calibration_images

    return load_calibration_images(path)


def _folder_files(write: Callable[[Path], object], first: str) -> Files:
    with tempfile.TemporaryDirectory() as place:
        write(Path(place))
        files = {path.name: path.read_bytes() for path in sorted(Path(place).iterdir())}
    return {first: files.pop(first)} | files


@cache
def _imported() -> ImportedNetwork:
    model = random_model(6)
    return import_random(model, 6)


@cache
def _design_files() -> Files:
    chosen = design.Design(network=_imported().network, accelerator=HARDWARE_SPACES["tiny"].default)
    return _folder_files(lambda place: design.save(chosen, place / "design.json"), "design.json")


def _without_digest(content: bytes) -> bytes:
    document = json.loads(content)
    document["weights"].pop("sha256", None)
    return json.dumps(document).encode()


def _changed_files(rng: np.random.Generator, files: Files) -> Files:
    """A folder of which the JSON is changed, or the arrays that then have no digest."""
    first, weights = files
    if rng.random() < 0.75:
        return {first: changed_json(rng, files[first]), weights: files[weights]}

    def change(rng: np.random.Generator, name: str, content: bytes) -> bytes:
        return changed_bytes(rng, content)

    return {
        first: _without_digest(files[first]),
        weights: changed_archive(rng, files[weights], change),
    }


def _use_design(files: Files, chosen: design.Design) -> str:
    return _use_pair(chosen.accelerator, chosen.network)


def _use_pair(accelerator: AcceleratorConfig, network: Network) -> str:
    """Predict a pair if it can be built; a prediction that fails is raised."""
    _, mapped = attempt(accelerator, network)
    if mapped is not None:
        predict_mapped(mapped)
    return ""


@cache
def _network_files() -> Files:
    return _folder_files(lambda place: folder.save(_imported(), place), folder.NETWORK_FILE)


def _use_imported(files: Files, imported: ImportedNetwork) -> str:
    x = random_model_inputs(imported.host, 1)
    values = golden.run(imported.network, imported.host.prepare(x))
    imported.host.all_outputs({name: values[name] for name in imported.network.outputs})
    return ""


def _calibration_files() -> Files:
    return {"c.json": json.dumps(calibration.default().to_json()).encode()}


def _calibration(rng: np.random.Generator) -> Files:
    return {"c.json": changed_json(rng, _first(_calibration_files()))}


def _use_calibration(files: Files, constants: calibration.Calibration) -> str:
    predict(HARDWARE_SPACES["tiny"].default, _imported().network, constants)
    return ""


def _accelerator_files() -> Files:
    return {"a.json": json.dumps(HARDWARE_SPACES["tiny"].default.to_json()).encode()}


def _accelerator(rng: np.random.Generator) -> Files:
    return {"a.json": changed_json(rng, _first(_accelerator_files()))}


def _use_accelerator(files: Files, accelerator: AcceleratorConfig) -> str:
    return _use_pair(accelerator, _imported().network)


_EXPERIMENT = b"""name = "digits"
[task]
name = "digits"
test_images = 360
split_seed = 0
[network]
space = "digits"
image = [8, 8]
kernels = [3, 5]
skip = true
[[network.stages]]
widths = [8, 16]
blocks = 2
stride = 2
[hardware]
space = "tiny"
clock_mhz = 200
area_budget = 1.5
[hardware.values]
pes_x = [1, 2]
[hardware.default]
pes_x = 2
[objective]
metric = "latency"
latency_budget_ms = 0.5
[workload]
runs = 2
[search]
strategy = "rhnas"
latency_weight = 0.02
warmup_epochs = 8
[train]
epochs = 60
batch = 96
learning_rate = 0.004
"""
_VALUES = (b"-1", b"0", b"1e400", b"nan", b"inf", b'"x"', b"[]", b"{}", b"true", b"9" * 5000,
           b'"\\u0000"', b"1" + b"0" * 28, b"0.5", b"1979-05-27", b"[" * 5000)  # fmt: skip


def _experiment(rng: np.random.Generator) -> Files:
    if rng.random() < 0.3:
        return {"s.toml": changed_bytes(rng, _EXPERIMENT)}
    lines = _EXPERIMENT.splitlines()
    for _ in range(int(rng.integers(1, 3))):
        place = int(rng.integers(len(lines)))
        name, equals, _value = lines[place].partition(b" = ")
        choice = rng.random()
        if choice < 0.15:
            lines.insert(place, lines[int(rng.integers(len(lines)))])
        elif choice < 0.25:
            del lines[place]
        elif equals:
            lines[place] = name + equals + _VALUES[int(rng.integers(len(_VALUES)))]
    return {"s.toml": b"\n".join(lines)}


def _read_experiment(path: Path) -> Any:
    from search.experiment import load_experiment

    return load_experiment(path)


def _judge_tflite(files: Files, imported: ImportedNetwork) -> str:
    content = _first(files)
    names = {operator.name for operator in parse_tflite(content, "model").operators}
    if "RELU_N1_TO_1" in names:
        raise UnjudgedError("the interpreter has no RELU_N1_TO_1")
    return judge_tflite(content, imported)


def _nothing(files: Files, value: Any) -> str:
    return ""


FORMATS = {
    "tflite": Format(
        31, lambda: {"m.tflite": _tflite_bases()[0]}, _tflite, import_tflite, _judge_tflite
    ),
    "onnx": Format(
        25,
        lambda: {"m.onnx": _onnx_bases()[0]},
        _onnx,
        import_onnx,
        lambda files, imported: judge_onnx(_first(files), imported),
    ),
    "pt2": Format(
        4,
        lambda: {"m.pt2": _program_bases()[1], "x.npz": _images()},
        _program,
        _read_program,
        _nothing,
    ),
    "npz": Format(6, lambda: {"x.npz": _images()}, _npz, _read_npz, _nothing),
    "design": Format(
        8,
        _design_files,
        lambda rng: _changed_files(rng, _design_files()),
        design.load,
        _use_design,
    ),
    "network": Format(
        8,
        _network_files,
        lambda rng: _changed_files(rng, _network_files()),
        lambda path: folder.load(path.parent),
        _use_imported,
    ),
    "calibration": Format(6, _calibration_files, _calibration, calibration.load, _use_calibration),
    "accelerator": Format(
        6,
        _accelerator_files,
        _accelerator,
        lambda path: accelerator_argument(str(path)),
        _use_accelerator,
    ),
    "experiment": Format(
        6, lambda: {"s.toml": _EXPERIMENT}, _experiment, _read_experiment, _nothing
    ),
}
"""By name; weights are 100 in all."""

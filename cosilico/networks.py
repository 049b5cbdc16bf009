"""Networks that a user names: by name, from a design or imported, or from shapes alone."""

import difflib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.importers.folder import load as load_imported
from sim.networks import NAMED_NETWORKS, named_network
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import SCHEMA, load
from sim.spec.errors import CosilicoError, DesignFileError
from sim.spec.network import WINDOW_POOLS, LayerKind, Network

__all__ = ["MODEL_SUFFIXES", "is_named", "load_network", "network_argument"]

MODEL_SUFFIXES = (".tflite", ".onnx", ".pt2")
"""Of model files, which must be imported first."""

_ANY_ACCELERATOR = AcceleratorConfig(
    pes_x=1,
    pes_y=1,
    simd_units=4,
    compute_lanes=1,
    local_memory_kb=4,
    register_file_kb=1,
    io_bandwidth_gbps=0.8,
    clock_mhz=200,
)


def is_named(text: str) -> bool:
    """Whether a user means a named network, not a file.

    Raises
    ------
    CosilicoError
        If it is neither.
    """
    if text in NAMED_NETWORKS:
        return True
    path = Path(text)
    if path.suffix in MODEL_SUFFIXES:
        raise CosilicoError(
            f"network must be a folder that cosilico import {path.name} --out DIR makes, "
            f"not the model file {text!r}"
        )
    if not path.suffix and not path.exists():
        known = ", ".join(NAMED_NETWORKS)
        near = difflib.get_close_matches(text, NAMED_NETWORKS, n=1)
        raise CosilicoError(
            f"network must be one of {known}, a JSON file or an imported folder, not {text!r}"
            + (f"; the nearest is {near[0]!r}" if near else "")
        )
    return False


def network_argument(text: str, seed: int = 0) -> Network:
    """Network of a name, with weights of that seed, or of a file or folder.

    Files: see :func:`load_network`; folders are of imported networks.

    Raises
    ------
    CosilicoError
        If there is none, or its file is wrong.
    """
    if is_named(text):
        return named_network(text, seed)
    return load_imported(Path(text)).network if Path(text).is_dir() else load_network(Path(text))


def load_network(path: Path) -> Network:
    """Read the network of a design file, or a file that holds only its ``network`` object.

    The latter needs no weights: they are set to zero, which changes no cycle.

    Raises
    ------
    DesignFileError
        As :func:`sim.spec.design.load`.
    """
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError):
        document = None
    if not isinstance(document, dict) or "layers" not in document:
        return load(path).network
    with tempfile.TemporaryDirectory() as folder:
        shapes = Path(folder) / "design.json"
        np.savez(shapes.parent / "weights.npz", **_zeros(document))  # type: ignore[arg-type]  # as in images
        shapes.write_text(
            json.dumps(
                {
                    "schema": SCHEMA,
                    "accelerator": _ANY_ACCELERATOR.to_json(),
                    "network": document,
                    "weights": {"file": "weights.npz"},
                }
            )
        )
        return load(shapes).network


def _zeros(document: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """Arrays of the right shapes; where the document is wrong, the loader says so."""
    arrays: dict[str, NDArray[Any]] = {}
    try:
        channels = {document["input"]["name"]: document["input"]["channels"]}
        for layer in document["layers"]:
            name, kind = layer["name"], layer["kind"]
            outputs = channels[name] = layer["output"]["channels"]
            inputs = channels[layer["inputs"][0]]
            window = tuple(layer.get("kernel", (1, 1)))
            entries = {LayerKind.ADD: 3, LayerKind.MEAN: 1}.get(kind, outputs)
            if kind in (LayerKind.GLOBAL_AVERAGE_POOL, *WINDOW_POOLS):
                continue
            if kind == LayerKind.DEPTHWISE:
                arrays[f"{name}.weights"] = np.zeros((*window, inputs), np.int8)
            elif kind not in (LayerKind.ADD, LayerKind.MEAN):
                arrays[f"{name}.weights"] = np.zeros((outputs, *window, inputs), np.int8)
            if kind not in (LayerKind.ADD, LayerKind.MEAN):
                arrays[f"{name}.bias"] = np.zeros(entries, np.int32)
            arrays[f"{name}.multiplier"] = np.zeros(entries, np.int32)
            arrays[f"{name}.shift"] = np.zeros(entries, np.int32)
    except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
        what = f"missing {error}" if isinstance(error, KeyError) else str(error)
        raise DesignFileError(f"network cannot be read: {what}") from None
    return arrays

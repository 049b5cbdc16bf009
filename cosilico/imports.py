"""Networks made elsewhere, on the command line: importing them, their inputs and outputs."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cosilico.images import RANDOM_IMAGES, ImageSet, labels, random_images, read_arrays, save_arrays
from sim.importers.folder import NETWORK_FILE, ImportedNetwork, load, save
from sim.importers.tflite_import import import_tflite
from sim.spec.errors import CosilicoError
from testbench.simulate import SimulationResult

__all__ = ["import_to_folder", "imported_images", "is_imported", "load_imported", "save_outputs"]

_IMPORTERS = {".tflite": import_tflite}


def import_to_folder(model: Path, out: Path) -> str:
    """Import a model file into a folder; return a few lines on what it became.

    Raises
    ------
    CosilicoError
        If the file is damaged, of an unknown kind, or the hardware cannot compute the model exactly.
    """
    if model.suffix not in _IMPORTERS:
        known = ", ".join(_IMPORTERS)
        raise CosilicoError(f"model file must end in {known}, not {str(model)!r}")
    imported = _IMPORTERS[model.suffix](model)
    save(imported, out)
    return f"{out / NETWORK_FILE}: {_summary(imported)}"


def is_imported(text: str) -> bool:
    """Whether a user means the folder of an imported network."""
    return Path(text).is_dir()


def load_imported(text: str) -> ImportedNetwork:
    """Read the folder of an imported network."""
    return load(Path(text))


def imported_images(
    imported: ImportedNetwork, folder: Path, input_file: Path | None, count: int | None
) -> ImageSet:
    """Inputs for an imported network, prepared by the host's steps.

    Those given, else ``test.npz`` in the folder, both in the model's own type and layout; else
    random int8 images for the accelerator.

    Raises
    ------
    CosilicoError
        If the file is damaged or ``x`` is not what the model reads.
    """
    path = folder / "test.npz" if input_file is None else input_file
    if input_file is None and not path.exists():
        return random_images(imported.network, count or RANDOM_IMAGES)
    arrays = read_arrays(path)
    try:
        x = imported.host.prepare(arrays["x"])
    except CosilicoError as error:
        raise CosilicoError(f"image file {path}: {error}") from None
    return ImageSet(x, labels(path, arrays, len(x))).first(count)


def save_outputs(path: Path, imported: ImportedNetwork, result: SimulationResult) -> None:
    """Write what RTL computed, and what the host makes of it, one row for each inference.

    ``logits`` int8 as the network leaves them, ``output`` as the model's own output,
    ``measured_cycles`` and ``predicted_cycles`` int64, one entry for each program that ran.
    """
    logits = imported.host.logits(result.outputs)
    arrays: dict[str, NDArray[Any]] = {
        "logits": logits,
        "output": imported.host.finish(logits),
        "measured_cycles": result.cycles,
        "predicted_cycles": np.full(len(result.cycles), result.predicted_cycles, np.int64),
    }
    save_arrays(path, **arrays)


def _summary(imported: ImportedNetwork) -> str:
    network, host = imported.network, imported.host
    weights = sum(layer.weights.size for layer in network.layers)
    steps = [
        ", ".join(type(step).__name__.lower() for step in part) or "nothing"
        for part in (host.before, host.after)
    ]
    return (
        f"{len(network.layers)} layers, {network.macs:,} MACs, {weights:,} weights\n"
        f"input {host.input.dtype} {host.input.shape}, output {host.output.dtype} "
        f"{host.output.shape}; the host computes {steps[0]} before and {steps[1]} after"
    )

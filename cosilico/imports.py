"""Networks made elsewhere, on the command line: importing them, their inputs and outputs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cosilico.folder import Contents, stage_folder
from cosilico.images import ImageSet, labels, random_images, read_arrays, save_arrays
from cosilico.networks import MODEL_SUFFIXES
from sim.importers.folder import NETWORK_FILE, ImportedNetwork, load, network_name, save, with_file
from sim.importers.host import HostProgram
from sim.importers.program_ends import ProgramEnds
from sim.importers.range_method import RangeMethod
from sim.spec.archives import read_bytes
from sim.spec.errors import CosilicoError
from sim.spec.files import write_atomic
from sim.spec.network import Network
from sim.spec.network_json import WEIGHTS_FILE

if TYPE_CHECKING:
    from sim.importers.onnx.difference import LayerDifference
    from testbench.validation.simulation_result import SimulationResult

__all__ = [
    "import_model",
    "import_to_folder",
    "imported_images",
    "is_imported",
    "load_imported",
    "program_host",
    "save_outputs",
]

_REPORT_FILE = "report.json"
IMPORTED_FILES = (WEIGHTS_FILE, _REPORT_FILE, NETWORK_FILE)
_ONNX = ".onnx"
_PROGRAM = ".pt2"
"""Suffix of what ``torch.export.save`` writes."""


def import_to_folder(
    model: Path,
    out: Path,
    calibration: Path | None = None,
    *,
    ranges: RangeMethod | None = None,
    force: bool = False,
) -> str:
    """Import a model file into a folder; return a few lines on what it became.

    The folder's files appear all or none; it is as :func:`cosilico.folder.open_folder` takes it.

    Parameters
    ----------
    model, out : Path
    calibration : Path, optional
        Images of a PyTorch program that is quantized here; no other model has them.
    ranges : RangeMethod, optional
        How the program's activations get their ranges from the images; from all values if not given.
    force : bool
        Replace what an earlier command made there.

    Raises
    ------
    CosilicoError
        If the file is damaged, of an unknown kind, or the hardware cannot compute the model exactly.

    Warns
    -----
    CalibrationWarning
        If the images say little of a range.
    """
    _require_model(model, calibration, ranges)
    inputs = (model,) if calibration is None else (model, calibration)
    contents = Contents(command="import", identity={"model": model.name}, files=IMPORTED_FILES)
    with stage_folder(out, contents, inputs=inputs, force=force) as staging:
        imported = import_model(model, calibration, ranges)
        save(imported, staging)
        summary = f"{out / NETWORK_FILE}: {_summary(imported)}"
        if model.suffix == _ONNX:
            from sim.importers.onnx.difference import differences, report

            compared = differences(imported)
            write_atomic(staging / _REPORT_FILE, json.dumps(report(compared), indent=1) + "\n")
            summary += f"\n{_comparison_text(compared)}\n{out / _REPORT_FILE}: each layer's bound and count"
    return summary


def import_model(
    model: Path, calibration: Path | None = None, ranges: RangeMethod | None = None
) -> ImportedNetwork:
    """Import a model file; the other arguments and errors as of :func:`import_to_folder`.

    Importers are loaded here, for they bring libraries of their formats, which a run of a network does not need.
    """
    _require_model(model, calibration, ranges)
    if model.suffix == _PROGRAM:
        return _import_program(model, calibration, ranges)
    if model.suffix == _ONNX:
        from sim.importers.onnx.conversion import import_onnx

        return import_onnx(model)
    from sim.importers.tflite.conversion import import_tflite

    return import_tflite(model)


def _require_model(model: Path, calibration: Path | None, ranges: RangeMethod | None) -> None:
    if model.suffix not in MODEL_SUFFIXES:
        known = ", ".join(MODEL_SUFFIXES)
        raise CosilicoError(f"model file must end in {known}, not {str(model)!r}")
    if calibration is not None and model.suffix != _PROGRAM:
        rule = f"--calibration must be given with a {_PROGRAM} file, and only with one"
        raise CosilicoError(f"{rule}, not with {str(model)!r}")
    if ranges is not None and calibration is None:
        rule = "--ranges must be given with --calibration"
        raise CosilicoError(f"{rule}, not with {str(model)!r} alone")


def _import_program(
    path: Path, calibration: Path | None, ranges: RangeMethod | None
) -> ImportedNetwork:
    """Quantize a PyTorch program; the host changes floats in [C, H, W] to int8 and back.

    Without calibration images it must be quantized already.
    """
    from sim.importers.pytorch.conversion import import_with_ends  # torch takes seconds to import

    content = read_bytes(path, "program file")
    method = ranges or RangeMethod.MIN_MAX
    network, ends = import_with_ends(path, calibration, name=network_name(path.stem), method=method)
    source: dict[str, Any] = {"tensors": {layer.name: layer.name for layer in network.layers}}
    if calibration is not None:
        source = {"calibration": calibration.name, "ranges": str(method), **source}
    imported = ImportedNetwork(network=network, host=ends.host(network), source=source)
    return with_file(imported, path, "pt2", content)


def program_host(network: Network) -> HostProgram:
    """Steps around a network that was quantized from a PyTorch module of images.

    Inputs and outputs are float32 in the module's own layout: [C, H, W], an output of one pixel [C].
    """
    return ProgramEnds().host(network)


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

    Those given, else ``test.npz`` in the folder, both in the model's own type and layout, with ``x.1`` and so on for inputs
    behind the first; else random int8 images for the accelerator.

    Raises
    ------
    CosilicoError
        If the file is damaged or ``x`` is not what the model reads.
    """
    path = folder / "test.npz" if input_file is None else input_file
    if input_file is None and not path.exists():
        return random_images(imported.network, count)
    arrays = read_arrays(path)
    given = [_input_array(path, arrays, place) for place in range(len(imported.host.starts))]
    try:
        x = imported.host.prepare(given)
    except CosilicoError as error:
        raise CosilicoError(f"image file {path}: {error}") from None
    return ImageSet(x, labels(path, arrays, len(x))).first(count)


def _input_array(path: Path, arrays: dict[str, NDArray[Any]], place: int) -> NDArray[Any]:
    """Array of an input of a model: ``x`` of the first, ``x.1`` and so on of others."""
    name = f"x.{place}" if place else "x"
    if name not in arrays:
        raise CosilicoError(f"image file {path} must hold array {name!r}")
    return arrays[name]


def save_outputs(path: Path, imported: ImportedNetwork, result: "SimulationResult") -> None:
    """Write what RTL computed, and what the host makes of it, one row for each inference.

    ``logits`` int8 as the network leaves them, ``output`` as the model's own output, of several outputs
    ``logits.1``, ``output.1`` and so on for those behind the first; ``measured_cycles`` and
    ``predicted_cycles`` int64, one entry for each program that ran.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for place, (logits, output) in enumerate(imported.host.all_outputs(result.named_outputs)):
        behind = f".{place}" if place else ""
        arrays |= {f"logits{behind}": logits, f"output{behind}": output}
    arrays["measured_cycles"] = result.cycles
    arrays["predicted_cycles"] = np.full(len(result.cycles), result.predicted_cycles, np.int64)
    save_arrays(path, **arrays)


def _comparison_text(compared: "Sequence[LayerDifference]") -> str:
    """Return a line on the layers that are exact, and a line for each layer that can differ."""
    exact = [layer for layer in compared if layer.bound == 0]
    most = max((layer.bound for layer in compared), default=0)
    lines = [
        f"against onnxruntime, each layer by itself: {len(exact)} of {len(compared)} layers equal; "
        f"the others differ by {max(1, most)} at most, here with what its formula gives on random inputs"
    ]
    lines += [
        f"  {layer.layer}: {layer.differing:,} of {layer.values:,} values differ ({layer.reason})"
        for layer in compared
        if layer.bound
    ]
    return "\n".join(lines)


def _summary(imported: ImportedNetwork) -> str:
    network, host = imported.network, imported.host
    weights = sum(layer.weights.size for layer in network.layers)
    steps = [
        ", ".join(type(step).__name__.lower() for step in part) or "nothing"
        for part in (host.before, host.after)
    ]
    begins = [
        f"\ninput {start.input.dtype} {start.input.shape}; the host computes "
        f"{', '.join(type(step).__name__.lower() for step in start.before) or 'nothing'} before"
        for start in host.further_inputs
    ]
    further = [
        f"\noutput {end.output.dtype} {end.output.shape}; the host computes "
        f"{', '.join(type(step).__name__.lower() for step in end.after) or 'nothing'} after"
        for end in host.further
    ]
    tables = sum(layer.table is not None for layer in network.layers)
    needs = (
        f"\nneeds an accelerator with activation_table, for {tables} of the layers"
        if tables
        else ""
    )
    return (
        f"{len(network.layers)} layers, {network.macs:,} MACs, {weights:,} weights\n"
        f"input {host.input.dtype} {host.input.shape}, output {host.output.dtype} "
        f"{host.output.shape}; the host computes {steps[0]} before and {steps[1]} after"
        f"{''.join(begins)}{''.join(further)}{needs}"
    )

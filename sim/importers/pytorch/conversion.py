"""A saved PyTorch program and calibration images in, a quantized network out."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
import torch.ao.quantization.fx._decomposed  # whose operators a graph may name
from torch import Tensor
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from sim.importers.errors import printable
from sim.importers.program_ends import ProgramEnd, ProgramEnds, ProgramStart
from sim.importers.pytorch.archive import clean_archive
from sim.importers.pytorch.aten import read_program
from sim.importers.pytorch.quantize import quantize_as_given, quantize_network, unquantized
from sim.importers.range_method import RangeMethod
from sim.spec.errors import CosilicoError, DesignFileError
from sim.spec.network import Network
from sim.spec.npz import read_arrays

__all__ = ["import_program", "import_with_ends", "load_calibration_images", "load_program"]


_UNQUANTIZED = "must have calibration images, for it is of real numbers"


def import_program(
    path: Path,
    calibration: Path | None,
    *,
    name: str | None = None,
    method: RangeMethod = RangeMethod.MIN_MAX,
) -> Network:
    """Quantize a ``.pt2`` file.

    Parameters
    ----------
    path : Path
        What ``torch.export.save`` wrote of a module in inference mode.
    calibration : Path, optional
        See :func:`load_calibration_images`; none for a program that was quantized before.
    name : str, optional
        Of the network; that of the file if not given.
    method : RangeMethod
        How ranges are chosen from the values on the images.

    Raises
    ------
    CosilicoError
        One line that names the file, or the operation that no layer computes.
    """
    return import_with_ends(path, calibration, name=name, method=method)[0]


def import_with_ends(
    path: Path,
    calibration: Path | None,
    *,
    name: str | None = None,
    method: RangeMethod = RangeMethod.MIN_MAX,
) -> tuple[Network, ProgramEnds]:
    """Quantize as :func:`import_program`; return the forms of the program's ends, too."""
    images = None if calibration is None else load_calibration_images(calibration)
    network = read_program(load_program(path), name=name or path.stem)
    starts = tuple(
        ProgramStart(rank=source.rank, half_even=source.name in network.scales)
        for source in network.inputs
    )
    given = network.given
    results = tuple(
        ProgramEnd(place=given.index(end.tensor), functions=end.functions, sizes=end.sizes)
        for end in network.ends
    )
    ends = ProgramEnds(starts=starts, ends=results)
    if images is None:
        if not network.scales:
            raise CosilicoError(f"program file {path} {_UNQUANTIZED}")
        return quantize_as_given(network), ends
    if not unquantized(network):
        rule = "must have no calibration images, for it is quantized"
        raise CosilicoError(f"program file {path} {rule}")
    if len(images) < len(network.inputs):
        rule = f"must hold an array x.{len(images)}, as the module has {len(network.inputs)} inputs"
        raise CosilicoError(f"calibration file {calibration} {rule}")
    return quantize_network(network, images[: len(network.inputs)], method=method), ends


def load_program(path: Path) -> ExportedProgram:
    """Read what ``torch.export.save`` wrote; nothing that the file holds is executed.

    Raises
    ------
    DesignFileError
        If it is damaged, or holds anything else than plain tensors and a graph of fixed sizes.
    UnsupportedModuleError
        If the graph has an operator that no layer computes.
    """
    archive = clean_archive(path, _arguments_text, _results_text)
    try:
        with _quiet():
            return torch.export.load(archive)
    except Exception as error:  # whatever torch raises on operators and arguments that do not fit
        reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        raise DesignFileError(printable(f"program file {path} cannot be read: {reason}")) from error


def _arguments_text(count: int) -> str:
    """PyTorch's text for so many tensors as arguments."""
    return _spec_text((tuple(range(count)), {}))


def _results_text(count: int) -> str:
    """PyTorch's text for so many tensors as results."""
    return _spec_text(0 if count == 1 else tuple(range(count)))


def _spec_text(example: object) -> str:
    """PyTorch's text for the structure of arguments or results."""
    return pytree.treespec_dumps(pytree.tree_structure(example))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch from logging the trace of an error that is raised anyway."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def load_calibration_images(path: Path) -> list[Tensor]:
    """Arrays ``x``, ``x.1`` and so on of an npz file: what the module is given for each of its inputs.

    Each is float [N, C, H, W], [N, C, L] or [N, C].

    Raises
    ------
    DesignFileError
    """
    arrays = read_arrays(path, "calibration file", finite=True)
    if "x" not in arrays:
        raise DesignFileError(f"calibration file {path} must hold an array x")
    images, name = [], "x"
    while name in arrays:
        x = arrays[name]
        if x.dtype.kind != "f" or not 2 <= x.ndim <= 4 or not x.size:
            rule = "must be floating point of shape [N, C, H, W], [N, C, L] or [N, C]"
            raise DesignFileError(
                f"array {name} of calibration file {path} {rule}, not {x.dtype} {list(x.shape)}"
            )
        with np.errstate(over="ignore"):  # as infinities they are refused
            images.append(torch.from_numpy(x.astype(np.float32)))
        name = f"x.{len(images)}"
    return images

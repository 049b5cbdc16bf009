"""A saved PyTorch program and calibration images in, a quantized network out."""

import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor
from torch.export import ExportedProgram

from search.quantize import quantize_program
from sim.spec.errors import DesignFileError
from sim.spec.network import Network

__all__ = ["import_program", "load_calibration_images", "load_program"]


def import_program(path: Path, calibration: Path, *, name: str | None = None) -> Network:
    """Quantize a ``.pt2`` file.

    Parameters
    ----------
    path : Path
        What ``torch.export.save`` wrote of a module in inference mode.
    calibration : Path
        See :func:`load_calibration_images`.
    name : str, optional
        Of the network; that of the file if not given.

    Raises
    ------
    CosilicoError
        One line that names the file, or the operation that no layer computes.
    """
    images = load_calibration_images(calibration)
    return quantize_program(load_program(path), images, name=name or path.stem)


def load_program(path: Path) -> ExportedProgram:
    """Read what ``torch.export.save`` wrote.

    Raises
    ------
    DesignFileError
    """
    try:
        with path.open("rb") as file:
            # given anything else, torch tries its older formats and logs what it finds
            if not _is_program(file):
                raise DesignFileError(f"program file {path} must be written by torch.export.save")
            file.seek(0)
            return torch.export.load(file)
    except DesignFileError:
        raise
    except OSError as error:
        raise DesignFileError(f"program file {path} cannot be read: {error.strerror}") from None
    except Exception as error:  # whatever torch's reader raises on a damaged file
        reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        raise DesignFileError(f"program file {path} cannot be read: {reason}") from error


def _is_program(file: BinaryIO) -> bool:
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any(name.endswith("/archive_format") for name in archive.namelist())


def load_calibration_images(path: Path) -> Tensor:
    """Array ``x``, float [N, C, H, W], of an npz file: what the module is given, not quantized.

    Raises
    ------
    DesignFileError
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files} if hasattr(file, "files") else {}
    except OSError as error:
        reason = error.strerror or "it is truncated"
        raise DesignFileError(f"calibration file {path} cannot be read: {reason}") from None
    except (zipfile.BadZipFile, ValueError, EOFError, KeyError, AttributeError, TypeError):
        raise DesignFileError(f"calibration file {path} is truncated or not an npz file") from None
    if "x" not in arrays:
        raise DesignFileError(f"calibration file {path} must hold an array x")
    x = arrays["x"]
    if x.dtype.kind != "f" or x.ndim != 4 or not len(x):
        rule = "must be floating point of shape [N, C, H, W]"
        raise DesignFileError(
            f"array x of calibration file {path} {rule}, not {x.dtype} {list(x.shape)}"
        )
    return torch.from_numpy(x.astype(np.float32))

"""Pairs of a network and an accelerator, from what a caller names."""

from functools import cache
from pathlib import Path

from cosilico.api.accelerators import load_accelerator
from cosilico.api.networks import NetworkSource, load_network
from cosilico.gateware import current_calibration
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import Design
from sim.spec.design import load as load_design_file
from sim.spec.documents import read_json
from sim.spec.errors import CosilicoError
from sim.timing.calibration import Calibration

__all__ = ["AcceleratorSource", "calibration_in_force", "load_pair"]

AcceleratorSource = AcceleratorConfig | str | Path
"""Forms of an accelerator in a call: the configuration, or its name or path."""


def load_pair(
    network: NetworkSource, accelerator: AcceleratorSource | None = None, *, seed: int = 0
) -> Design:
    """Return a network with its accelerator, which is a design's own if none is given.

    Parameters
    ----------
    network
        As of :func:`cosilico.load_network`.
    accelerator
        As of :func:`cosilico.load_accelerator`.
    seed : int
        Of a named network's weights.

    Raises
    ------
    CosilicoError
        If a file is wrong, or ``network`` has no accelerator and none is given.
    """
    if accelerator is not None:
        config = load_accelerator(accelerator)
        return Design(network=load_network(network, seed=seed), accelerator=config)
    if isinstance(network, Design):
        return network
    if isinstance(network, str | Path) and _is_design(Path(network)):
        return load_design_file(Path(network))
    named = str(network) if isinstance(network, str | Path) else load_network(network).name
    raise CosilicoError(f"network {named!r} must be given an accelerator")


@cache
def calibration_in_force() -> Calibration:
    """Return the shipped timing constants, after a check that they are of this gateware.

    Raises
    ------
    StaleCalibrationError
        If they are of another.
    """
    return current_calibration()


def _is_design(path: Path) -> bool:
    """Whether a file is to be read as a design, also to say what is wrong with it."""
    if path.suffix != ".json":
        return False
    if not path.exists():
        return True
    document = read_json(path, "network file")
    return not isinstance(document, dict) or "layers" not in document

"""Networks of the public API: named, from files, or imported from models made elsewhere."""

from pathlib import Path

from cosilico.api import arguments
from cosilico.extras import require_extra
from cosilico.imports import import_model
from cosilico.networks import MODEL_SUFFIXES, network_argument
from sim.importers.folder import ImportedNetwork
from sim.importers.range_method import RangeMethod
from sim.spec.design import Design
from sim.spec.network import Network

__all__ = ["NetworkSource", "import_network", "load_network"]

NetworkSource = Network | ImportedNetwork | Design | str | Path
"""Forms of a network in a call: the network, an object that has it, or its name or path."""


def load_network(source: NetworkSource, *, seed: int = 0) -> Network:
    """Return a network by its name or from its file.

    Parameters
    ----------
    source : Network, ImportedNetwork, Design, str or Path
        A named network ("mobilenet_v2", "resnet8" …), a design file, the folder of an imported
        network, a JSON file of a network alone, or a quantized model file (``.tflite``, ``.onnx``). Of
        an object its network is returned.
    seed : int
        Of a named network's random weights.

    Raises
    ------
    TypeError, ValueError
        With a line that names the argument that is wrong.
    CosilicoError
        If there is none of that name, or its file is wrong.
    """
    seed = arguments.seed_integer("seed", seed)
    if isinstance(source, Network):
        return source
    if isinstance(source, ImportedNetwork | Design):
        return source.network
    if not isinstance(source, str | Path):
        raise TypeError(f"network must be a network, its name or its path, not {source!r}")
    path = Path(source)
    if path.suffix in MODEL_SUFFIXES:
        return import_network(path).network
    return network_argument(str(source), seed)


def import_network(
    model: str | Path, calibration: str | Path | None = None, *, ranges: str | None = None
) -> ImportedNetwork:
    """Import a network that was made elsewhere.

    Parameters
    ----------
    model : str or Path
        A quantized ``.tflite`` or ``.onnx`` file, or a ``.pt2`` program of PyTorch, which needs the
        extra ``search``.
    calibration : str or Path, optional
        With a ``.pt2`` file of real numbers, and only then: an npz file with images ``x``, float
        [N, C, H, W].
    ranges : str, optional
        With ``calibration``: how activations get the ranges that int8 covers. ``"min_max"``, the default,
        takes all values on the images, ``"percentile"`` 99.99 % of them, ``"mse"`` the part with the least
        squared error.

    Raises
    ------
    CosilicoError
        If the file is damaged, of an unknown kind, or the hardware cannot compute the model exactly.
    """
    path = arguments.path("model", model)
    images = None if calibration is None else arguments.path("calibration", calibration)
    if path.suffix == ".pt2":
        require_extra("import_network", "search")
    known = tuple(RangeMethod)
    if ranges is not None and ranges not in known:
        raise ValueError(f"ranges must be one of {', '.join(known)}, not {ranges!r}")
    return import_model(path, images, None if ranges is None else RangeMethod(ranges))

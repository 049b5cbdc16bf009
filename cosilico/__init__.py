"""Cosilico: co-search of a quantized network and its accelerator, down to verified Verilog.

``import cosilico`` is all that a notebook needs. The public names are loaded when they are first used,
so that this takes milliseconds and asks for no package that is not used.
"""

from importlib import import_module

from cosilico.starting import is_command

# Not from typing: until the command can be interrupted, nothing is loaded that takes time.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from cosilico.api.accelerators import load_accelerator, load_space
    from cosilico.api.checks import CheckResult, check
    from cosilico.api.designs import load_design, save_design
    from cosilico.api.enumeration import AcceleratorCosts, enumerate, predict_many
    from cosilico.api.generation import GeneratedFiles, generate
    from cosilico.api.memories import load_memory
    from cosilico.api.networks import import_network, load_network
    from cosilico.api.prediction import PredictedRun, predict
    from cosilico.api.search import SearchedDesign, search, search_accelerator
    from cosilico.api.simulation import SimulatedRun, simulate
    from cosilico.api.systems import SimulatedSystem, soc
    from cosilico.api.table import Table
    from sim.importers.folder import ImportedNetwork
    from sim.realizability import Violation
    from sim.spec.accelerator import AcceleratorConfig
    from sim.spec.design import Design
    from sim.spec.dram import DramSystem
    from sim.spec.errors import CosilicoError, NotRealizableError
    from sim.spec.memories import FixedLatency
    from sim.spec.network import Network
    from sim.spec.spaces import HardwareSpace
    from sim.spec.views import View

__all__ = [
    "AcceleratorConfig",
    "AcceleratorCosts",
    "CheckResult",
    "CosilicoError",
    "Design",
    "DramSystem",
    "FixedLatency",
    "GeneratedFiles",
    "HardwareSpace",
    "ImportedNetwork",
    "Network",
    "NotRealizableError",
    "PredictedRun",
    "SearchedDesign",
    "SimulatedRun",
    "SimulatedSystem",
    "Table",
    "View",
    "Violation",
    "__version__",
    "check",
    "enumerate",
    "generate",
    "import_network",
    "load_accelerator",
    "load_design",
    "load_memory",
    "load_network",
    "load_space",
    "predict",
    "predict_many",
    "save_design",
    "search",
    "search_accelerator",
    "simulate",
    "soc",
]

__version__ = "0.1.0"

_PLACES = {
    "cosilico.api.accelerators": ("load_accelerator", "load_space"),
    "cosilico.api.checks": ("CheckResult", "check"),
    "cosilico.api.designs": ("load_design", "save_design"),
    "cosilico.api.enumeration": ("AcceleratorCosts", "enumerate", "predict_many"),
    "cosilico.api.generation": ("GeneratedFiles", "generate"),
    "cosilico.api.memories": ("load_memory",),
    "cosilico.api.networks": ("import_network", "load_network"),
    "cosilico.api.prediction": ("PredictedRun", "predict"),
    "cosilico.api.search": ("SearchedDesign", "search", "search_accelerator"),
    "cosilico.api.simulation": ("SimulatedRun", "simulate"),
    "cosilico.api.systems": ("SimulatedSystem", "soc"),
    "cosilico.api.table": ("Table",),
    "sim.importers.folder": ("ImportedNetwork",),
    "sim.realizability": ("Violation",),
    "sim.spec.accelerator": ("AcceleratorConfig",),
    "sim.spec.design": ("Design",),
    "sim.spec.errors": ("CosilicoError", "NotRealizableError"),
    "sim.spec.dram": ("DramSystem",),
    "sim.spec.memories": ("FixedLatency",),
    "sim.spec.network": ("Network",),
    "sim.spec.spaces": ("HardwareSpace",),
    "sim.spec.views": ("View",),
}
"""Modules of the public names."""

_MODULES = {name: module for module, names in _PLACES.items() for name in names}

if not is_command():  # a command asks as soon as it can be interrupted
    from cosilico.siblings import require_siblings

    require_siblings()


def __getattr__(name: str) -> object:
    """Load a public name."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__

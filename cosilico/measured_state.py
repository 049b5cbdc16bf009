"""Digests of all that measured figures depend on: gateware, fits, model and strategies."""

from functools import cache
from importlib import resources
from pathlib import Path

from cosilico.cache import digest
from hwgen.gateware_hash import code, gateware_hash

__all__ = ["measured_state"]


@cache
def measured_state() -> dict[str, str]:
    """Digests of all that decides a comparison on a joint space, by name.

    ``gateware``; what is measured and shipped, ``timing`` (clocks, too) and ``prices`` (of area and energy); the code of the ``model``, of
    the ``strategies`` and of the ``judge`` with its problems, without comments and docstrings, which change no figure.
    """
    root = Path(str(resources.files("sim")))
    return {
        "gateware": gateware_hash(),
        "timing": _data_digest(root / "timing"),
        "prices": _data_digest(root / "cost"),
        "model": _code_digest("sim"),
        "strategies": _code_digest("search"),
        "judge": _code_digest("cosilico.joint"),
    }


def _data_digest(folder: Path) -> str:
    files = sorted(folder.glob("*.json"))
    return digest(*(part for file in files for part in (file.name, file.read_bytes())))


def _code_digest(package: str) -> str:
    root = Path(str(resources.files(package)))
    parts: list[str] = []
    for path in sorted(root.rglob("*.py")):
        parts += [path.relative_to(root).as_posix(), code(path.read_text(encoding="utf-8"))]
    return digest(*parts)

"""Hash of everything that decides how the emitted accelerator behaves, in both views."""

import ast
import hashlib
import io
import tokenize
from pathlib import Path
from typing import TypeGuard

import sim.spec

__all__ = ["code", "gateware_hash"]

_ROOT = Path(__file__).parent
_VOCABULARY = ("accelerator.py", "bus.py", "descriptor.py", "header.py", "stops.py")


def code(source: str) -> str:
    """Return Python source without comments, docstrings and blank lines.

    Unlike a dump of the syntax tree this is the same under every Python version.
    """
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(source)):
        if _is_text(node):
            end = node.end_lineno or node.lineno
            lines[node.lineno - 1 : end] = [""] * (end - node.lineno + 1)
    return "\n".join(line.rstrip() for line in lines if line.strip())


def gateware_hash() -> str:
    """Return a hexadecimal SHA-256 over the gateware's sources.

    It covers the code of ``hwgen/gateware/*.py``, ``hwgen/emit.py``, ``hwgen/simulation_view.py`` and
    the vocabulary that they import, and the text of ``hwgen/rtl/*.v`` and of the simulation view's
    template, for the constants are measured in that view. Python's comments and docstrings do not
    change it; any change of behaviour does, and makes a calibration stale.
    """
    python = sorted((_ROOT / "gateware").glob("*.py"))
    python += [_ROOT / "emit.py", _ROOT / "simulation_view.py"]
    parts = [(f"hwgen/{path.relative_to(_ROOT).as_posix()}", path) for path in python]
    parts += [(f"sim/spec/{name}", Path(sim.spec.__path__[0]) / name) for name in _VOCABULARY]
    digest = hashlib.sha256()
    for name, path in parts:
        digest.update(f"{name}\0{code(path.read_text(encoding='utf-8'))}\0".encode())
    rtl = _ROOT / "rtl"
    for path in sorted([*rtl.glob("*.v"), *rtl.glob("*.j2")]):
        digest.update(f"{path.name}\0{path.read_text(encoding='utf-8')}\0".encode())
    return digest.hexdigest()


def _is_text(node: ast.AST) -> TypeGuard[ast.Expr]:
    """Whether a node is only a string: a docstring or an attribute's."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )

"""Hash of everything that decides how the emitted accelerator behaves, in both views."""

import ast
import functools
import hashlib
import io
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeGuard

import sim.spec
from sim.spec.kept_text import kept_text

__all__ = ["code", "gateware_hash", "gateware_sources"]

_ROOT = Path(__file__).parent
_VOCABULARY = ("accelerator.py", "bus.py", "descriptor.py", "header.py", "stops.py", "views.py")


def code(source: str) -> str:
    """Return the code of a Python source, without what does not change its behaviour.

    Comments, docstrings and blank lines are left out. Of the imports only the names remain that they
    bring, in order, for a module may move. Unlike a dump of the syntax tree this is the same under
    every Python version.
    """
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names += _imported(node)
        elif not _is_text(node):
            continue
        end = node.end_lineno or node.lineno
        lines[node.lineno - 1 : end] = [""] * (end - node.lineno + 1)
    kept = [line.rstrip() for line in lines if line.strip()]
    return "\n".join([*sorted(names), *kept])


def gateware_sources() -> tuple[Path, ...]:
    """Return every file that the hash covers.

    They are ``hwgen/gateware`` with all its folders, ``hwgen/verilog``, ``hwgen/emit.py``,
    ``hwgen/memory_modules.py``, ``hwgen/simulation_view.py``, the vocabulary that these import, and the Verilog and the simulation view's template in
    ``hwgen/rtl``, for the constants are measured in that view.
    """
    rtl = _ROOT / "rtl"
    return (
        *sorted((_ROOT / "gateware").rglob("*.py")),
        *sorted((_ROOT / "verilog").glob("*.py")),
        _ROOT / "emit.py",
        _ROOT / "memory_modules.py",
        _ROOT / "simulation_view.py",
        *(Path(sim.spec.__path__[0]) / name for name in _VOCABULARY),
        *sorted([*rtl.glob("*.v"), *rtl.glob("*.j2")]),
    )


def gateware_hash() -> str:
    """Return a hexadecimal SHA-256 over the gateware's sources.

    Comments, docstrings and the places of Python files do not change it (:func:`code`); any change
    of behaviour does, and makes a calibration stale.
    """
    states = [(path, path.stat()) for path in gateware_sources()]
    return _hash_of(tuple((path, state.st_mtime_ns, state.st_size) for path, state in states))


@functools.lru_cache(maxsize=1)
def _hash_of(sources: tuple[tuple[Path, int, int], ...]) -> str:
    """Hash of files, each with the time of its last change and its size: once per state."""
    texts = [(path.suffix, path.read_bytes()) for path, *_ in sources]
    how = (sys.version.encode(), Path(__file__).read_bytes())
    states = (part for suffix, text in texts for part in (suffix.encode(), text))
    return kept_text((*how, *states), functools.partial(_computed, texts))


def _computed(texts: Iterable[tuple[str, bytes]]) -> str:
    """Hash of texts, each with its file's suffix."""
    digest = hashlib.sha256()
    for content in sorted(filter(None, _contents(texts))):
        digest.update(f"{content}\0".encode())
    return digest.hexdigest()


def _contents(texts: Iterable[tuple[str, bytes]]) -> Iterator[str]:
    for suffix, content in texts:
        text = io.StringIO(content.decode(), newline=None).read()
        yield code(text) if suffix == ".py" else text


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    """Return the names that an import brings, as the code after it knows and as their module does."""
    whole = isinstance(node, ast.Import)
    return [
        f"import {alias.name.rpartition('.')[2] if whole else alias.name} {alias.asname or ''}".strip()
        for alias in node.names
    ]


def _is_text(node: ast.AST) -> TypeGuard[ast.Expr]:
    """Whether a node is only a string: a docstring or an attribute's."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )

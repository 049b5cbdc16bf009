"""Digests of the code that a module is made of: its own and that of what it imports."""

import ast
import functools
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import resolve_name
from pathlib import Path
from types import CodeType
from typing import TypeAlias

from sim.spec.kept_text import kept_text

__all__ = ["code_digest"]

Modules: TypeAlias = Mapping[str, tuple[str, Sequence[str]]]
"""By name: digest of a module's own code, and names that may be modules which it imports."""


@functools.cache
def code_digest(module: str, root: Path) -> str:
    """Return a hexadecimal SHA-256 of the code of a module and of all that it imports of its package.

    Comments, docstrings and blank lines do not change it. A process reads the package once, and compiles it if no process
    has done so before.

    Parameters
    ----------
    module : str
        Full name.
    root : Path
        The folder of the top-level package; imports from others do not count.
    """
    digest = hashlib.sha256()
    known = _modules(root)
    for name in sorted(_with_imports(module, known)):
        digest.update(f"{name} {known[name][0]}\n".encode())
    return digest.hexdigest()


def _with_imports(module: str, known: Modules) -> set[str]:
    """Names of a module and, transitively, of those that it imports."""
    reached, left = set[str](), [module]
    while left:
        name = left.pop()
        if name not in reached and name in known:
            reached.add(name)
            left += known[name][1]
    return reached


@functools.cache
def _modules(root: Path) -> Modules:
    """Modules of a package."""
    texts = {path.relative_to(root): path.read_bytes() for path in sorted(root.rglob("*.py"))}
    how = (sys.version.encode(), Path(__file__).read_bytes(), root.name.encode())
    states = (part for path, text in texts.items() for part in (str(path).encode(), text))
    modules: Modules = json.loads(
        kept_text((*how, *states), lambda: json.dumps(_compiled(root.name, texts)))
    )
    return modules


def _compiled(package: str, texts: Mapping[Path, bytes]) -> Modules:
    """Modules of a package by the texts of its files, each at its place in the package."""
    modules = {}
    for path, text in texts.items():
        parts = [package, *path.with_suffix("").parts]
        whole = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if whole else parts)
        modules[name] = _read(name if whole else name.rpartition(".")[0], text)
    return modules


@functools.cache
def _read(package: str, text: bytes) -> tuple[str, list[str]]:
    """(digest of a module's own code, names that may be modules which it imports); the module is in a package."""
    tree = ast.parse(text)
    imported = list(_imported(tree, package))
    _strip_docstrings(tree)
    digest = hashlib.sha256()
    _add(digest, compile(tree, "", "exec", dont_inherit=True))
    return digest.hexdigest(), imported


def _imported(tree: ast.Module, package: str) -> Iterator[str]:
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = resolve_name("." * node.level + (node.module or ""), package)
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)


def _strip_docstrings(tree: ast.Module) -> None:
    """Replace docstrings; other text that is only there to be read is never compiled."""
    for node in (tree, *_statements(tree)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body[0] = ast.copy_location(ast.Pass(), first)


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """All statements within a node, without a look at their expressions."""
    for field in ("body", "orelse", "handlers", "finalbody", "cases"):
        for child in getattr(node, field, ()):
            yield child
            yield from _statements(child)


def _add(digest: "hashlib._Hash", code: CodeType) -> None:
    """Add what a code object does, without its place in the file."""
    names = (code.co_name, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    counts = (code.co_argcount, code.co_kwonlyargcount, code.co_posonlyargcount, code.co_flags)
    digest.update(repr((names, counts)).encode() + code.co_code + code.co_exceptiontable)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _add(digest, constant)
        elif isinstance(constant, frozenset):
            digest.update(repr(sorted(map(repr, constant))).encode())
        else:
            digest.update(repr(constant).encode())

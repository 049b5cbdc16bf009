"""Digests of the code that a module is made of: its own and that of what it imports."""

import ast
import functools
import hashlib
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path
from types import CodeType

__all__ = ["code_digest"]


@functools.cache
def code_digest(module: str, root: Path) -> str:
    """Return a hexadecimal SHA-256 of the code of a module and of all that it imports of its package.

    Comments, docstrings and blank lines do not change it. A process reads a module once.

    Parameters
    ----------
    module : str
        Full name.
    root : Path
        The folder of the top-level package; imports from others do not count.
    """
    digest = hashlib.sha256()
    for name in sorted(_with_imports(module, root)):
        digest.update(f"{name} {_read(name, root)[0]}\n".encode())
    return digest.hexdigest()


def _with_imports(module: str, root: Path) -> set[str]:
    """Names of a module and, transitively, of those that it imports."""
    reached, left = set[str](), [module]
    while left:
        name = left.pop()
        if name not in reached and _path(name, root):
            reached.add(name)
            left += _read(name, root)[1]
    return reached


@functools.cache
def _path(module: str, root: Path) -> Path | None:
    """Return the source of a module, None where there is no such module in the package."""
    package, *parts = module.split(".")
    if package != root.name:
        return None
    path = root.joinpath(*parts)
    candidates = (path / "__init__.py", path.with_name(f"{path.name}.py"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


@functools.cache
def _read(module: str, root: Path) -> tuple[str, tuple[str, ...]]:
    """(digest of a module's own code, names that may be modules which it imports)."""
    path = _path(module, root)
    assert path is not None
    tree = ast.parse(path.read_bytes())
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    imported = tuple(_imported(tree, package))
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

"""The decorators of numba kernels: compiled once per state of the package's source.

numba's own file cache looks at one file at a time and would keep a kernel whose callee in
another file has changed. Here the cache's place depends on all of ``sim``'s source.
"""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numba

from sim.spec.files import cache_root

__all__ = ["in_place", "inlined", "kernel"]

P = ParamSpec("P")
R = TypeVar("R")


def _source_hash() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


_CACHE = str(cache_root() / "kernels" / _source_hash())


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function of arrays and integers with numba at its first call."""
    return _compiled(function, counted=True)


def in_place(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a kernel that allocates no array and returns none: it works on those it is given.

    Views of arrays are then not counted (numba's option ``_nrt``). Counting is atomic, and took half
    the time of kernels that do little per view.
    """
    return _compiled(function, counted=False)


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a kernel as :func:`in_place`, always as part of the one that calls it.

    For what is called for every descriptor with many arrays: each is seven arguments of a call.
    """
    return _compiled(function, counted=False, forceinline=True)


def _compiled(function: Callable[P, R], *, counted: bool, **more: bool) -> Callable[P, R]:
    config: Any = numba.config
    options: dict[str, Any] = {"cache": True, "_nrt": counted, "no_cfunc_wrapper": True, **more}
    before = config.CACHE_DIR
    config.CACHE_DIR = _CACHE
    try:
        compiled: Any = numba.njit(**options)(function)
    finally:
        config.CACHE_DIR = before
    if hasattr(compiled, "get_call_template"):  # not where compilation is switched off
        compiled.get_call_template = functools.partial(_resolve, compiled.get_call_template)
    found: Callable[P, R] = compiled
    return found


def _resolve(resolve: Any, args: Any, kws: Any) -> Any:
    """Resolve a call by another kernel for arguments of plain types.

    numba would compile a kernel again for every argument that is a literal at the call, or is one
    at first, as a counter that begins at 0.
    """
    plain: Any = numba.types.unliteral
    return resolve([plain(a) for a in args], {name: plain(a) for name, a in kws.items()})

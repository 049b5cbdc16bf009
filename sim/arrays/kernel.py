"""The decorators of numba kernels: compiled once per state of the code that they are made of.

numba's own file cache looks at one file at a time and would keep a kernel whose callee in
another file has changed. Here the cache's place depends on the code of the kernel's module and of
all modules of ``sim`` that it imports. Nor would numba's see a damaged file, or that two processes
have given one number to two kernels' code; here each has a file of its own, with a digest.
"""

import contextlib
import fcntl
import functools
import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numba
from numba.core.compiler_lock import global_compiler_lock
from numba.core.runtime import rtsys  # type: ignore[attr-defined]  # numba has no types
from numba.core.serialize import dumps

from sim.arrays.sources import code_digest
from sim.spec.files import cache_root, write_atomic

__all__ = ["in_place", "inlined", "kernel"]

P = ParamSpec("P")
R = TypeVar("R")


KERNELS_FOLDER = "kernels"
"""Name of the kernels' folder in the cache."""

PARTS_TRIED = ("0.68.",)
"""Kernels are compiled in parts (:mod:`sim.arrays.compiler`), and loaded alone, with these versions of numba.

That uses numba's inside. With other versions each kernel is compiled and loaded in numba's own way,
which takes longer.
"""

_ROOT = Path(__file__).parents[1]
_CACHE = str(cache_root() / KERNELS_FOLDER)
_DIGEST_BYTES = hashlib.sha256().digest_size


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
    """Compile a kernel as :func:`in_place`, always as part of its caller.

    For what is called for every descriptor with many arrays: each is seven arguments of a call.
    """
    return _compiled(function, counted=False, forceinline=True)


def _compiled(function: Callable[P, R], *, counted: bool, **more: bool) -> Callable[P, R]:
    config: Any = numba.config
    # Without the interpreter's lock, so that an interrupt ends a process within a kernel, too.
    # Kernels divide by no zero; an exception for it would be looked for behind every call.
    options: dict[str, Any] = {
        "nogil": True,
        "_nrt": counted,
        "no_cfunc_wrapper": True,
        "error_model": "numpy",
        **more,
    }
    folder = Path(_CACHE, code_digest(function.__module__, _ROOT)[:16])
    before = config.CACHE_DIR
    config.CACHE_DIR = str(folder)
    try:
        njit: Any = numba.njit
        cached = _writable(folder)
        compiled = njit(cache=cached, **_pipeline("KernelCompiler"), **options)(function)
    finally:
        config.CACHE_DIR = before
    cache: Any = getattr(compiled, "_cache", None)
    if hasattr(cache, "_cache_file"):  # not where nothing is cached, or compiled
        # Without the line that it begins in; numba's key has its bytecode.
        base = f"{function.__module__}.{function.__qualname__}"
        # Of equal sources elsewhere the code is the same; numba's own folder is of their place.
        cache._cache_file = files = _KernelFiles(folder, base)
        if _tried():
            cache.load_overload = functools.partial(_load, cache)
            compiled.compile = functools.partial(_compile_alone, compiled.compile, files)
    if hasattr(compiled, "get_call_template"):  # not where compilation is switched off

        @functools.cache
        def part() -> Any:
            """Form of the kernel for those that call it, while Python gets the kernel itself."""
            return njit(no_cpython_wrapper=True, **_pipeline("PartCompiler"), **options)(function)

        if _tried():
            compiled.part = part
            compiled.get_overload = lambda signature: part().get_overload(signature)
            compiled.get_call_template = lambda args, kws: _resolve(
                part().get_call_template, args, kws
            )
        else:
            compiled.get_call_template = functools.partial(_resolve, compiled.get_call_template)
    kernel: Callable[P, R] = compiled
    return kernel


def _compile_alone(compile_it: Callable[[Any], Any], files: "_KernelFiles", signature: Any) -> Any:
    """Compile for a signature, or load what is kept; what other processes compile is waited for.

    Only where parts are compiled: no kernel is then loaded while another is compiled. It is done under the lock
    that numba takes for it anyway: who waits for that in another thread must not let others go on.
    """
    with global_compiler_lock:
        files.waits = True
        try:
            return compile_it(signature)
        finally:
            files.release()


def _load(cache: Any, signature: Any, target: Any) -> Any:
    """Return the code that is kept, or None.

    numba would first read all that it can compile, with SciPy's linear algebra, which takes longer than
    to load most kernels. Machine code needs its runtime alone; whoever compiles reads the rest.
    """
    rtsys.initialize(target)
    return cache._load_overload(signature, target)


def _tried() -> bool:
    """Whether this is a version of numba whose inside is known."""
    return numba.__version__.startswith(PARTS_TRIED)  # type: ignore[no-any-return]  # as above


def _pipeline(name: str) -> dict[str, Any]:
    """Option of numba for one of our compilers, none where its version was not tried."""
    if not _tried():
        return {}
    from sim.arrays import compiler

    return {"pipeline_class": getattr(compiler, name)}


def _writable(folder: Path) -> bool:
    """Whether kernels can be kept; else every process compiles its own."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)  # it counts as used
    except OSError:
        return False
    return os.access(folder, os.W_OK)


class _KernelFiles:
    """Code of one kernel by its types: numba's interface to its files, over one file per code.

    A file is a SHA-256 of the rest, then numba's data. A damaged file counts as absent.

    Parameters
    ----------
    folder : Path
    base : str
        Names the kernel.

    Attributes
    ----------
    waits : bool
        Whether who finds no code makes it: others that find none in this folder then wait for
        :meth:`release`.
    """

    def __init__(self, folder: Path, base: str) -> None:
        self._folder, self._base = folder, base
        self.waits = False
        self._locked: int | None = None

    def _path(self, key: object) -> Path:
        name = hashlib.sha256(repr((numba.__version__, key)).encode()).hexdigest()[:24]
        return self._folder / f"{self._base}.{name}.nbc"

    def save(self, key: object, data: object) -> None:
        """Write the code for a key."""
        content: bytes = dumps(data)  # type: ignore[no-untyped-call]  # numba has no types
        write_atomic(self._path(key), hashlib.sha256(content).digest() + content)

    def load(self, key: object) -> Any:
        """Return the code for a key, None where there is none."""
        kept = self._read(key)
        if kept is None and self.waits and self._locked is None:
            self._lock()
            kept = self._read(key)  # another may have made it meanwhile
        return kept

    def release(self) -> None:
        """Let others go on."""
        self.waits = False
        if self._locked is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(self._locked, fcntl.LOCK_UN)  # also of processes that were forked
            os.close(self._locked)
            self._locked = None

    def _lock(self) -> None:
        """Wait until no other process holds the folder; a system without locks goes on at once."""
        with contextlib.suppress(OSError):
            self._locked = os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.flock(self._locked, fcntl.LOCK_EX)

    def _read(self, key: object) -> Any:
        try:
            sealed = self._path(key).read_bytes()
        except OSError:
            return None
        digest, content = sealed[:_DIGEST_BYTES], sealed[_DIGEST_BYTES:]
        return pickle.loads(content) if hashlib.sha256(content).digest() == digest else None

    def flush(self) -> None:
        """Forget all code."""
        for path in self._folder.glob(f"{self._base}.*.nbc"):
            path.unlink()


def _resolve(resolve: Any, args: Any, kws: Any) -> Any:
    """Resolve a call by another kernel for arguments of plain types.

    numba would compile a kernel again for every argument that is a literal at the call, or is a literal
    at first, as a counter that begins at 0.
    """
    plain: Any = numba.types.unliteral
    return resolve([plain(a) for a in args], {name: plain(a) for name, a in kws.items()})

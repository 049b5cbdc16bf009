"""How numba compiles kernels: what kernels call is lowered with them, optimized and kept once.

numba optimizes and emits every function that a compiled one calls, and then optimizes its code again
in each caller, caller's caller and so on. Here a kernel that another kernel calls is a *part*: typed
and lowered to LLVM's language, and no more. The kernel that Python calls is linked with all its parts,
optimized and emitted. This takes half the time, and the code is as fast.
"""

import contextlib
import gc
from collections.abc import Callable, Iterator
from typing import Any

from llvmlite.binding import Linkage  # type: ignore[import-untyped]  # it has no types
from numba._dynfunc import make_function
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler, Flags
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.typed_passes import DumpParforDiagnostics, NativeLowering, NopythonRewrites
from numba.core.untyped_passes import (
    InlineClosureLikes,
    InlineInlinables,
    LiteralUnroll,
    MakeFunctionToJitFunction,
    RewriteDynamicRaises,
    WithLifting,
)

__all__ = ["KernelCompiler", "PartCompiler"]


_UNUSED_STEPS = (
    DumpParforDiagnostics,
    InlineClosureLikes,
    InlineInlinables,
    LiteralUnroll,
    MakeFunctionToJitFunction,
    NopythonRewrites,
    RewriteDynamicRaises,
    WithLifting,
)
"""Kernels have no closures, contexts, exceptions with values or expressions of whole arrays."""


class KernelCompiler(Compiler):
    """Compiler of what Python calls: numba's own steps in less time."""

    def __init__(self, typing: Any, target: Any, library: Any, args: Any, returned: Any,
                 flags: Any, types: Any) -> None:  # fmt: skip
        super().__init__(typing, target, library, args, returned, _KernelFlags(flags), types)

    @property
    def _lowering(self) -> Any:
        return _KernelLowering

    def compile_extra(self, function: Callable[..., Any]) -> Any:
        """Compile a Python function."""
        with _uncollected():
            return super().compile_extra(function)

    def define_pipelines(self) -> list[Any]:
        """Return numba's steps without those for what kernels do not have, with our lowering."""
        (usual,) = super().define_pipelines()
        steps = PassManager("kernel")
        for step, text in usual.passes:
            if step is NativeLowering:
                steps.add_pass(self._lowering, text)
            elif step not in _UNUSED_STEPS:
                steps.add_pass(step, text)
        steps.finalize()
        return [steps]


class PartCompiler(KernelCompiler):
    """Compiler of what only kernels call: typed and lowered, never run by itself."""

    @property
    def _lowering(self) -> Any:
        return _PartLowering


class _KernelFlags(Flags):
    """Options of a compilation, whose copies are shared.

    numba keeps the latest copy in the key of every call that it types. As it hashes the options' names
    alone, it compared all 30 values of many keys: a seventh of the whole time.
    """

    __slots__ = ()

    def copy(self) -> "_SettledFlags":
        values = self.values()
        for settled in _SETTLED:
            if settled.values() == values:
                return settled
        _SETTLED.append(_SettledFlags(self))
        return _SETTLED[-1]


class _SettledFlags(Flags):
    """Options that do not change; equal options are a single object."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


_SETTLED: list[_SettledFlags] = []


class _KernelLibrary(JITCodeLibrary):
    """LLVM code of a kernel, to which that of its parts, of their parts and so on is linked once."""

    def add_linking_library(self, library: Any) -> None:
        """Link another library, too."""
        super().add_linking_library(library)
        if isinstance(library, _PartLibrary):
            for other in library._linking_libraries:
                if other not in self._linking_libraries:
                    self.add_linking_library(other)

    def _optimize_final_module(self) -> None:
        """Optimize the kernel and its parts, which nobody else calls: what a part does not read of an array is not passed to it."""
        for function in self._final_module.functions:
            if not function.is_declaration and function.linkage == Linkage.linkonce_odr:
                function.linkage = "internal"
        super()._optimize_final_module()


class _PartLibrary(JITCodeLibrary):
    """LLVM code of a part, for linking: neither optimized nor emitted."""

    def _optimize_functions(self, module: Any) -> None:
        module.data_layout = self._codegen._data_layout

    def finalize(self) -> None:
        """Close the library: a kernel may be linked with it."""
        self._finalize_dynamic_globals()
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class _KernelLowering(NativeLowering):
    """Lowering to a kernel's library."""

    _name = "kernel_lowering"

    def run_pass(self, state: Any) -> bool:
        state.library = _KernelLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        super().run_pass(state)
        return True


@register_pass(mutates_CFG=True, analysis_only=False)
class _PartLowering(NativeLowering):
    """Lowering to a library that is not emitted."""

    _name = "part_lowering"

    def run_pass(self, state: Any) -> bool:
        library = _PartLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library = library
        state.flags.no_compile = True
        super().run_pass(state)
        lowered = state.cr
        description = lowered.fndesc
        # Callers know a function by an object that is called from Python: here by an object without code.
        name = description.qualname.rpartition(".")[2]
        module = description.lookup_module()
        key = make_function(module, name, "", 0, lowered.env, (library,))
        state.targetctx.insert_user_function(key, description, [library])
        state.cr = lowered._replace(cfunc=key)
        return True


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Keep Python from looking for garbage: a compilation makes many objects, and most stay."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()

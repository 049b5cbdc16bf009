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

from numba._dynfunc import make_function
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler, Flags
from numba.core.compiler_machinery import PassManager, register_pass
from numba.core.typed_passes import NativeLowering

__all__ = ["KernelCompiler", "PartCompiler"]


class KernelCompiler(Compiler):
    """Compiler of what Python calls: numba's own steps in less time."""

    def __init__(self, typing: Any, target: Any, library: Any, args: Any, returned: Any,
                 flags: Any, types: Any) -> None:  # fmt: skip
        super().__init__(typing, target, library, args, returned, _KernelFlags(flags), types)

    def compile_extra(self, function: Callable[..., Any]) -> Any:
        """Compile a Python function."""
        with _uncollected():
            return super().compile_extra(function)


class PartCompiler(KernelCompiler):
    """Compiler of what only kernels call: typed and lowered, never run by itself."""

    def define_pipelines(self) -> list[Any]:
        """Return numba's steps with another lowering."""
        (usual,) = super().define_pipelines()
        steps = PassManager("part")
        steps.passes = [
            (_PartLowering if step is NativeLowering else step, text) for step, text in usual.passes
        ]
        steps.finalize()
        return [steps]


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


class _PartLibrary(JITCodeLibrary):
    """LLVM code of a part with that of its own parts, for linking."""

    def _optimize_functions(self, module: Any) -> None:
        module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        """Leave that to the kernel."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


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

"""Compiler for the processor of a system: clang of the package ziglang, or GCC."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from hwgen.subprocesses import run_program
from sim.spec.errors import MachineError

__all__ = ["COMPILERS", "Compiler", "CompilerError", "compile_firmware", "riscv_compiler"]

GCC = "riscv64-unknown-elf-gcc"
"""GCC for processors without an operating system, as Debian's package gcc-riscv64-unknown-elf has it."""

_FLAGS = (
    *("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Os"),
    *("-ffreestanding", "-fno-builtin", "-nostdlib", "-static"),
    *("-fno-pic", "-fno-asynchronous-unwind-tables", "-fno-stack-protector"),
)


class CompilerError(MachineError):
    """There is no compiler for RISC-V, or it refused its input."""


@dataclass(frozen=True, slots=True)
class Compiler:
    """A compiler: the words of its command, and its flags for the processor."""

    name: str
    command: tuple[str, ...]
    flags: tuple[str, ...]


def _zig() -> Compiler | None:
    if find_spec("ziglang") is None:
        return None
    return Compiler(
        name="ziglang",
        command=(sys.executable, "-m", "ziglang", "cc"),
        flags=("-target", "riscv32-freestanding-none", "-mcpu=generic_rv32+m", "-fno-sanitize=all"),
    )


def _gcc() -> Compiler | None:
    path = shutil.which(GCC)
    if path is None:
        return None
    return Compiler(name=GCC, command=(path,), flags=("-march=rv32im", "-mabi=ilp32", "-mno-relax"))


COMPILERS = {"ziglang": _zig, GCC: _gcc}
"""Compilers that are looked for, in this order."""


def riscv_compiler(names: Sequence[str] = tuple(COMPILERS)) -> Compiler:
    """Return the first compiler that is there.

    Raises
    ------
    CompilerError
        If there is none.
    """
    for name in names:
        compiler = COMPILERS[name]()
        if compiler is not None:
            return compiler
    raise CompilerError(
        "firmware must have a compiler for RISC-V: pip install 'cosilico[soc]', or "
        "apt-get install gcc-riscv64-unknown-elf"
    )


def compile_firmware(
    compiler: Compiler, sources: Sequence[Path], script: Path, target: Path
) -> None:
    """Compile C and assembly into an executable for RV32IM.

    Parameters
    ----------
    compiler : Compiler
    sources : sequence of Path
        Headers lie beside them.
    script : Path
        The linker's.
    target : Path

    Raises
    ------
    CompilerError
        With the compiler's first error.
    """
    result = run_program(
        [
            *(*compiler.command, *compiler.flags, *_FLAGS),
            *(f"-Wl,-T,{script}", "-o", str(target), *map(str, sources)),
        ]
    )
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines() or ["without a message"]
        telling = next((line for line in lines if "error" in line), lines[-1])
        raise CompilerError(f"{compiler.name} failed: {telling.strip()}")

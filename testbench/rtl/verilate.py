"""From Verilog text to an executable simulation: Verilator, then the C++ compiler."""

import functools
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hwgen import verilator
from hwgen.build_cache import cached_directory, content_key
from hwgen.gateware.primitives.single_port_ram import SINGLE_PORT_MODULE
from hwgen.simulation_view import MEMORY
from hwgen.subprocesses import run_program
from sim.spec.errors import MachineError
from sim.spec.files import cache_root
from sim.spec.views import View
from sim.spec.wave_formats import WaveFormat
from testbench.rtl.wave_writers import WRITERS

__all__ = [
    "BUILD_RECIPE",
    "BuildError",
    "build_executable",
    "build_library",
    "toolchain_version",
    "wave_libraries",
]

SET_UP = ("-O0",)
"""Optimization of code that runs once."""

OPTIMIZATION = ("-O1",)
"""Compiler's options for the cycle code.

Default tiny configuration, CPU seconds to build and cycles/s: -O1 11 s, 554 k; -O2 20 s, 486 k; -Os
17 s, 246 k.
"""

LOOPS = (
    *("-O2", "-ftree-vectorize", "-fvect-cost-model=dynamic"),
    *("-march=native", "-mprefer-vector-width=512"),
)
"""Compiler's options for the simulation view, whose loops become vector instructions.

CPU seconds to build the grid and cycles/s, median of six runs: edge default 1.9 s, 124 k, with -O3
4.1 s, 123 k; tiny default 1.8 s, 426 k, with -O3 3.3 s, 432 k.
"""

LEVELS = {"set_up": SET_UP, "cycle": OPTIMIZATION, "loops": LOOPS}

BUILD_FLAGS = (
    "--cc",
    "-O3",
    "--no-timing",
    "--no-assert",
    *("--x-initial", "unique", "--x-assign", "unique"),
    "-Wno-fatal",
    "-Wno-lint",
    "-Wno-style",
    "--output-split",
    "20000",
)
"""Verilator's flags. Initial values and unknowns are what the executable's context says."""

INITIAL_VALUES = """#include "verilated.h"
// Every word another one, in the order in which the model is constructed.
__attribute__((optimize("O2"))) static uint32_t initial_bits() {
    static uint64_t state = uint64_t(Verilated::threadContextp()->randSeed()) * 0x9E3779B97F4A7C15u;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return uint32_t(state >> 32);
}
#define VL_SCOPED_RAND_RESET_I(bits, scope, salt) (initial_bits() & VL_MASK_I(bits))
#define VL_SCOPED_RAND_RESET_Q(bits, scope, salt) \\
    ((uint64_t(initial_bits()) << 32 | initial_bits()) & VL_MASK_Q(bits))
#define VL_SCOPED_RAND_RESET_W(bits, words, scope, salt) \\
    for (int i = 0; i < VL_WORDS_I(bits); ++i) \\
        (words)[i] = initial_bits() & (i + 1 < VL_WORDS_I(bits) ? ~0u : VL_MASK_E(bits))
"""
"""Text ahead of the code that runs once.

Verilator would hash initial values from names: all words of a memory would be one number, and a
read of the wrong word would go unnoticed.
"""

SMALL_BYTES = 100_000
"""Generated files below this are compiled together: most of their time goes into headers."""

VIEW_FLAGS: dict[View, tuple[str, ...]] = {
    View.SYNTHESIS: (),
    View.SIMULATION: ("--unroll-count", "1"),
}
"""Loops stay loops."""

CONTROL_FILES: dict[View, str] = {
    View.SYNTHESIS: f"""`verilator_config
public_flat_rd -module "{SINGLE_PORT_MODULE}_*" -var "{MEMORY}"
no_inline -module "PE"
""",
    View.SIMULATION: f"""`verilator_config
public_flat_rd -module "GRID" -var "{MEMORY}"
no_inline -module "GRID"
""",
}
"""Verilator's configuration, with names of modules to be put in: the harness reads local memories.

PEs that are not inlined build in 0.7 of the time. The simulation view stays a module, so that its
code lies in files of its own.
"""

RUNTIME_SOURCES = ("verilated", "verilated_dpi", "verilated_threads")
LIBRARY = "library.a"
PRECOMPILED_HEADERS = """#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <vector>
#include "verilated.h"
#include "verilated_syms.h"
"""
COMPILE_FLAGS = (
    "-std=gnu++17",
    "-DVERILATOR=1",
    "-DVM_COVERAGE=0",
    "-DVM_SC=0",
    "-DVM_TIMING=0",
    "-DVM_TRACE=0",  # also where waves are written: they need nothing of it, and share the headers
    "-DVM_TRACE_VCD=0",
    "-DVM_TRACE_FST=0",
    "-DVM_TRACE_SAIF=0",
    "-w",
)


BUILD_RECIPE = (
    *BUILD_FLAGS,
    *COMPILE_FLAGS,
    PRECOMPILED_HEADERS,
    INITIAL_VALUES,
    repr((LEVELS, VIEW_FLAGS, CONTROL_FILES)),
)
"""All that decides how a given text is built, beside the view and :func:`toolchain_version`."""


class BuildError(MachineError):
    """Verilator or the C++ compiler refused its input."""


@functools.cache
def compiler() -> str:
    """Path of the C++ compiler: ``CXX``, or g++.

    Raises
    ------
    BuildError
        If there is none.
    """
    name = os.environ.get("CXX", "g++")
    path = shutil.which(name)
    if path is None:
        raise BuildError(f"a C++ compiler must be on PATH, not only the name {name!r}")
    return path


@functools.cache
def toolchain_version() -> str:
    """Versions of Verilator and the compiler, and a hash of the processor's features, one line."""
    first = _run([compiler(), "--version"]).splitlines()[0]
    features = _run([compiler(), *LOOPS, "-dM", "-E", "-x", "c++", os.devnull])
    return f"verilator {verilator.version()}, {first}, processor {content_key(features)[:8]}"


def build_executable(
    directory: Path,
    *,
    top: str,
    verilog: str,
    main: str,
    headers: dict[str, str],
    view: View,
    waves: WaveFormat | None = None,
    grid: str,
    pe: str = "PE",
    block: str | None = None,
    optimize: bool = True,
    control: str = "",
    flags: Sequence[str] = (),
    sources: Sequence[str] = (),
    libraries: Sequence[Path] = (),
    link: Sequence[str] = (),
) -> Path:
    """Compile `verilog` with the C++ text `main` in `directory`.

    Parameters
    ----------
    directory : Path
        An empty directory; it is left with the Verilog, ``main.cpp`` and the executable.
    top : str
        Top module.
    verilog, main : str
        Texts.
    headers : dict of str
        Further C++ files by name.
    view : View
        View of the PE grid in `verilog`.
    waves : WaveFormat, optional
        Format of the waveforms that the executable can write; such a build runs slower.
    grid, pe : str
        Modules of the PE grid, in either view, and of a PE, in the synthesis view.
    block : str, optional
        Module to build once, as a library for all its instances, which slows the simulation down.
    optimize : bool
        Whether to optimize the cycle code, for runs of more than some ten thousand cycles. The loops
        of the simulation view always are.
    control : str
        Further lines of Verilator's configuration.
    flags : sequence of str
        Further flags of Verilator.
    sources : sequence of str
        Further files of Verilator's own library.
    libraries : sequence of Path
        What is linked besides; see :func:`build_library`.
    link : sequence of str
        Further flags of the linker.

    Returns
    -------
    Path
        The executable, ``harness``.
    """
    (directory / f"{top}.v").write_text(verilog)
    view_control = CONTROL_FILES[view].replace('"GRID"', f'"{grid}"').replace('"PE"', f'"{pe}"')
    if block is not None:
        view_control = view_control.replace(
            f'no_inline -module "{block}"', f'hier_block -module "{block}"'
        )
    (directory / "control.vlt").write_text(view_control + control)
    (directory / "main.cpp").write_text(main)
    for name, text in headers.items():
        (directory / name).write_text(text)
    flags = [*BUILD_FLAGS, *VIEW_FLAGS[view], *flags]
    if waves is not None:
        flags += WRITERS[waves].flags
        link = (*link, *wave_libraries(waves))
    if block is not None:
        flags.append("--hierarchical")
    generated = directory / "generated"
    _run(
        [
            verilator.executable(),
            *flags,
            *("--top-module", top, "--Mdir", str(generated)),
            *(str(directory / name) for name in ("control.vlt", f"{top}.v")),
        ]
    )
    runtime = _runtime()
    libraries = [
        *libraries,
        *([_library(sources)] if sources else []),
        *([_waves(waves)] if waves is not None else []),
        runtime,
    ]
    folders = [generated, *([generated / f"V{block}"] if block is not None else [])]
    include = [*(f"-I{path}" for path in (*folders, directory)), *_includes()]
    prefix = f"V{top}_{grid}__" if view == View.SIMULATION else None
    units = [unit for folder in folders for unit in _translation_units(folder, prefix)]
    units.append((directory / "main.cpp", "cycle"))
    if not optimize:
        units = [(path, "set_up" if level == "cycle" else level) for path, level in units]
    objects = [directory / f"unit{index}.o" for index in range(len(units))]
    commands = [
        [
            *(*_compile(level), "-include", str(_precompiled(runtime, level)), *include),
            *("-c", str(source), "-o", str(target)),
        ]
        for (source, level), target in zip(units, objects, strict=True)
    ]
    _run_all(commands)
    executable = directory / "harness"
    _run(
        [
            compiler(),
            *map(str, objects),
            *(str(library / LIBRARY) for library in libraries),
            *link,
            "-pthread",
            "-o",
            str(executable),
        ]
    )
    shutil.rmtree(generated)
    for path in objects:
        path.unlink()
    return executable


def build_library(text: str, headers: dict[str, str]) -> Path:
    """Compile a C++ text that is the same for many designs, once; return the library's directory.

    Parameters
    ----------
    text : str
        What it includes of others are ``headers`` and what C++ and Verilator have.
    headers : dict of str
        Further C++ files by name.
    """

    def make(directory: Path) -> None:
        source, target = directory / "source.cpp", directory / "source.o"
        source.write_text(text)
        for name, header in headers.items():
            (directory / name).write_text(header)
        command = [*_compile("cycle"), f"-I{directory}", *_includes()]
        _run([*command, "-c", str(source), "-o", str(target)])
        _run(["ar", "rcs", str(directory / LIBRARY), str(target)])

    key = content_key(toolchain_version(), *BUILD_RECIPE, text, *headers.values())
    return cached_directory(cache_root() / "runtime", key, make)


def _translation_units(generated: Path, loops: str | None) -> list[tuple[Path, str]]:
    """Merge Verilator's small files, and name the level of optimization of each.

    Files whose names begin with `loops` are those of the simulation view.
    """
    sources = sorted(generated.glob("*.cpp"))
    slow = [path for path in sources if path.stem.endswith("Slow") or "__Trace" in path.stem]
    fast = [path for path in sources if path not in slow]
    looped = [path for path in fast if loops is not None and path.name.startswith(loops)]
    rest = [path for path in fast if path not in looped]
    small = [path for path in rest if path.stat().st_size < SMALL_BYTES]
    units = [(path, "loops") for path in looped]
    units += [(path, "cycle") for path in rest if path not in small]
    for name, paths, level in (("small", small, "cycle"), ("slow", slow, "set_up")):
        merged = generated / f"{name}.cc"
        first = INITIAL_VALUES if level == "set_up" else ""
        merged.write_text(first + "".join(f'#include "{path.name}"\n' for path in paths))
        units.append((merged, level))
    return units


def _compile(level: str) -> list[str]:
    return [compiler(), *COMPILE_FLAGS, *LEVELS[level]]


def _include_paths() -> list[Path]:
    include = Path(verilator.executable()).parent.parent / "include"
    return [include, include / "vltstd"]


def _includes() -> list[str]:
    return [f"-I{path}" for path in _include_paths()]


def _precompiled(runtime: Path, level: str) -> Path:
    """Header whose precompiled form for that optimization level lies beside it."""
    return runtime / level / "precompiled.h"


def _runtime() -> Path:
    """Verilator's own library and headers, compiled once for all designs."""

    def make(directory: Path) -> None:
        headers = [_precompiled(directory, level) for level in LEVELS]
        for header in headers:
            header.parent.mkdir()
            header.write_text(PRECOMPILED_HEADERS)
        _run_all(
            [
                [*_compile(level), *_includes(), "-x", "c++-header", str(header)]
                for level, header in zip(LEVELS, headers, strict=True)
            ]
        )
        _compile_library(directory, RUNTIME_SOURCES)

    return _built_once(RUNTIME_SOURCES, make)


def _waves(form: WaveFormat) -> Path:
    """Library that writes waveforms, compiled once for all designs that do."""
    headers = WRITERS[form].header_texts
    sources = (WRITERS[form].source,)

    def make(directory: Path) -> None:
        for name, text in headers.items():
            (directory / name).write_text(text)
        _compile_library(directory, sources)

    return _built_once((*sources, *headers.values()), make)


def wave_libraries(form: WaveFormat) -> tuple[str, ...]:
    """Flags of the linker for the shared libraries of a format.

    Raises
    ------
    BuildError
        If the compiler finds one of them nowhere.
    """
    names = WRITERS[form].libraries
    for name in names:
        place = _run([compiler(), f"-print-file-name={name}"]).strip()
        if not Path(place).is_absolute():
            raise BuildError(
                f"waves as {form} must have {name} where the compiler looks for libraries, not nowhere; "
                f"{WaveFormat.VCD} needs none"
            )
    return tuple(f"-l:{name}" for name in names)


def _library(sources: Sequence[str]) -> Path:
    """Library of files of Verilator's own, compiled once."""
    return _built_once(sources, lambda directory: _compile_library(directory, sources))


def _built_once(parts: Sequence[str], make: Callable[[Path], None]) -> Path:
    key = content_key(toolchain_version(), *BUILD_RECIPE, *parts)
    return cached_directory(cache_root() / "runtime", key, make)


def _compile_library(directory: Path, sources: Sequence[str]) -> None:
    """Compile files of Verilator's own into a library."""
    folder = _include_paths()[0]
    objects = [str(directory / f"{name}.o") for name in sources]
    _run_all(
        [
            [
                *(*_compile("cycle"), f"-I{directory}", *_includes()),
                *("-c", str(folder / f"{name}.cpp"), "-o", target),
            ]
            for name, target in zip(sources, objects, strict=True)
        ]
    )
    _run(["ar", "rcs", str(directory / LIBRARY), *objects])


def _run_all(commands: Sequence[list[str]]) -> None:
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        list(pool.map(_run, commands))


def _run(command: list[str]) -> str:
    result = run_program(command, environment=verilator.environment())
    if result.returncode != 0:
        lines = result.stderr.strip().splitlines() or ["without a message"]
        telling = next((line for line in lines if "rror" in line), lines[-1])
        error = BuildError(f"{Path(command[0]).name} failed: {telling.strip()}")
        error.add_note(result.stderr[-4000:])
        raise error
    return result.stdout

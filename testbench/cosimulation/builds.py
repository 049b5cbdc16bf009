"""Executables of the cocotb benches, kept by what they are built from."""

import functools
from importlib import metadata, resources
from pathlib import Path

import cocotb_tools.config

from hwgen.build_cache import cached_directory, content_key
from hwgen.kept_emissions import emit_once
from hwgen.module_names import ModuleNames
from hwgen.simulation_view import MEMORY
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.bus import DESCRIPTOR_PORT_BYTES
from sim.spec.files import cache_root
from sim.spec.views import View
from sim.spec.wave_formats import WaveFormat
from testbench.cosimulation.bench_top import BENCH_MODULE, BENCH_PORTS, bench_text
from testbench.rtl.coverage import COVERAGE_FLAGS, COVERAGE_SOURCES
from testbench.rtl.harness import HEADERS, template_text
from testbench.rtl.protocol import bound_rules
from testbench.rtl.verilate import BUILD_RECIPE, build_executable, toolchain_version

__all__ = ["build_fast_bench", "build_port_bench"]

VPI_SOURCES = ("verilated_vpi",)
EXECUTABLE = "harness"


HELD = """
    // No edge before the clock's first, and no cycle before the reset
    top->clk = 0;
    top->aresetn = 0;
"""
"""Text behind the construction of the port bench, whose inputs would begin with any values."""

COVERED = """#undef VM_COVERAGE
#define VM_COVERAGE 1
#include "verilated_cov.h"
"""
"""Text ahead of cocotb's main program, which then writes the coverage of its run."""


def build_port_bench(
    config: AcceleratorConfig,
    *,
    build_root: Path | None = None,
    waves: bool = False,
    view: View = View.SYNTHESIS,
    coverage: bool = False,
) -> Path:
    """Build the accelerator itself for :class:`testbench.cocotb.bench.Bench`; return the executable.

    Its top module is the accelerator's, with the rules of AXI bound to it. Ports and local memories are
    visible. What goes on at the ports takes longer than the accelerator, which is not optimized. With
    ``coverage`` a run leaves :data:`testbench.rtl.coverage.COVERAGE_FILE` where it runs.
    """
    root, chosen = build_root or cache_root(), View(view)
    names = ModuleNames.of(config)
    memories = names.grid if chosen == View.SIMULATION else names.shared("single_port_ram_*")
    return _build(
        root,
        names=names,
        top=names.top,
        verilog=emit_once(config, root, chosen) + bound_rules(config),
        first=COVERED if coverage else "",
        held=HELD,
        control=f'public_flat_rw -module "{names.top}" -var "*"\n'
        f'public_flat_rd -module "{memories}" -var "{MEMORY}"\n',
        headers={"axi_report.h": template_text("axi_report.h")},
        view=chosen,
        waves=waves,
        optimize=False,
        flags=COVERAGE_FLAGS if coverage else (),
        sources=COVERAGE_SOURCES if coverage else (),
    )


def build_fast_bench(
    config: AcceleratorConfig,
    *,
    size_bytes: int,
    model_memory: bool = False,
    build_root: Path | None = None,
    waves: bool = False,
    view: View = View.SIMULATION,
) -> Path:
    """Build ``accelerator_bench`` for :class:`testbench.cocotb.fast_bench.FastBench`; return the executable.

    Parameters
    ----------
    config : AcceleratorConfig
    size_bytes : int
        Of the memory in SystemVerilog; see :func:`testbench.cosimulation.bench_top.memory_size`.
    model_memory : bool
        Whether the memory is the harness's C++ model.
    build_root : Path, optional
        Where builds are kept; see :func:`sim.spec.files.cache_root`.
    waves : bool
        Whether runs can write waveforms.
    view : View
        Of the PE grid. The synthesis view is built flat, however large it is.
    """
    root, chosen = build_root or cache_root(), View(view)
    bench = bench_text(config, chosen, size_bytes=size_bytes, model_memory=model_memory)
    headers = {name: template_text(name) for name in HEADERS}
    first = ""
    if model_memory:
        headers["model_memory.h"] = _own("model_memory.h")
        first = (
            f"constexpr unsigned BUS_BYTES = {config.bus_bytes};\n"
            f"constexpr unsigned DESCRIPTOR_BUS_BYTES = {DESCRIPTOR_PORT_BYTES};\n"
            '#include "model_memory.h"\n'
        )
    return _build(
        root,
        names=ModuleNames.of(config),
        top=BENCH_MODULE,
        verilog=emit_once(config, root, chosen) + bench,
        first=first,
        control="".join(
            f'public_flat_rw -module "{BENCH_MODULE}" -var "{port}"\n' for port in BENCH_PORTS
        ),
        headers=headers,
        view=chosen,
        waves=waves,
        optimize=True,
    )


def _build(
    root: Path,
    *,
    names: ModuleNames,
    top: str,
    verilog: str,
    first: str,
    control: str,
    headers: dict[str, str],
    view: View,
    waves: bool,
    optimize: bool,
    held: str = "",
    flags: tuple[str, ...] = (),
    sources: tuple[str, ...] = (),
) -> Path:
    """Compile with cocotb's own main program for Verilator, behind the C++ text `first`."""
    libraries = cocotb_tools.config.libs_dir
    share = Path(cocotb_tools.config.share_dir) / "lib" / "verilator" / "verilator.cpp"
    traced = "#undef VM_TRACE\n#define VM_TRACE 1\n" if waves else ""
    program = share.read_text(encoding="utf-8").replace("Vtop", f"V{top}")
    constructed = f'top(new V{top}(""));'
    assert program.count(constructed) == 1
    program = program.replace(constructed, constructed + held)
    main = f'{traced}{first}#include "axi_report.h"\n{program}'
    recipe = (*BUILD_RECIPE, toolchain_version(), view, str(optimize))
    installed = (metadata.version("cocotb"), str(libraries))
    key = content_key(top, verilog, main, *headers.values(), control, *flags, *recipe, *installed)

    def make(directory: Path) -> None:
        build_executable(
            directory,
            top=top,
            grid=names.grid,
            pe=names.pe,
            verilog=verilog,
            main=main,
            headers=headers,
            view=view,
            waves=WaveFormat.VCD if waves else None,
            optimize=optimize,
            control=control,
            flags=("--vpi", *flags),
            sources=(*VPI_SOURCES, *sources),
            link=(f"-L{libraries}", f"-Wl,-rpath,{libraries}", "-lcocotbvpi_verilator"),
        )

    return cached_directory(root / "cocotb", key, make) / EXECUTABLE


@functools.cache
def _own(name: str) -> str:
    folder = resources.files("testbench.cosimulation") / "templates"
    return (folder / name).read_text(encoding="utf-8")

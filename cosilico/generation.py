"""An accelerator's Verilog, and the program and testbench of a network on it, as files."""

import json
from dataclasses import dataclass
from pathlib import Path

from cosilico import __version__
from cosilico.run_folder import PROGRAM_FILE, PROGRAM_FILES, PROGRAM_MANIFEST, TESTBENCH_FILES
from hwgen import verilog_files
from hwgen.emit import VerilogOptions
from hwgen.package.identity import PackageIdentity
from hwgen.package.program_manifest import program_manifest
from hwgen.program import Program, compile_mapped
from hwgen.verilog_files import GeneratedVerilog
from sim.plan import Mapped
from sim.realizability import map_realizable, require
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import Design
from sim.spec.files import write_atomic
from testbench.standalone.cocotb_folder import write_cocotb_folder
from testbench.standalone.file_names import StandaloneTestbench
from testbench.standalone.package import write_package
from testbench.standalone.subject import Subject
from testbench.standalone.verilog import write_verilog_testbench

__all__ = [
    "Generation",
    "PackageGeneration",
    "generate_accelerator",
    "generate_design",
    "generate_package",
]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Generation:
    """Generated files that are not written yet.

    Parameters
    ----------
    verilog : GeneratedVerilog
    mapped : Mapped, optional
        Network on the accelerator; None for an accelerator alone.
    program : Program, optional
        Its program.
    testbench : StandaloneTestbench
        What runs the program.
    """

    verilog: GeneratedVerilog
    mapped: Mapped | None = None
    program: Program | None = None
    testbench: StandaloneTestbench = StandaloneTestbench.NONE

    @property
    def files(self) -> tuple[str, ...]:
        """Names of all files."""
        programs = () if self.program is None else PROGRAM_FILES
        return (*TESTBENCH_FILES[self.testbench], *self.verilog.names, *programs)

    def write(self, out: Path) -> list[Path]:
        """Write all files into a folder and return their paths."""
        self.verilog.write(out)
        if self.program is not None and self.mapped is not None:
            write_atomic(out / PROGRAM_FILE, self.program.image)
            manifest = program_manifest(self.program, self.mapped.config)
            write_atomic(out / PROGRAM_MANIFEST, json.dumps(manifest, indent=2) + "\n")
            if self.testbench is StandaloneTestbench.COCOTB:
                write_cocotb_folder(self.mapped, self.program, out)
            elif self.testbench is StandaloneTestbench.VERILOG:
                write_verilog_testbench(Subject.of(self.mapped, program=self.program), out)
        return [out / name for name in self.files]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackageGeneration:
    """A package that is not written yet.

    Parameters
    ----------
    identity : PackageIdentity
    mapped : Mapped
    """

    identity: PackageIdentity
    mapped: Mapped

    def write(self, out: Path) -> list[Path]:
        """Write all files into an empty folder and return their paths."""
        return write_package(self.identity, self.mapped, out)


def generate_accelerator(
    accelerator: AcceleratorConfig,
    options: VerilogOptions | None = None,
    *,
    single_file: bool = False,
) -> Generation:
    """Generate the Verilog of an accelerator, without a program.

    Parameters
    ----------
    accelerator : AcceleratorConfig
    options : VerilogOptions, optional
        Without traces if not given.
    single_file : bool
        Put all modules in one file.

    Raises
    ------
    NotRealizableError
        If it cannot be built, or its modules do not reach its clock.
    """
    require(accelerator)
    chosen = options or VerilogOptions(trace=False)
    return Generation(
        verilog=verilog_files.generate(
            accelerator, chosen, version=__version__, single_file=single_file
        )
    )


def generate_design(
    design: Design,
    batch: int = 1,
    *,
    testbench: StandaloneTestbench = StandaloneTestbench.NONE,
    options: VerilogOptions | None = None,
    single_file: bool = False,
) -> Generation:
    """Generate the Verilog of a design's accelerator and the program that runs its network there.

    ``program.bin`` is external memory from MEMORY_BASE on, for a program that computes ``batch``
    images; ``program.json`` says where the header, the first image's input and output lie, the
    others' behind them, and where the header of runs is that find their weights in the weight store. With a
    ``testbench`` the folder also holds what runs the program on random activations and judges the run.

    Parameters
    ----------
    design : Design
    batch : int
    testbench : StandaloneTestbench
    options : VerilogOptions, optional
        If not given, with traces where there is a testbench.
    single_file : bool
        Put all modules in one file.

    Raises
    ------
    NotRealizableError
        If the accelerator cannot be built or cannot run the network.
    """
    mapped = map_realizable(design.accelerator, design.network, batch)
    chosen = options or VerilogOptions(trace=testbench is not StandaloneTestbench.NONE)
    hardware = generate_accelerator(design.accelerator, chosen, single_file=single_file)
    return Generation(
        verilog=hardware.verilog,
        mapped=mapped,
        program=compile_mapped(mapped),
        testbench=testbench,
    )


def generate_package(design: Design, batch: int, options: VerilogOptions) -> PackageGeneration:
    """Generate the package of a design, for a program that computes ``batch`` images.

    Raises
    ------
    NotRealizableError
        If the accelerator cannot be built or cannot run the network.
    """
    mapped = map_realizable(design.accelerator, design.network, batch)
    verilog = generate_accelerator(design.accelerator, options).verilog
    identity = PackageIdentity(
        config=design.accelerator, verilog=verilog, version=__version__, traces=options.trace
    )
    return PackageGeneration(identity=identity, mapped=mapped)

"""Files of a package that follow from the accelerator and the program, without a testbench's."""

from collections.abc import Iterable

from hwgen.driver.program_data import DriverProgram, comment_text, program_source
from hwgen.driver.sources import driver_sources, system_sources
from hwgen.file_names import FILE_LIST
from hwgen.package.constraints import constraints
from hwgen.package.floorplan import floorplan
from hwgen.package.fusesoc import fusesoc_core
from hwgen.package.identity import RTL, PackageIdentity, render
from hwgen.package.ip_xact import ip_xact_component
from hwgen.package.memory_map import memory_page
from hwgen.package.vivado import vivado_script, zynq_script
from hwgen.placement import TensorPlacement
from hwgen.registers.table import MAP_BYTES
from hwgen.registers.texts import html_page, system_rdl
from hwgen.tensor_region import TensorRegion
from sim.plan import Mapped

__all__ = ["integration_files", "readme", "software_files"]


def software_files(described: DriverProgram) -> dict[str, str | bytes]:
    """Return the folder ``sw``: the driver, and the program as C and as binary files."""
    parts = described.segments | described.states
    segments = {f"{name}.bin": data for name, (_, data) in parts.items()}
    return {
        **driver_sources(),
        **system_sources(),
        **program_source(described),
        "program.bin": described.program.image,
        **segments,
    }


def integration_files(
    identity: PackageIdentity,
    mapped: Mapped,
    described: DriverProgram,
    *,
    headers: Iterable[str],
    data: Iterable[str],
) -> dict[str, str | bytes]:
    """Return the files for other tools, and the pages, by their paths in the package.

    Parameters
    ----------
    identity : PackageIdentity
    mapped : Mapped
    described : DriverProgram
        Of the same pair.
    headers, data
        Of the testbench; see :func:`hwgen.package.fusesoc.fusesoc_core`.
    """
    return {
        **{f"{RTL}/{name}": text for name, text in identity.verilog.files.items()},
        "constraints/cosilico.sdc": constraints(identity),
        f"{identity.name}.core": fusesoc_core(identity, headers, data),
        "ip/component.xml": ip_xact_component(identity),
        "ip/registers.rdl": system_rdl(identity.config),
        "ip/package_ip.tcl": vivado_script(identity),
        "ip/zynq.tcl": zynq_script(identity),
        "docs/registers.html": html_page(identity.config),
        "docs/memory_map.md": memory_page(mapped, described),
        "docs/floorplan.svg": floorplan(identity.config),
    }


def readme(
    identity: PackageIdentity,
    described: DriverProgram,
    *,
    cycles: int,
    warm_cycles: int,
    latency: int,
) -> str:
    """Return ``README.md``.

    Parameters
    ----------
    identity : PackageIdentity
    described : DriverProgram
    cycles, warm_cycles : int
        Predicted, of a cold and of a warm run.
    latency : int
        Of the memory that they are predicted for.
    """
    return render(
        "README.md.j2",
        identity,
        described=described,
        traces=identity.traces,
        cycles=cycles,
        warm_cycles=warm_cycles,
        latency=latency,
        file_list=FILE_LIST,
        map_bytes=MAP_BYTES,
        input=described.program.input,
        output=described.program.output,
        further_inputs=_further(described.program.inputs),
        further_outputs=_further(described.program.outputs),
        states=bool(described.program.states),
    )


def _further(region: TensorRegion) -> list[tuple[str, TensorPlacement]]:
    """Return the tensors behind the first, with names as they may stand in a comment of C."""
    return [(comment_text(name), place) for name, place in region.places.items()][1:]

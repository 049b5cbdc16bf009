"""Classes of Verilator's library that write waveforms, by file format."""

from dataclasses import dataclass
from importlib import resources

from sim.spec.wave_formats import WaveFormat

__all__ = ["WRITERS", "WaveWriter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveWriter:
    """A class of Verilator's library that writes waveforms, and what it takes to build with it.

    Parameters
    ----------
    writer : str
        Name of the class.
    header : str
        File that declares it.
    source : str
        File of Verilator's library with it, without its ending.
    flags : tuple of str
        Flags of Verilator.
    libraries : tuple of str
        File names of shared libraries that it needs.
    headers : tuple of str
        Templates of this room that declare what it uses of them.
    """

    writer: str
    header: str
    source: str
    flags: tuple[str, ...]
    libraries: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()

    @property
    def header_texts(self) -> dict[str, str]:
        """The files `headers` by name."""
        folder = resources.files("testbench.rtl") / "templates"
        return {name: (folder / name).read_text() for name in self.headers}


_ANY_WIDTH = ("--trace-max-width", "0")
"""Else signals of more than 4,096 bits are left out."""

WRITERS = {
    WaveFormat.VCD: WaveWriter(
        writer="VerilatedVcdC",
        header="verilated_vcd_c.h",
        source="verilated_vcd_c",
        flags=("--trace-vcd", *_ANY_WIDTH),
    ),
    WaveFormat.FST: WaveWriter(
        writer="VerilatedFstC",
        header="verilated_fst_c.h",
        source="verilated_fst_c",
        flags=("--trace-fst", *_ANY_WIDTH),
        libraries=("liblz4.so.1", "libz.so.1"),
        headers=("lz4.h", "zlib.h"),
    ),
}
"""By format."""

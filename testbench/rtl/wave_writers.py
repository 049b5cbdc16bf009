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
    flag : str
        Flag of Verilator.
    libraries : tuple of str
        File names of shared libraries that it needs.
    headers : tuple of str
        Templates of this room that declare what it uses of them.
    """

    writer: str
    header: str
    source: str
    flag: str
    libraries: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()

    @property
    def header_texts(self) -> dict[str, str]:
        """The files `headers` by name."""
        folder = resources.files("testbench.rtl") / "templates"
        return {name: (folder / name).read_text() for name in self.headers}


WRITERS = {
    WaveFormat.VCD: WaveWriter(
        writer="VerilatedVcdC",
        header="verilated_vcd_c.h",
        source="verilated_vcd_c",
        flag="--trace-vcd",
    ),
    WaveFormat.FST: WaveWriter(
        writer="VerilatedFstC",
        header="verilated_fst_c.h",
        source="verilated_fst_c",
        flag="--trace-fst",
        libraries=("liblz4.so.1", "libz.so.1"),
        headers=("lz4.h", "zlib.h"),
    ),
}
"""By format."""

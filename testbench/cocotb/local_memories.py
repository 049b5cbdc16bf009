"""Activations in the PEs' local memories, read through the simulator's interface."""

from typing import Any

from .description import Description, Probe

__all__ = ["LocalMemories"]


class LocalMemories:
    """Local memories of all PEs of an emitted accelerator, in either view of its PE grid.

    The simulator must make them visible: in Verilator ``memory`` of the modules ``cosilico_single_port_ram`` or
    ``cosilico_grid``. Reading takes some microseconds for each vector, or byte of the simulation view:
    it is meant for small networks.

    Parameters
    ----------
    dut
        The accelerator.
    description : Description
    """

    def __init__(self, dut: Any, description: Description) -> None:
        """Look the memories up."""
        self._description = known = description
        grid = dut.grid
        self._looped = hasattr(grid, "memory")
        self._banks = [
            grid.memory[(y * known.pes_x + x) * known.lanes + bank]
            if self._looped
            else getattr(getattr(grid, f"pe_{y}_{x}"), f"bank_{bank}").memory
            for y in range(known.pes_y)
            for x in range(known.pes_x)
            for bank in range(known.lanes)
        ]

    def read(self, probe: Probe) -> bytes:
        """Return the activations of a probe, bytes [pe_y][pe_x][group][row][column][S].

        Bytes that are unknown (X) read 0.
        """
        known = self._description
        lanes = known.lanes
        vectors = [
            self._vector(
                pe * lanes + group % lanes,
                probe.address + group // lanes * probe.plane + row * probe.row + column,
            )
            for pe in range(known.pes_y * known.pes_x)
            for group in range(probe.groups)
            for row in range(probe.rows)
            for column in range(probe.columns)
        ]
        return b"".join(vectors)

    def _vector(self, bank: int, address: int) -> bytes:
        size = self._description.vector_bytes
        element = self._banks[bank][address]
        if self._looped:
            return bytes(int(element[index].value) for index in range(size))
        value = element.value
        bits = value.to_unsigned() if value.is_resolvable else _known_bits(str(value))
        return int(bits).to_bytes(size, "little")


def _known_bits(text: str) -> int:
    return int("".join(bit if bit in "01" else "0" for bit in text), 2)

"""The page of the ports of an emitted accelerator, made from the table that its Verilog is made from."""

from hwgen.ports import Port, top_ports
from sim.spec.spaces import HARDWARE_SPACES

__all__ = ["PORTS_PAGE", "ports_page"]

PORTS_PAGE = "docs/reference/ports.md"

_HEAD = """\
# Ports of the accelerator

The top module has these ports, in this order. B is the width of the bus in bytes. The ports `trace_*` exist if
`--trace` or a testbench asks for them. `s_axil` is an AXI4-Lite subordinate, `m_axi` an AXI4 manager and `m_axi_desc` an AXI4 manager
that only reads. [Hardware](../explanation/hardware.md) describes the traffic on these ports, and [protocol](../explanation/protocol.md) the rules of AXI that hold in every
cycle.

| port | direction | bits | meaning |
| --- | --- | --- | --- |
"""


def ports_page() -> str:
    """Markdown of the page."""
    configs = [space.default for space in HARDWARE_SPACES.values()]
    tables = [top_ports(config, trace=True) for config in configs]
    rows = []
    for ports in zip(*tables, strict=True):
        first: Port = ports[0]
        bits = [port.bits for port in ports]
        text = _bits(bits, [config.bus_bytes for config in configs])
        rows.append(f"| `{first.name}` | {first.direction} | {text} | {first.meaning} |")
    return _HEAD + "\n".join(rows) + "\n"


def _bits(bits: list[int], bus_bytes: list[int]) -> str:
    """Return the width that a port has in several configurations, as a number or in bytes of the bus."""
    if len(set(bits)) == 1:
        return str(bits[0])
    if bits == bus_bytes:
        return "B"
    if bits == [8 * count for count in bus_bytes]:
        return "8·B"
    raise ValueError(f"a port's bits must follow the bus, not be {bits} at {bus_bytes} bytes")

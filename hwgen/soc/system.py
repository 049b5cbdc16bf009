"""The system: processor, read-only memory, shared memory, serial line and accelerator."""

from typing import Any

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.accelerator import accelerator_signature
from hwgen.gateware.primitives.ram import address_bits
from hwgen.ports import CLOCK, RESET, is_trace
from hwgen.soc.axi_ram import AxiRamReader, AxiRamWriter
from hwgen.soc.processor_bus import ProcessorBus
from hwgen.soc.serial import SerialTransmitter
from hwgen.soc.shared_ram import SharedRam
from hwgen.soc.system_map import INTERRUPT, RAM_BASE, ROM_BASE, SystemConfig
from sim.spec.bus import DESCRIPTOR_PORT_BYTES

__all__ = ["ACCELERATOR_MODULE", "PROCESSOR_MODULE", "ROM_MODULE", "System"]

ACCELERATOR_MODULE = "cosilico_accelerator"
"""Name in the netlist of the accelerator's top module."""

PROCESSOR_MODULE = "picorv32"
"""The processor, from the package pythondata-cpu-picorv32."""

ROM_MODULE = "cosilico_rom"
"""Module of ``hwgen/soc/rtl/rom.v``."""

PROCESSOR_PARAMETERS = {
    "ENABLE_COUNTERS": 1,  # rdcycle is the driver's clock
    "ENABLE_COUNTERS64": 0,
    "BARREL_SHIFTER": 1,
    "ENABLE_FAST_MUL": 1,
    "ENABLE_DIV": 1,  # the driver divides, and firmware has no library
    "ENABLE_IRQ": 1,
    "ENABLE_IRQ_QREGS": 0,  # nothing handles interrupts: firmware waits for them
    "ENABLE_IRQ_TIMER": 1,  # ends the waiting
    "LATCHED_IRQ": 0xFFFFFFFF & ~(1 << INTERRUPT),  # the accelerator's is a level
    "PROGADDR_RESET": ROM_BASE,
}
"""Parameters of PicoRV32 that differ from its own, or must be what they are."""


class System(wiring.Component):
    """A processor whose firmware runs networks on an accelerator; both are managers of one memory.

    Parameters
    ----------
    config : SystemConfig

    Members
    -------
    serial : Out(1)
        Serial line, 8N1.
    halted : Out(1)
        The processor has stopped: firmware ended, or was wrong.
    fault : Out(1)
        It accessed an address where nothing is.
    """

    def __init__(self, config: SystemConfig) -> None:
        """Create the system of `config`."""
        self.config = config
        super().__init__({"serial": Out(1, init=1), "halted": Out(1), "fault": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Connect the parts."""
        m = Module()
        config = self.config
        row_bytes = config.ram_row_bytes
        window = {
            "row_bytes": row_bytes,
            "rows": config.ram_bytes // row_bytes,
            "base": RAM_BASE,
        }
        bus = ProcessorBus(config)
        transmitter = SerialTransmitter(config.bit_cycles)
        ram = SharedRam(row_bytes, config.ram_bytes // row_bytes, 4)
        reader = AxiRamReader(config.accelerator.bus_bytes, **window)
        writer = AxiRamWriter(config.accelerator.bus_bytes, **window)
        commands = AxiRamReader(DESCRIPTOR_PORT_BYTES, **window)
        m.submodules.bus, m.submodules.transmitter, m.submodules.ram = bus, transmitter, ram
        m.submodules.reader, m.submodules.writer = reader, writer
        m.submodules.commands = commands
        clients: tuple[Any, ...] = (bus, reader, writer, commands)
        for index, client in enumerate(clients):
            wiring.connect(m, client.ram, ram.client(index))
        wiring.connect(m, bus.serial, transmitter.bytes)
        interrupt = self._accelerate(m, bus, reader, writer, commands)
        self._process(m, bus, interrupt)
        m.submodules.rom = Instance(
            ROM_MODULE,
            p_DEPTH=config.rom_bytes // 4,
            p_ADDRESS_BITS=address_bits(config.rom_bytes // 4),
            i_clk=ClockSignal(),
            i_read_enable=bus.rom_enable,
            i_read_address=bus.rom_address,
            o_read_data=bus.rom_data,
        )
        m.d.comb += [self.serial.eq(transmitter.line), self.fault.eq(bus.fault)]
        return m

    def _process(self, m: Module, bus: ProcessorBus, interrupt: Signal) -> None:
        """Place the processor."""
        access: Any = bus.processor
        m.submodules.processor = Instance(
            PROCESSOR_MODULE,
            **{f"p_{name}": value for name, value in PROCESSOR_PARAMETERS.items()},
            i_clk=ClockSignal(),
            i_resetn=~ResetSignal(),
            o_trap=self.halted,
            o_mem_valid=access.valid,
            i_mem_ready=access.ready,
            o_mem_addr=access.address,
            o_mem_wdata=access.write_data,
            o_mem_wstrb=access.mask,
            i_mem_rdata=access.read_data,
            i_pcpi_wr=Const(0, 1),
            i_pcpi_rd=Const(0, 32),
            i_pcpi_wait=Const(0, 1),
            i_pcpi_ready=Const(0, 1),
            i_irq=Cat(Const(0, INTERRUPT), interrupt, Const(0, 31 - INTERRUPT)),
        )

    def _accelerate(
        self,
        m: Module,
        bus: ProcessorBus,
        reader: AxiRamReader,
        writer: AxiRamWriter,
        commands: AxiRamReader,
    ) -> Signal:
        """Place the accelerator, and return its interrupt."""
        units = {"m_axi_desc": (commands,), "m_axi": (reader, writer)}
        interrupt = Signal()
        ports: dict[str, Any] = {
            f"i_{CLOCK}": ClockSignal(),
            f"i_{RESET}": ~ResetSignal(),
            "o_irq": interrupt,
        }
        for name, member in accelerator_signature(self.config.accelerator).members.items():
            side = "i" if member.flow == In else "o"
            if name.startswith("s_axil_"):
                if hasattr(bus, name):
                    ports[f"{side}_{name}"] = getattr(bus, name)
                continue
            if is_trace(name) or name == "irq":
                continue
            prefix = "m_axi_desc" if name.startswith("m_axi_desc") else "m_axi"
            channel = name.removeprefix(f"{prefix}_")
            for unit in units[prefix]:
                if hasattr(unit, channel):
                    ports[f"{side}_{name}"] = getattr(unit, channel)
            if channel in ("rid", "bid"):
                ports[f"i_{name}"] = Const(0, 1)
        m.submodules.accelerator = Instance(ACCELERATOR_MODULE, **ports)
        return interrupt

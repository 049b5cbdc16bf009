"""The accelerator: PE grid, engines, sequencing and bus ports."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwgen.gateware.bus.axi import lite_subordinate, manager_constants, read_manager, write_manager
from hwgen.gateware.execute.unit import ExecuteUnit
from hwgen.gateware.grid.grid import Grid
from hwgen.gateware.host.csr import CSR_ADDRESS_BITS, CsrUnit
from hwgen.gateware.host.fetch import FetchUnit
from hwgen.gateware.host.life import Life
from hwgen.gateware.host.sequencer import Sequencer
from hwgen.gateware.primitives.unique import unique
from hwgen.gateware.transfer.load import LoadUnit
from hwgen.gateware.transfer.store import StoreUnit
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import Queue

__all__ = ["Accelerator", "accelerator_signature"]

_DESCRIPTOR_BUS_BYTES = 8
_QUEUES = tuple(queue.name.lower() for queue in Queue)


def accelerator_signature(config: AcceleratorConfig) -> wiring.Signature:
    """Ports of the accelerator of `config`, besides ``clk`` and ``rst``."""
    data_bytes = config.bus_bytes
    buses: dict[str, dict[str, Any]] = {
        "s_axil": lite_subordinate(CSR_ADDRESS_BITS),
        "m_axi": {
            **write_manager(data_bytes),
            **_constants("aw", data_bytes),
            "wstrb": Out(data_bytes, init=(1 << data_bytes) - 1),
            "bid": In(1),
            **read_manager(data_bytes),
            **_constants("ar", data_bytes),
            "rid": In(1),
        },
        "m_axi_desc": {
            **read_manager(_DESCRIPTOR_BUS_BYTES),
            **_constants("ar", _DESCRIPTOR_BUS_BYTES),
            "rid": In(1),
        },
    }
    members: dict[str, Any] = {"irq": Out(1)}
    for prefix, channels in buses.items():
        members |= {f"{prefix}_{name}": member for name, member in channels.items()}
    for queue in _QUEUES:
        members |= {f"trace_{queue}_start": Out(1), f"trace_{queue}_done": Out(1)}
    for name in ("execute_issue_end", "hazard", "busy"):
        members[f"trace_{name}"] = Out(1)
    return wiring.Signature(members)


def _constants(channel: str, data_bytes: int) -> dict[str, Any]:
    """Return the members of an address channel that nothing drives but their value."""
    fixed = manager_constants(channel, data_bytes)
    return {name: Out(bits, init=value) for name, (bits, value) in fixed.items()}


class Accelerator(wiring.Component):
    """Accelerator of a configuration; ``docs/explanation/hardware.md`` says how it behaves.

    Parameters
    ----------
    config : AcceleratorConfig
        Sizes; must be realizable.

    Members
    -------
    irq : Out(1)
        Interrupt, level.
    s_axil_* : AXI4-Lite subordinate
        Control and status registers.
    m_axi_* : AXI4 manager, 8 * B bits
        Weights and activations.
    m_axi_desc_* : AXI4 manager, 64 bits, read only
        Program.
    trace_{load,execute,store}_start, trace_{load,execute,store}_done : Out(1)
        A command's transfer; its end.
    trace_execute_issue_end : Out(1)
        EXECUTE's issue stage becomes free.
    trace_hazard, trace_busy : Out(1)
        A transfer collides with EXECUTE in this cycle; a program runs.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        """Create the accelerator of `config`."""
        self.config = config
        super().__init__(accelerator_signature(config))

    def elaborate(self, platform: object) -> Module:
        """Connect the units."""
        m = Module()
        config = self.config
        csr = CsrUnit(config)
        life = Life()
        tables = bool(config.activation_table)
        fetch = FetchUnit(config.fingerprint, tables=tables)
        sequencer = Sequencer(tables=tables)
        load, execute, store = LoadUnit(config), ExecuteUnit(config), StoreUnit(config)
        grid = Grid(config)
        m.submodules.csr = unique(csr, "csr")
        m.submodules.life = unique(life)
        # What a program leaves behind goes with its end
        m.submodules.fetch = unique(fetch, "fetch", life.reset)
        m.submodules.sequencer = unique(sequencer, reset=life.reset)
        m.submodules.load = unique(load, "load", life.reset)
        m.submodules.execute = unique(execute, "execute", life.reset)
        m.submodules.store = unique(store, "store", life.reset)
        m.submodules.grid = unique(grid)

        # Buses
        self._forward(m, "s_axil", csr, lite_subordinate(CSR_ADDRESS_BITS))
        self._forward(m, "m_axi", load, read_manager(config.bus_bytes))
        self._forward(m, "m_axi", store, write_manager(config.bus_bytes))
        self._forward(m, "m_axi_desc", fetch, read_manager(_DESCRIPTOR_BUS_BYTES))

        # Descriptors and tokens
        engines: dict[str, Any] = {"load": load, "execute": execute, "store": store}
        for queue, engine in engines.items():
            command = getattr(sequencer, f"{queue}_command")
            wiring.connect(m, getattr(fetch, queue), getattr(sequencer, queue))
            wiring.connect(m, command, engine.command)
            m.d.comb += [
                getattr(sequencer, f"{queue}_done").eq(engine.done),
                getattr(sequencer, f"{queue}_post").eq(engine.done_post),
                getattr(self, f"trace_{queue}_start").eq(command.valid & command.ready),
                getattr(self, f"trace_{queue}_done").eq(engine.done),
            ]
        m.d.comb += [
            fetch.start.eq(life.start),
            fetch.program.eq(csr.program),
            load.memory_base.eq(csr.memory_base),
            load.input_offset.eq(csr.input_offset),
            store.memory_base.eq(csr.memory_base),
        ]
        for unit in (fetch, load, store):
            m.d.comb += [unit.pages.eq(csr.pages), unit.stop.eq(life.stop)]
        m.d.comb += [
            fetch.drop.eq(life.drop),
            load.drop.eq(life.drop),
            sequencer.stop.eq(life.stop),
        ]

        # Data path
        m.d.comb += [
            grid.row_write.eq(load.row_write),
            grid.tile_write.eq(load.tile_write),
            grid.tile_read.eq(store.tile_read),
            store.tile_read_data.eq(grid.tile_read_data),
        ]
        wiring.connect(m, execute.control, grid.control)
        if tables:
            m.d.comb += execute.table_halves.eq(load.table_halves)

        self._live(m, csr, life, fetch, sequencer, load, store)
        self._observe(m, csr, sequencer, load, execute, store)
        return m

    def _forward(self, m: Module, prefix: str, unit: Any, channels: dict[str, Any]) -> None:
        """Connect a unit's bus members to the top-level port of that prefix."""
        for name, member in channels.items():
            outer, inner = getattr(self, f"{prefix}_{name}"), getattr(unit, name)
            if member.flow == Out:
                m.d.comb += outer.eq(inner)
            else:
                m.d.comb += inner.eq(outer)

    def _live(
        self,
        m: Module,
        csr: CsrUnit,
        life: Life,
        fetch: FetchUnit,
        sequencer: Sequencer,
        load: LoadUnit,
        store: StoreUnit,
    ) -> None:
        """Connect the program's life with the registers and the units."""
        ports: Any = self
        handshakes = [
            getattr(ports, f"{prefix}_{channel}valid") & getattr(ports, f"{prefix}_{channel}ready")
            for prefix, channels in (
                ("m_axi", ("ar", "r", "aw", "w", "b")),
                ("m_axi_desc", ("ar", "r")),
            )
            for channel in channels
        ]
        traces = [
            getattr(ports, f"trace_{queue}_{what}")
            for queue in _QUEUES
            for what in ("start", "done")
        ]
        m.d.comb += [
            life.doorbell.eq(csr.doorbell),
            life.abort.eq(csr.abort),
            life.timeout.eq(csr.timeout),
            life.idle.eq(~fetch.busy & sequencer.idle & life.quiet),
            life.quiet.eq(fetch.quiet & load.quiet & store.quiet),
            life.progress.eq(Cat(*handshakes, *traces).any()),
            life.fetch.eq(fetch.fault),
            life.load.eq(load.fault),
            life.store.eq(store.fault),
            life.located.eq(store.located),
            life.error_address.eq(store.error_address),
        ]
        for name in (
            "start",
            "busy",
            "stop",
            "finished",
            "stopped",
            "unresponsive",
            "cause",
            "port",
            "response",
            "address",
        ):
            m.d.comb += getattr(csr, name).eq(getattr(life, name))

    def _observe(
        self,
        m: Module,
        csr: CsrUnit,
        sequencer: Sequencer,
        load: LoadUnit,
        execute: ExecuteUnit,
        store: StoreUnit,
    ) -> None:
        """Connect interrupt, flags, counters and traces."""
        hazard = Signal()
        # Counted a cycle later: a queue's head and the counter do not fit into the same cycle
        m.d.sync += [
            csr.execute_wait_load.eq(sequencer.wait_load & ~execute.busy),
            csr.execute_wait_store.eq(sequencer.wait_store & ~execute.busy),
        ]
        row_hazard = (load.row_write.enable & execute.half_busy.bit_select(load.row_half, 1))  # fmt: skip
        if self.config.activation_table:
            using = (execute.half_busy & load.table_halves).any()
            row_hazard = Mux(load.row_write.table, load.row_write.enable & using, row_hazard)
        m.d.comb += [
            hazard.eq(
                (execute.busy & store.tile_read.enable)
                | (execute.control.read_enable & execute.control.write_enable).any()
                | (load.tile_write.enable & execute.bank_busy.bit_select(load.tile_write.bank, 1))
                | row_hazard
            ),
            csr.hazard.eq(hazard),
            csr.execute_busy.eq(execute.busy),
            csr.load_active.eq(load.busy),
            csr.store_active.eq(store.busy),
            csr.read_beats.eq(self.m_axi_rvalid & self.m_axi_rready),
            csr.write_beats.eq(self.m_axi_wvalid & self.m_axi_wready),
            csr.read_stalls.eq(load.waiting),
            csr.write_stalls.eq(self.m_axi_wvalid & ~self.m_axi_wready),
            self.irq.eq(csr.irq),
            self.trace_execute_issue_end.eq(execute.issue_end),
            self.trace_hazard.eq(hazard),
            self.trace_busy.eq(csr.busy),
        ]

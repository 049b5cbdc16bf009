"""The AXI rules of the accelerator's ports: one text for simulations, proofs and cocotb."""

import functools
from importlib import resources

from hwgen.gateware.bus.axi import lite_subordinate, manager_constants, read_manager, write_manager
from hwgen.gateware.host.csr import CSR_ADDRESS_BITS
from hwgen.gateware.host.fetch import FetchUnit
from hwgen.gateware.transfer.load import LoadUnit
from hwgen.gateware.transfer.store import StoreUnit
from hwgen.module_names import ModuleNames
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.bus import DESCRIPTOR_PORT_BYTES, PAGE_BYTES

__all__ = ["bound_rules", "rule_instances", "rules_text"]

LITE_OUTSTANDING = 2
"""Accesses that the register port holds: the first is answered, the second waits."""


@functools.cache
def rules_text() -> str:
    """Return the modules of the rules, SystemVerilog."""
    return (resources.files("testbench.rtl") / "axi_rules.sv").read_text(encoding="utf-8")


def rule_instances(config: AcceleratorConfig, reset: str = "rst") -> dict[str, str]:
    """Return an instance of the rules of every port, by the port's prefix; the data port has two.

    The names of the ports are those of the emitted top module; ``reset`` is an expression that is high in
    reset.
    """
    beat = config.bus_bytes
    store = {"OUTSTANDING": StoreUnit.OUTSTANDING, "RESPONSES": StoreUnit.RESPONSES}
    return {
        "m_axi_ar": _instance(
            reset,
            "axi_read_rules",
            "m_axi",
            [*read_manager(beat), *manager_constants("ar", beat), "rid"],
            {"BYTES": beat, "OUTSTANDING": LoadUnit.OUTSTANDING, "PAGE_BYTES": PAGE_BYTES},
        ),
        "m_axi_aw": _instance(
            reset,
            "axi_write_rules",
            "m_axi",
            [*write_manager(beat), *manager_constants("aw", beat), "wstrb", "bid"],
            {"BYTES": beat, **store, "PAGE_BYTES": PAGE_BYTES},
        ),
        "m_axi_desc_ar": _instance(
            reset,
            "axi_read_rules",
            "m_axi_desc",
            [
                *read_manager(DESCRIPTOR_PORT_BYTES),
                *manager_constants("ar", DESCRIPTOR_PORT_BYTES),
                "rid",
            ],
            {
                "PORT": '"descriptor "',
                "BYTES": DESCRIPTOR_PORT_BYTES,
                "OUTSTANDING": FetchUnit.DEPTH,
                "PAGE_BYTES": PAGE_BYTES,
            },
        ),
        "s_axil": _instance(
            reset,
            "axi_lite_rules",
            "s_axil",
            list(lite_subordinate(CSR_ADDRESS_BITS)),
            {
                "PORT": '"register "',
                "ADDRESS_BITS": CSR_ADDRESS_BITS,
                "OUTSTANDING": LITE_OUTSTANDING,
            },
        ),
    }


def bound_rules(config: AcceleratorConfig) -> str:
    """Return the rules of all ports, bound into the emitted top module: SystemVerilog to add to it."""
    top = ModuleNames.of(config).top
    bound = [f"bind {top} {text}" for text in rule_instances(config, "!aresetn").values()]
    return "\n".join([rules_text(), *bound]) + "\n"


def _instance(
    reset: str, module: str, prefix: str, names: list[str], parameters: dict[str, object]
) -> str:
    given = ", ".join(f".{name}({value})" for name, value in parameters.items())
    pins = [".clk(clk)", f".rst({reset})", *(f".{name}({prefix}_{name})" for name in names)]
    instance = f"{prefix}_{module.split('_')[1]}_rules"
    return f"{module} #({given}) {instance} ({', '.join(pins)});"

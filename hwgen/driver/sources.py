"""Sources of the driver in C, and of what systems need beside it; all accelerators share them."""

from importlib import resources

import jinja2

from hwgen.gateware.host.csr import CAPABILITIES, COUNTERS, INTERRUPTS, REGISTERS, REGISTERS_VERSION
from hwgen.registers.table import MAP_BYTES, register_table
from hwgen.registers.texts import c_header
from hwgen.verilog_files import OWNERSHIP
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.bus import PAGE_BYTES
from sim.spec.spaces import TINY
from sim.spec.stops import Port, StopCause

__all__ = ["COMPATIBLE", "DRIVER_FILES", "capability_values", "driver_sources", "system_sources"]

DRIVER_FILES = ("cosilico.c", "cosilico.h", "cosilico_registers.h")
"""Files of the driver."""

COMPATIBLE = f"cosilico,accelerator-v{REGISTERS_VERSION}"
"""Name of the device in device trees: it changes with the register map."""

_CAPABLE = {register.name for register in CAPABILITIES} - {"VERSION"}


def driver_sources() -> dict[str, str]:
    """Return the driver's files: their texts by name."""
    return {
        "cosilico.c": _render("cosilico.c.j2"),
        "cosilico.h": _render("cosilico.h.j2"),
        "cosilico_registers.h": c_header(),
    }


def system_sources() -> dict[str, str]:
    """Return what Linux, PYNQ and Zephyr need beside the driver: texts by path."""
    return {
        path: _render(template)
        for path, template in {
            f"linux/bindings/misc/{COMPATIBLE}.yaml": "linux/binding.yaml.j2",
            "linux/cosilico_uio.c": "linux/cosilico_uio.c.j2",
            "linux/Makefile": "linux/Makefile.j2",
            "pynq/cosilico_pynq.py": "pynq/cosilico_pynq.py.j2",
            "pynq/cosilico_pynq.c": "pynq/cosilico_pynq.c.j2",
            "pynq/Makefile": "pynq/Makefile.j2",
            "zephyr/module.yml": "zephyr/module.yml.j2",
            "zephyr/CMakeLists.txt": "zephyr/CMakeLists.txt.j2",
            "zephyr/Kconfig": "zephyr/Kconfig.j2",
            f"zephyr/dts/bindings/misc/{COMPATIBLE}.yaml": "zephyr/binding.yaml.j2",
            "zephyr/dts/bindings/vendor-prefixes.txt": "zephyr/vendor-prefixes.txt.j2",
            "zephyr/cosilico_zephyr.h": "zephyr/cosilico_zephyr.h.j2",
            "zephyr/cosilico_zephyr.c": "zephyr/cosilico_zephyr.c.j2",
        }.items()
    }


def capability_values(config: AcceleratorConfig) -> dict[str, int]:
    """Return what the driver reads of an accelerator, by the names in ``struct cosilico_capabilities``."""
    return {
        field.name: field.reset
        for entry in register_table(config)
        if entry.register.name in _CAPABLE
        for field in entry.fields
    }


def _render(name: str) -> str:
    """Fill in a template of this room; what differs between accelerators is not in it."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    text = (resources.files("hwgen.driver") / "templates" / name).read_text(encoding="utf-8")
    entries = register_table(TINY.default)
    cycles = next(register for register in REGISTERS if register.name == "CYCLES")
    return environment.from_string(text).render(
        ownership=OWNERSHIP,
        compatible=COMPATIBLE,
        map_bytes=MAP_BYTES,
        registers_version=REGISTERS_VERSION,
        page_bytes=PAGE_BYTES,
        interrupts=INTERRUPTS,
        capabilities=[
            (entry.register.name, field)
            for entry in entries
            if entry.register.name in _CAPABLE
            for field in entry.fields
        ],
        counters=(cycles, *COUNTERS),
        causes=[(cause.name, int(cause)) for cause in StopCause],
        ports=[(port.name, int(port)) for port in Port],
    )

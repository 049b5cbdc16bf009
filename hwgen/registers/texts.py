"""The register map as SystemRDL, as a C header and as a page."""

from importlib import resources

import jinja2

from hwgen.registers.table import MAP_BYTES, Field, RegisterFields, register_table, versions
from hwgen.verilog_files import OWNERSHIP
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.header import HEADER_MAGIC
from sim.spec.spaces import TINY

__all__ = ["c_header", "html_page", "system_rdl"]

_PROPERTIES = {
    "R": "sw = r; hw = w;",
    "W": "sw = w; hw = r; singlepulse;",
    "RW": "sw = rw; hw = r;",
    "W1C": "sw = rw; hw = na; hwset; onwrite = woclr;",
}
"""SystemRDL's words for each access."""


def system_rdl(config: AcceleratorConfig) -> str:
    """Return the registers of an accelerator in SystemRDL 2.0.

    Parameters
    ----------
    config : AcceleratorConfig
        Decides what the capability registers read.
    """
    return _render("registers.rdl.j2", config, properties=_properties)


def html_page(config: AcceleratorConfig) -> str:
    """Return the registers of an accelerator as a page that needs no other file."""
    return _render("registers.html.j2", config, autoescape=True)


def c_header() -> str:
    """Return offsets and fields as macros of C, which all accelerators share."""
    return _render("cosilico_registers.h.j2", TINY.default, map_bytes=MAP_BYTES, magic=HEADER_MAGIC)


def _properties(field: Field) -> str:
    return "sw = r; hw = na;" if field.constant else _PROPERTIES[field.access]


def _access(entry: RegisterFields) -> str:
    return {"W1C": "R, W1C"}.get(entry.register.access, entry.register.access)


def _render(
    name: str, config: AcceleratorConfig, *, autoescape: bool = False, **values: object
) -> str:
    """Fill in a template of this room."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=autoescape
    )
    text = (resources.files("hwgen.registers") / "templates" / name).read_text(encoding="utf-8")
    return environment.from_string(text).render(
        ownership=OWNERSHIP,
        fingerprint=f"{config.fingerprint:08x}",
        table=register_table(config),
        versions=versions(),
        access=_access,
        **values,
    )

"""The register map's other forms: each names the places, access and resets that the gateware has."""

import random
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from accelerators import small_accelerator
from gateware_simulation import simulate
from hwgen.gateware.host.csr import COUNTERS, INTERRUPTS, REGISTERS, STATUS_BITS, CsrUnit
from hwgen.registers.table import MAP_BYTES, register_table
from hwgen.registers.texts import c_header, html_page, system_rdl
from hwgen.subprocesses import run_program
from register_bus import Bus
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.stops import Port, StopCause

CONFIG = small_accelerator(2, 3, simd_units=8, compute_lanes=4, weight_store_kb=16)
OTHER = small_accelerator(1, 2, simd_units=4, compute_lanes=2)

LATER = {"STATUS", "IRQ_PENDING", "ERROR", "ERROR_ADDRESS", "CYCLES"} | {
    register.name for register in COUNTERS
}
"""Registers that read what has happened."""


class Place(NamedTuple):
    """A field as a form of the map tells it."""

    register: str
    offset: int
    field: str
    low: int
    high: int
    access: str
    reset: int


def places(config: AcceleratorConfig) -> list[Place]:
    """Fields of the table itself."""
    return [
        Place(
            entry.register.name,
            entry.register.offset,
            field.name,
            field.low,
            field.high,
            field.access,
            field.reset,
        )
        for entry in register_table(config)
        for field in entry.fields
    ]


def compiled_places(text: str, folder: Path) -> list[Place]:
    """Fields as the compiler of SystemRDL understands them; without it the test is skipped."""
    compiler_of = pytest.importorskip(
        "systemrdl", reason="systemrdl-compiler must be installed to judge SystemRDL"
    )
    path = folder / "registers.rdl"
    path.write_text(text)
    compiler = compiler_of.RDLCompiler()
    compiler.compile_file(str(path))
    return list(described_places(compiler.elaborate().top))


def described_places(top: Any) -> Iterator[Place]:
    """Fields of an elaborated map."""
    for register in top.registers():
        for field in register.fields():
            access = field.get_property("sw").name.upper()
            once = field.get_property("onwrite")
            if once is not None and once.name == "woclr":
                access = "W1C"
            reset = field.get_property("reset")
            yield Place(
                register.inst_name,
                register.absolute_address,
                field.inst_name,
                field.low,
                field.high,
                access,
                int(reset),
            )


@pytest.mark.parametrize("config", [CONFIG, OTHER])
def test_another_compiler_reads_the_same_map(config: AcceleratorConfig, tmp_path: Path) -> None:
    assert compiled_places(system_rdl(config), tmp_path) == places(config)


def test_a_compiler_notices_a_field_that_has_moved(tmp_path: Path) -> None:
    text = system_rdl(CONFIG)
    assert text.count("cause[2:0]") == 1
    moved = compiled_places(text.replace("cause[2:0]", "cause[3:1]"), tmp_path)
    assert [place for place in moved if place not in places(CONFIG)] == [
        Place("ERROR", 0x48, "cause", 1, 3, "R", 0)
    ]


def test_every_register_of_the_gateware_is_there_with_its_access() -> None:
    table = register_table(CONFIG)
    assert [entry.register for entry in table] == sorted(REGISTERS, key=lambda r: r.offset)
    for entry in table:
        assert {field.access for field in entry.fields} == {entry.register.access}
        masks = [field.mask for field in entry.fields]
        assert sum(masks).bit_count() == sum(mask.bit_count() for mask in masks)
        assert all(0 <= field.low <= field.high < 32 for field in entry.fields)


def run_on(
    config: AcceleratorConfig, case: Callable[[Any, Bus], Coroutine[Any, Any, None]]
) -> None:
    """Run a case on the registers of an accelerator, with late handshakes."""
    bus = Bus(CsrUnit(config), seed=4)

    async def drive(ctx: Any) -> None:
        await case(ctx, bus)

    simulate(bus.unit, drive)


def by_offset(config: AcceleratorConfig, folder: Path) -> dict[int, list[Place]]:
    """Fields by offset, from the compiled SystemRDL."""
    fields: dict[int, list[Place]] = {offset: [] for offset in range(0, MAP_BYTES, 4)}
    for place in compiled_places(system_rdl(config), folder):
        fields[place.offset].append(place)
    return fields


def mask_of(place: Place) -> int:
    return (1 << place.high + 1) - (1 << place.low)


@pytest.mark.parametrize("config", [CONFIG, OTHER])
def test_the_gateware_reads_every_reset_value(config: AcceleratorConfig, tmp_path: Path) -> None:
    """At every offset of the map; bits of no field read 0."""
    fields = by_offset(config, tmp_path)

    async def case(ctx: Any, bus: Bus) -> None:
        for offset, there in fields.items():
            wanted = sum(place.reset << place.low for place in there if place.access != "W")
            assert await bus.read(ctx, offset) == wanted, hex(offset)

    run_on(config, case)


def test_the_gateware_keeps_what_its_fields_may_keep(tmp_path: Path) -> None:
    """Words of random bits: fields for reading and writing keep them, all other bits ignore them."""
    fields = by_offset(CONFIG, tmp_path)
    draw = random.Random(1)

    async def case(ctx: Any, bus: Bus) -> None:
        for offset, there in fields.items():
            for word in (0xFFFFFFFF, 0, *(draw.getrandbits(32) for _ in range(3))):
                await bus.write(ctx, offset, word)
                kept = [place for place in there if place.access == "RW"]
                wanted = word & sum(map(mask_of, kept))
                wanted |= sum(place.reset << place.low for place in there if place.access == "R")
                assert await bus.read(ctx, offset) == wanted, hex(offset)

    run_on(CONFIG, case)


def test_the_gateware_has_each_event_and_order_in_its_field(tmp_path: Path) -> None:
    """Whatever the gateware reports stands in the field of that name, and nowhere else."""
    place_of = {(p.register, p.field): p for p in compiled_places(system_rdl(CONFIG), tmp_path)}

    async def case(ctx: Any, bus: Bus) -> None:
        unit = bus.unit

        async def expect(register: str, **values: int) -> None:
            wanted = sum(value << place_of[register, name].low for name, value in values.items())
            offset = next(p.offset for p in place_of.values() if p.register == register)
            assert await bus.read(ctx, offset) == wanted, register

        for name, signal in (
            ("busy", "busy"),
            ("unresponsive", "unresponsive"),
            ("stopping", "stop"),
        ):
            ctx.set(getattr(unit, signal), 1)
            await expect("STATUS", **{name: 1})
            ctx.set(getattr(unit, signal), 0)
        for name in (*INTERRUPTS, "hazard"):
            ctx.set(unit.start, 1)
            await ctx.tick()
            ctx.set(unit.start, 0)
            signal = {"done": "finished", "hazard": "hazard"}.get(name, "stopped")
            cause = StopCause.REFUSED if name == "refused" else StopCause.CHECK
            ctx.set(unit.cause, cause)
            ctx.set(getattr(unit, signal), 1)
            await ctx.tick()
            ctx.set(getattr(unit, signal), 0)
            await expect("STATUS", **{name: 1})
            if name in INTERRUPTS:
                await expect("IRQ_PENDING", **{name: 1})
                pending = place_of["IRQ_PENDING", name]
                await bus.write(ctx, pending.offset, 0xFFFFFFFF & ~mask_of(pending))
                await expect("IRQ_PENDING", **{name: 1})
                await bus.write(ctx, pending.offset, mask_of(pending))
                await expect("IRQ_PENDING")
        ctx.set(unit.cause, StopCause.ABORT)
        ctx.set(unit.port, Port.WRITE)
        ctx.set(unit.response, 2)
        ctx.set(unit.address, 0x89ABCDEF)
        await expect("ERROR", cause=7, port=3, response=2)
        await expect("ERROR_ADDRESS", address=0x89ABCDEF)
        for register in COUNTERS:
            ctx.set(getattr(unit, register.name.lower()), 1)
            await ctx.tick().repeat(3)
            ctx.set(getattr(unit, register.name.lower()), 0)
            await expect(register.name, count=3)
        orders = []
        for name in ("doorbell", "abort"):
            order = place_of["CONTROL", name]
            ctx.set(unit.awaddr, order.offset)
            ctx.set(unit.wdata, mask_of(order))
            ctx.set(unit.wstrb, 15)
            ctx.set(unit.bready, 1)
            seen = [0, 0]
            for cycle in range(4):
                ctx.set(unit.awvalid, cycle == 0)
                ctx.set(unit.wvalid, cycle == 0)
                seen[0] += ctx.get(unit.doorbell)
                seen[1] += ctx.get(unit.abort)
                await ctx.tick()
            orders.append(seen)
        assert orders == [[1, 0], [0, 1]]

    run_on(CONFIG, case)
    told = {name for name, _ in place_of if name in LATER}
    assert told == LATER
    assert {field for register, field in place_of if register == "STATUS"} == set(STATUS_BITS)


def macros(text: str, folder: Path) -> dict[str, int]:
    """Values of all macros of a header, as a C compiler computes them."""
    names = [line.split()[1] for line in text.splitlines() if line.startswith("#define")][1:]
    printed = "\n".join(
        f'  printf("{name} %llu\\n", (unsigned long long){name});' for name in names
    )
    (folder / "registers.h").write_text(text)
    (folder / "print.c").write_text(
        f'#include <stdio.h>\n#include "registers.h"\nint main(void) {{\n{printed}\n  return 0;\n}}\n'
    )
    warnings = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
    built = run_program(["gcc", *warnings, "-o", str(folder / "print"), str(folder / "print.c")])
    assert built.returncode == 0, built.stderr
    done = run_program([str(folder / "print")])
    return {name: int(value) for name, value in map(str.split, done.stdout.splitlines())}


def test_the_c_header_has_the_same_places(tmp_path: Path) -> None:
    values = macros(c_header(), tmp_path)
    assert values["COSILICO_MAGIC"] == register_table(CONFIG)[0].reset
    for entry in register_table(CONFIG):
        prefix = f"COSILICO_{entry.register.name}"
        assert values[prefix] == entry.register.offset
        for field in entry.fields:
            name = f"{prefix}_{field.name.upper()}"
            assert values[f"{name}_SHIFT"] == field.low
            assert values[f"{name}_MASK"] == field.mask
    for cause in StopCause:
        assert values[f"COSILICO_CAUSE_{cause.name}"] == cause
    for port in Port:
        assert values[f"COSILICO_PORT_{port.name}"] == port
    versions = register_table(CONFIG)[
        [e.register.name for e in register_table(CONFIG)].index("VERSION")
    ]
    header, map_version = (field.reset for field in versions.fields)
    assert values["COSILICO_HEADER_VERSION"] == header
    assert values["COSILICO_REGISTERS_VERSION"] == map_version


def test_the_page_has_every_field_once() -> None:
    page = html_page(CONFIG)
    for entry in register_table(CONFIG):
        section = page.split(f'<h2 id="{entry.register.name}">', 1)[1].split("</table>", 1)[0]
        for field in entry.fields:
            bits = f"{field.high}:{field.low}" if field.bits > 1 else f"{field.low}"
            row = f"<tr><td>{bits}</td><td><code>{field.name}</code></td><td>{field.access}</td>"
            assert section.count(row) == 1
    assert f"<code>0x{CONFIG.fingerprint:X}</code>" in page


def test_all_forms_are_the_same_each_time() -> None:
    assert system_rdl(CONFIG) == system_rdl(CONFIG)
    assert html_page(CONFIG) == html_page(CONFIG)
    assert system_rdl(CONFIG) != system_rdl(OTHER)

"""DRAMs as values: what their files say, what follows from it, and what is refused."""

import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from sim.spec.dram import DRAM_PRESETS, DramController, DramPolicy, dram_of
from sim.spec.dram_timing import SYMBOLS, DramTiming, Interval
from sim.spec.errors import DesignFileError
from sim.spec.memory_record import parse_memory

NAMES = ("lpddr4-3200", "ddr4-2400", "ddr3-1600", "hbm2-2000")
DDR4 = DRAM_PRESETS["ddr4-2400"]


def changed(**change: Any) -> dict[str, Any]:
    """Record of a DRAM with other fields; those of ``timing`` are joined."""
    record: dict[str, Any] = json.loads(json.dumps(DDR4.to_json()))
    timing = record["timing"] | change.pop("timing", {})
    return record | change | {"timing": {k: v for k, v in timing.items() if v is not None}}


def test_each_memory_has_a_name_with_either_controller() -> None:
    assert list(DRAM_PRESETS) == [n for name in NAMES for n in (name, f"{name}/fr-fcfs")]
    for name, system in DRAM_PRESETS.items():
        assert str(system) == name
        assert parse_memory(name) == system
        assert (system.controller.policy is DramPolicy.FR_FCFS) == name.endswith("/fr-fcfs")


def test_presets_have_the_bandwidth_of_their_names() -> None:
    """Bits per second and pin, in millions."""
    for name in NAMES:
        assert DRAM_PRESETS[name].name == name.upper()
        assert 2 * DRAM_PRESETS[name].clock_mhz == int(name.partition("-")[2])


def test_a_clock_count_is_the_longer_of_both_and_never_too_short() -> None:
    assert Interval(clocks=4, ns=7.5).at(1200) == 9
    assert Interval(clocks=4, ns=7.5).at(400) == 4
    assert Interval(ns=13.75).at(800) == 11
    assert Interval(ns=3.3).at(1200) == 4
    assert Interval(ns=3904).within(1600) == 6246


def test_ddr4_is_what_dramsys_has() -> None:
    """Clocks of JEDEC_4Gb_DDR4-2400_8bit_A.json, and what follows for both directions."""
    clocks = DDR4.clocks
    assert (clocks.row_to_read, clocks.row_to_write, clocks.precharge) == (16, 16, 16)
    assert (clocks.row_active, clocks.four_rows, clocks.refresh) == (39, 26, 312)
    assert (clocks.column, clocks.column_long) == (4, 6)
    assert (clocks.row_to_row, clocks.row_to_row_long) == (4, 6)
    assert clocks.write_to_read == 16 + 4 + 3
    assert clocks.write_to_read_long == 16 + 4 + 9
    assert clocks.write_to_precharge == 16 + 4 + 18
    assert clocks.read_to_write == 16 + 4 + 2 - 16
    assert clocks.refresh_interval == 9360


def test_ddr3_is_what_dramsim3_has() -> None:
    """Clocks of DDR3_4Gb_x8_1600.ini."""
    clocks = DRAM_PRESETS["ddr3-1600"].clocks
    assert (clocks.row_to_read, clocks.precharge, clocks.row_active) == (11, 11, 28)
    assert (clocks.row_to_row, clocks.four_rows, clocks.refresh) == (5, 24, 208)
    assert clocks.read_to_precharge == 6
    assert clocks.write_to_read == clocks.write_to_read_long == 8 + 4 + 6
    assert clocks.refresh_interval == 6240


def test_hbm2_is_what_dramsys_has() -> None:
    """Clocks of HBM2.json; tRTW is 18."""
    clocks = DRAM_PRESETS["hbm2-2000"].clocks
    assert (clocks.row_to_read, clocks.row_to_write) == (12, 6)
    assert (clocks.column, clocks.column_long) == (2, 3)
    assert clocks.read_to_write == 18
    assert clocks.write_to_read_long - clocks.write_to_read == 9 - 4


def test_a_digest_tells_what_decides_cycles_and_nothing_else() -> None:
    assert replace(DDR4, name="x", source="y", standard="z").digest == DDR4.digest
    assert replace(DDR4, most_channels=4).digest != DDR4.digest
    slower = replace(DDR4.timing, rcd=Interval(clocks=17))
    assert replace(DDR4, timing=slower).digest != DDR4.digest
    deeper = replace(DDR4.controller, queue=48)
    assert replace(DDR4, controller=deeper).digest != DDR4.digest


def test_every_interval_has_its_standards_name() -> None:
    assert list(SYMBOLS) == [item.name for item in fields(DramTiming)]


def test_a_file_is_read_and_its_errors_name_it(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "sim" / "spec" / "drams" / "ddr4-2400.toml").read_text()
    (tmp_path / "own.toml").write_text(text.replace("banks = 16", "banks = 32"))
    own = parse_memory(str(tmp_path / "own.toml"))
    assert own == replace(DDR4, banks=32)
    (tmp_path / "own.toml").write_text(text.replace("tRCD", "tRDC"))
    message = f"^memory file {tmp_path}/own.toml: memory.timing has no field 'tRDC'$"
    with pytest.raises(DesignFileError, match=message):
        parse_memory(str(tmp_path / "own.toml"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clock_mhz": 20}, "clock_mhz must be an integer in 50 … 4000, not 20"),
        ({"channel_bits": 48}, "channel_bits must be a power of two in 8 … 1024, not 48"),
        ({"burst_length": 64}, "burst_length must be a power of two in 2 … 32, not 64"),
        ({"page_bytes": 1}, "page_bytes must be a power of two in 256 … 65536, not 1"),
        ({"banks": 128}, "banks must be a power of two in 1 … 64, not 128"),
        ({"bank_groups": 16}, "bank_groups must be a power of two in 1 … 8, not 16"),
        ({"most_channels": 0}, "most_channels must be an integer in 1 … 64, not 0"),
        (
            {"channel_bits": 8},
            "channel_bits times burst_length must be 16 bytes … a page, not 8",
        ),
        ({"bank_groups": 1}, "timing.tCCD_L must be given with bank_groups only"),
        ({"timing": {"tWTR_L": None}}, "timing.tWTR_L must be given with bank_groups"),
        (
            {"timing": {"tCCD_L": {"clocks": 17}}},
            "timing.tCCD_L must be at most bank_groups times tCCD, 16 clocks, not 17",
        ),
        ({"timing": {"tRP": {}}}, "timing must give precharge of a clock at least, not 0"),
        (
            {"timing": {"tRFC": {"clocks": 2325}}},
            "timing.tRFC must be at most a quarter of tREFI less tRP, 2324 clocks, not 2325",
        ),
        ({"timing": {"tRP": None}}, "timing.tRP must be given"),
        (
            {"timing": {"tRP": {"ns": -1}}},
            "timing.tRP.ns must be a number in 0 … 100000, not -1",
        ),
        ({"timing": {"tRP": 3}}, "timing.tRP must be an object, not 3"),
        (
            {"controller": {"policy": "x"}},
            "controller.policy must be one of in-order, fr-fcfs, not 'x'",
        ),
        (
            {"controller": {"queue": 65}},
            "controller.queue must be an integer in 1 … 64, not 65",
        ),
        (
            {"controller": {"write_low": 24}},
            "controller.write_low must be an integer in 0 … 23, not 24",
        ),
        ({"kind": "sram"}, "kind must be one of dram, not 'sram'"),
    ],
)
def test_a_record_names_the_field_the_rule_and_the_value(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(DesignFileError, match=f"^memory.{re.escape(message)}$"):
        dram_of(changed(**change))


def test_intervals_and_controllers_check_themselves() -> None:
    with pytest.raises(ValueError, match=r"^clocks must be an integer in 0 … 65536, not -1$"):
        Interval(clocks=-1)
    with pytest.raises(ValueError, match=r"^ns must be a number in 0 … 100000, not 'x'$"):
        Interval(ns="x")  # type: ignore[arg-type]  # that is the point
    with pytest.raises(ValueError, match=r"^controller.starvation must be an integer in 1 … 65536"):
        DramController(starvation=0)

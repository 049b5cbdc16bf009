"""Fitted silicon: one accelerator and many at once, monotone, and files that are refused."""

import json
import random
from collections.abc import Iterator
from dataclasses import astuple, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from silicon_fits import GATEWARE, made_up_fit, made_up_fits
from sim.cost import area as area_model
from sim.cost import silicon_fit
from sim.cost.area_parts import AreaBreakdown
from sim.cost.config_columns import FEW, ConfigColumns
from sim.cost.external_interface import interface_class, interface_price
from sim.cost.fpga_resources import resource_columns, resources
from sim.cost.logic_area import AREA_PARTS, fitted_area, fitted_areas, logic_area
from sim.cost.memory_macros import memory_macros
from sim.cost.ram_shapes import RamShape, memories
from sim.cost.silicon_features import FEATURES
from sim.cost.silicon_fit import AREA, FPGA_FIGURES, ModuleFit
from sim.cost.silicon_modules import MODULES, silicon_memories
from sim.cost.silicon_shapes import FLIP_FLOP_MEMORY, FPGA_MEMORIES, shape_features
from sim.cost.sram import highest_mhz
from sim.cost.sram_table import MemoryCells
from sim.realizability import check
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import DesignFileError, StaleCalibrationError
from sim.spec.spaces import EDGE, TINY, HardwareSpace

FITS = made_up_fits()


def drawn(space: HardwareSpace, number: int, seed: int) -> Iterator[AcceleratorConfig]:
    generator = random.Random(seed)
    for _ in range(number):
        point = space.config([generator.randrange(size) for size in space.sizes])
        yield replace(point, activation_table=generator.randrange(2))


ANY = [*drawn(TINY, 60, 1), *drawn(EDGE, 60, 2)]


@pytest.mark.parametrize("number", [0, 1, FEW, FEW + 1, 120])
def test_many_at_once_are_each_alone_bit_by_bit(number: int) -> None:
    configs = ANY[:number]
    together = fitted_areas(ConfigColumns.of(configs), FITS)
    assert set(together) == set(AREA_PARTS) == {field.name for field in fields(AreaBreakdown)}
    for place, config in enumerate(configs):
        alone = fitted_area(config, FITS)
        assert astuple(alone) == tuple(together[part][place] for part in AREA_PARTS)


@pytest.mark.parametrize("family", ["ecp5", "xilinx"])
def test_resources_of_many_at_once_are_each_alone(family: str) -> None:
    together = resource_columns(ConfigColumns.of(ANY), family, FITS)
    for place, config in enumerate(ANY):
        alone = resources(config, family, FITS)
        assert astuple(alone) == tuple(together[figure][place] for figure in FPGA_FIGURES)


def test_chosen_columns_are_those_of_the_chosen() -> None:
    columns = ConfigColumns.of(ANY)
    chosen = np.array([config.pes_x > 1 for config in ANY])
    own = [config for config, taken in zip(ANY, chosen, strict=True) if taken]
    selected = columns.select(chosen)
    assert list(selected.configs) == own
    assert selected.look_up(("pes_x",), lambda config: config.pes_x).tolist() == [
        config.pes_x for config in own
    ]
    assert columns.select(np.full(len(ANY), True)).configs is ANY


@pytest.mark.parametrize("family", ["ecp5", "xilinx"])
def test_no_accelerators_have_no_areas(family: str) -> None:
    none = ConfigColumns.of([])
    assert len(none) == 0
    assert fitted_areas(none, FITS)["bus"].shape == (0,)
    assert resource_columns(none, family, FITS)["lut"].shape == (0,)


def test_a_look_up_asks_once_for_all_that_are_alike() -> None:
    asked = []

    def units(config: AcceleratorConfig) -> float:
        asked.append(config)
        return config.simd_units

    values = ConfigColumns.of(ANY).look_up(("simd_units",), units)
    assert values.tolist() == [config.simd_units for config in ANY]
    assert len(asked) == len({config.simd_units for config in ANY})


@pytest.mark.parametrize("feature", FEATURES.values(), ids=FEATURES)
def test_a_feature_depends_on_no_field_but_its_own(feature: Any) -> None:
    alike = AcceleratorConfig(
        pes_x=3, pes_y=2, simd_units=16, compute_lanes=2, local_memory_kb=64,
        register_file_kb=8, io_bandwidth_gbps=1.6, clock_mhz=400, weight_store_kb=32,
    )  # fmt: skip
    for config in ANY:
        own = {name: getattr(config, name) for name in feature.fields}
        assert feature.value(replace(alike, **own)) == feature.value(config) >= 0


def test_parts_are_macros_and_logic() -> None:
    for config in ANY[::7]:
        macros = memory_macros(config)
        total = sum(memory.area_mm2 for kinds in macros.values() for memory in kinds)
        logic = logic_area(config, FITS.cells(config.clock_mhz))
        bandwidth = config.io_bandwidth_gbps
        interface = interface_price(interface_class(bandwidth), bandwidth).area_mm2
        area = fitted_area(config, FITS)
        assert area.external_interface == interface
        assert area.total == pytest.approx(logic + total + interface, rel=1e-12)


def test_memories_are_those_of_the_generator() -> None:
    for config in ANY:
        known: list[RamShape] = [shape for kinds in memories(config).values() for shape in kinds]
        counted = [kind.shape(config) for kind in silicon_memories()]
        assert [shape for shape in counted if shape.count] == known


RISING = ("pes_x", "pes_y", "simd_units", "compute_lanes", "local_memory_kb", "io_bandwidth_gbps")


@pytest.mark.parametrize(
    "field", [*RISING, "weight_store_kb", "register_file_kb", "activation_table"]
)
@pytest.mark.parametrize("space", [TINY, EDGE], ids=lambda space: space.name)
def test_more_of_a_field_never_costs_less(space: HardwareSpace, field: str) -> None:
    """Whatever the coefficients are. But from 16 rows of flip-flops to a macro a register file may become smaller."""
    values: tuple[Any, ...] = {**space.values, "activation_table": (0, 1)}[field]
    for place, config in enumerate(drawn(space, 40, 5)):
        row = [replace(config, **{field: value}) for value in values]
        row = [other for other in row if not check(other)]
        if field == "register_file_kb":
            row = [other for other in row if 2 * other.weight_rows > 16]
        fits = made_up_fits(made_up_fit(place, clock_mhz=space.clock_mhz))
        totals = [fitted_area(other, fits).total for other in row]
        assert totals == sorted(totals), (config, field)


def test_a_clock_takes_the_fit_of_the_lowest_that_is_as_high() -> None:
    assert [FITS.cells(clock).clock_mhz for clock in (100, 200, 201, 800, 1000)] == [
        200, 200, 800, 800, 800,
    ]  # fmt: skip
    with pytest.raises(DesignFileError, match=r"^silicon fits must have standard cells: run .*$"):
        made_up_fits(made_up_fit(1, "ecp5", 0)).cells(200)
    message = (
        r"^silicon fits must have target xilinx, not ecp5: "
        r"run cosilico calibrate --area --target xilinx$"
    )
    with pytest.raises(DesignFileError, match=message):
        made_up_fits(made_up_fit(1, "ecp5", 0)).fpga("xilinx")


def test_a_module_that_no_sample_had_is_named() -> None:
    fit = made_up_fit(1, clock_mhz=200)
    without = {kind: module for kind, module in fit.modules.items() if kind != "weight_store"}
    fits = made_up_fits(replace(fit, modules=without))
    assert fitted_area(TINY.default, fits).total > 0
    message = (
        r"^silicon fit of cells must have module 'weight_store', which no accelerator that it was "
        r"fitted to has: run cosilico calibrate --area with more spaces$"
    )
    with pytest.raises(DesignFileError, match=message):
        fitted_area(replace(TINY.default, weight_store_kb=16), fits)


def test_other_cells_make_macros_larger() -> None:
    fit = made_up_fit(1, clock_mhz=200)
    grown = fitted_area(TINY.default, made_up_fits(replace(fit, feature_nm=90))).local_memory
    assert grown == pytest.approx(
        4 * fitted_area(TINY.default, made_up_fits(fit)).local_memory, rel=1e-12
    )


def test_a_file_comes_back_and_a_stale_one_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "fits.json"
    silicon_fit.save(FITS, file)
    assert silicon_fit.load(file) == FITS
    FITS.require_hash(GATEWARE)
    message = (
        r"^silicon was fitted to gateware 000000000000, but the gateware is 111111111111: "
        r"run cosilico calibrate --area$"
    )
    with pytest.raises(StaleCalibrationError, match=message):
        FITS.require_hash("1" * 64)


def test_what_a_file_must_not_have_is_named(tmp_path: Path) -> None:
    def refused(path: tuple[Any, ...], value: Any) -> str:
        document = json.loads(json.dumps(FITS.to_json()))
        place = document
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        file = tmp_path / "f.json"
        file.write_text(json.dumps(document), encoding="utf-8")
        with pytest.raises(DesignFileError) as caught:
            silicon_fit.load(file)
        return str(caught.value).replace(str(file), "f.json")

    modules = ("fits", 0, "modules")
    assert refused(("schema",), 2) == "silicon fits f.json: schema must be 1, not 2"
    assert (
        refused((*modules, "chip"), {"coefficients": {}, "errors": {}})
        == "silicon fits f.json: fits.fits[0].modules must have kinds of modules, not 'chip'"
    )
    assert refused((*modules, "life", "coefficients", AREA, "lanes"), 1.0) == (
        "silicon fits f.json: fits.fits[0].modules.life: feature must be one of one, not 'lanes'"
    )
    assert refused((*modules, "life", "coefficients", "watts"), {}) == (
        "silicon fits f.json: fits.fits[0].modules.life: figure must be one of area_um2, "
        "leakage_uw, clock_pj, lut, flip_flop, dsp, block_ram, not 'watts'"
    )
    assert "must be a number in 0" in refused((*modules, "life", "coefficients", AREA, "one"), -1.0)
    assert refused(("fits", 1, "target"), "other") == (
        "silicon fits f.json: fits.fits must be of one library of standard cells, "
        "not cells and other"
    )
    assert refused(("seed",), "x").startswith("silicon fits f.json: fits.seed must be an integer")


def test_features_of_modules_are_known() -> None:
    assert all(name in FEATURES for module in MODULES for name in module.features)
    assert len({module.kind for module in MODULES}) == len(MODULES)
    with pytest.raises(KeyError, match="chip"):
        silicon_fit.module_features("chip")
    assert ModuleFit(coefficients={}, errors={}).coefficients == {}


Taken = dict[tuple[int, int], tuple[float, float]]
"""Cells of look-up tables and blocks by rows and bits."""


def test_memories_of_an_fpga_are_tables_or_blocks() -> None:
    """As Yosys 0.70 maps them, each measured with ``cosilico synthesize``'s flow."""

    def taken(target: str, ports: int, rows: int, width: int) -> tuple[float, float]:
        features = shape_features(FPGA_MEMORIES[ports - 1], width, rows, target)
        return features["table_cells"], features["blocks"]

    ecp5: Taken = {(8, 160): (40, 0), (16, 64): (16, 0), (24, 128): (64, 0), (32, 64): (32, 0)}
    ecp5 |= {(64, 64): (0, 2), (112, 128): (0, 4), (128, 32): (0, 1), (240, 128): (0, 4)}
    ecp5 |= {(1024, 64): (0, 4), (2048, 32): (0, 4), (4096, 32): (0, 8), (3000, 64): (0, 12)}
    xilinx: Taken = {(8, 160): (27, 0), (16, 64): (11, 0), (24, 128): (22, 0), (32, 64): (11, 0)}
    xilinx |= {(64, 64): (22, 0), (112, 128): (0, 2), (240, 128): (0, 2)}
    # With a single port
    ecp5_single: Taken = {(32, 32): (16, 0), (64, 32): (0, 1), (64, 64): (0, 2), (128, 32): (0, 1)}
    ecp5_single |= {(512, 64): (0, 2), (1024, 64): (0, 4), (1024, 32): (0, 2), (2048, 64): (0, 8)}
    ecp5_single |= {(4096, 32): (0, 8), (512, 128): (0, 4), (256, 256): (0, 8)}
    xilinx_single: Taken = {
        (32, 32): (4, 0),
        (64, 32): (8, 0),
        (64, 64): (16, 0),
        (128, 32): (16, 0),
    }
    xilinx_single |= {
        (128, 64): (32, 0),
        (128, 256): (128, 0),
        (256, 32): (0, 0.5),
        (256, 64): (0, 1),
    }
    for target, ports, known in (
        ("ecp5", 2, ecp5),
        ("xilinx", 2, xilinx),
        ("ecp5", 1, ecp5_single),
        ("xilinx", 1, xilinx_single),
    ):
        assert {shape: taken(target, ports, *shape) for shape in known} == known
    features = shape_features(FLIP_FLOP_MEMORY, 160, 8, "cells")
    assert features == {"bits": 1280, "width": 160, "rows": 8}


def test_a_shipped_fit_is_the_area_that_all_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [*ANY[::17], TINY.default]
    monkeypatch.setattr(silicon_fit, "shipped", lambda: FITS)
    totals = [area_model.area(config).total for config in points]
    assert totals == [fitted_area(config, FITS).total for config in points]
    assert area_model.areas(points).tolist() == totals
    # A fit of an FPGA alone says nothing about areas
    monkeypatch.setattr(silicon_fit, "shipped", lambda: made_up_fits(made_up_fit(1, "ecp5", 0)))
    with pytest.raises(DesignFileError, match="silicon fits must have standard cells"):
        area_model.area(TINY.default)


def test_a_file_that_is_shipped_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.cost.silicon_fit.resources.files", lambda package: tmp_path)
    silicon_fit.shipped.cache_clear()
    try:
        message = (
            r"^silicon fits must be in sim/cost/silicon_fits.json: run cosilico calibrate --area$"
        )
        with pytest.raises(DesignFileError, match=message):
            silicon_fit.shipped()
        silicon_fit.save(FITS, tmp_path / silicon_fit.DEFAULT_FILE)
        assert silicon_fit.shipped() == FITS
    finally:
        silicon_fit.shipped.cache_clear()


def test_above_the_clock_of_all_macros_the_fastest_are_taken() -> None:
    fast = replace(TINY.default, clock_mhz=5000, io_bandwidth_gbps=20)
    assert [violation.code for violation in check(fast)] == ["PHYS_CLOCK"]
    limit = highest_mhz(MemoryCells.HIGH_PERFORMANCE)
    at_limit = replace(fast, clock_mhz=limit)
    assert fitted_area(fast, FITS).local_memory == fitted_area(at_limit, FITS).local_memory


def test_nothing_is_negative() -> None:
    parts = fitted_areas(ConfigColumns.of(ANY), FITS)
    assert all(np.all(values >= 0) for values in parts.values())

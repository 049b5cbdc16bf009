"""Energy of runs by module and activity: the sums, the fit, its errors and its file."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from energy_fits import made_up_energy, made_up_energy_fits, made_up_run
from hwgen.emit import emit_modules
from hwgen.module_names import module_kind
from silicon_fits import made_up_fits
from sim.cost import energy as asked
from sim.cost import energy_fit, silicon_fit
from sim.cost.config_columns import FEW, ConfigColumns
from sim.cost.energy import energies
from sim.cost.energy_activities import ACTIVITIES
from sim.cost.energy_parts import Activity, Work
from sim.cost.external_interface import ExternalInterface, interface_class
from sim.cost.fitted_energy import fitted_energies, fitted_energy
from sim.cost.silicon_modules import MODULES, macro_memories
from sim.cost.silicon_shapes import FIFO
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import DesignFileError, StaleCalibrationError
from sim.spec.spaces import EDGE, TINY
from testbench.power.fitting import direct_parts, fit_energy, memory_name
from testbench.power.samples import EnergySample

SILICON = made_up_fits()
FITS = made_up_energy_fits()


def totals(seed: int) -> dict[str, int]:
    """Totals of a run, at random."""
    rng = np.random.default_rng(seed)
    busy = int(rng.integers(1000, 5000))
    return {
        "cycle": busy + int(rng.integers(100, 3000)),
        "busy": busy,
        "mac": int(rng.integers(10_000, 500_000)),
        "result": int(rng.integers(1000, 50_000)),
        "read": int(rng.integers(1000, 30_000)),
        "write": int(rng.integers(100, 3000)),
        "store": int(rng.integers(0, 20_000)),
        "descriptor": int(rng.integers(100, 10_000)),
    }


def activity(of: dict[str, int]) -> Activity:
    return Activity(
        total_cycles=of["cycle"],
        execute_busy=of["busy"],
        read_bytes=of["read"],
        write_bytes=of["write"],
        store_bytes=of["store"],
        descriptor_bytes=of["descriptor"],
        layers=(Work(macs=of["mac"], results=of["result"]),),
    )


CONFIGS = [
    TINY.default,
    replace(TINY.default, pes_x=1, simd_units=4, weight_store_kb=64, activation_table=1),
    replace(TINY.default, compute_lanes=4, io_bandwidth_gbps=3.2, register_file_kb=1),
    EDGE.default,
    replace(EDGE.default, simd_units=32, weight_store_kb=0, register_file_kb=8),
]


def run(config: AcceleratorConfig, seed: int) -> EnergySample:
    clock = config.clock_mhz
    return made_up_run(config, totals(seed), FITS.cells(clock), SILICON.cells(clock))


@pytest.mark.parametrize("place", range(len(CONFIGS)))
def test_the_energy_on_the_chip_is_the_sum_over_modules_and_memories(place: int) -> None:
    config = CONFIGS[place]
    expected = direct_parts(run(config, place))
    breakdown = fitted_energy(config, activity(totals(place)), FITS, SILICON)
    for part, value in expected.items():
        assert getattr(breakdown, part) == pytest.approx(value), part
    assert breakdown.total - breakdown.external_memory == pytest.approx(sum(expected.values()))


def test_memories_of_other_cells_are_as_fast_as_these_need_them() -> None:
    """Macros of 90 nm take twice the time, so that those that the clock asks for are faster by themselves."""
    coarse = replace(SILICON, fits=[replace(fit, feature_nm=90) for fit in SILICON.fits])
    own = totals(7)
    expected = direct_parts(made_up_run(EDGE.default, own, FITS.cells(800), coarse.cells(800)))
    breakdown = fitted_energy(EDGE.default, activity(own), FITS, coarse)
    assert breakdown.local_memory == pytest.approx(expected["local_memory"])
    assert breakdown.local_memory != pytest.approx(
        fitted_energy(EDGE.default, activity(own), FITS, SILICON).local_memory
    )


@pytest.mark.parametrize("number", [len(CONFIGS), FEW + 1])
def test_many_accelerators_take_what_each_takes(number: int) -> None:
    configs = [CONFIGS[place % len(CONFIGS)] for place in range(number)]
    runs = [totals(seed) for seed in range(number)]
    columns = {name: np.array([own[name] for own in runs]) for name in runs[0]}
    together = fitted_energies(ConfigColumns.of(configs), columns, FITS, SILICON)
    alone = [
        fitted_energy(config, activity(own), FITS, SILICON).total
        for config, own in zip(configs, runs, strict=True)
    ]
    assert together.tolist() == alone


def test_a_run_of_twice_everything_takes_twice_as_much() -> None:
    once = totals(3)
    twice = {name: 2 * value for name, value in once.items()}
    for config in CONFIGS:
        least, most = (
            fitted_energy(config, activity(own), FITS, SILICON).total for own in (once, twice)
        )
        assert most == pytest.approx(2 * least)


@pytest.mark.parametrize("more", ACTIVITIES)
def test_more_work_never_takes_less(more: str) -> None:
    before = totals(4)
    after = before | {more: before[more] + 1000}
    for config in CONFIGS:
        least, most = (
            fitted_energy(config, activity(own), FITS, SILICON).total for own in (before, after)
        )
        assert most > least or (more == "store" and not config.weight_store_kb)


def test_external_memory_is_priced_by_its_class() -> None:
    assert interface_class(TINY.default.io_bandwidth_gbps) is ExternalInterface.HYPERBUS
    assert interface_class(EDGE.default.io_bandwidth_gbps) is ExternalInterface.LPDDR4
    per_byte = {}
    for config in (TINY.default, EDGE.default):
        idle = activity(dict.fromkeys(ACTIVITIES, 0) | {"read": 900, "descriptor": 100})
        per_byte[config.clock_mhz] = (
            fitted_energy(config, idle, FITS, SILICON).external_memory / 1000
        )
    # 31.25 and 40.5 pJ per bit of HyperBus, 1.83 and 9.21 of LPDDR4 (docs/explanation/cost.md)
    assert per_byte[200] == pytest.approx(8 * (31.25 + 40.5))
    assert per_byte[800] == pytest.approx(8 * (1.83 + 9.21))


def test_a_fit_finds_what_runs_were_made_of_and_knows_its_errors() -> None:
    fit = made_up_energy(1, 200)
    cells = SILICON.cells(200)
    runs = [
        made_up_run(config, totals(10 * seed + place), fit, cells)
        for place, config in enumerate(CONFIGS[:3])
        for seed in range(8)
    ]
    solved = fit_energy(runs[:16], runs[16:], SILICON, flow="0" * 64)
    assert solved.clock_mhz == 200
    assert solved.held_out["total"].samples == 8
    assert solved.held_out["total"].worst < 1e-3
    assert solved.fitted["total"].worst < 1e-3
    simd = solved.switching["simd_unit"]
    assert simd["mac"] == pytest.approx(fit.switching["simd_unit"]["mac"], rel=1e-3)
    accesses = solved.memories["local_memory"].reads
    assert accesses["busy"] == pytest.approx(fit.memories["local_memory"].reads["busy"], rel=1e-2)
    # Runs that take a tenth more than others like them are judged as they are
    modules = [
        replace(module, switching_pj=1.5 * module.switching_pj, clock_pj=1.5 * module.clock_pj)
        for module in runs[20].energy.modules
    ]
    odd = replace(runs[20], energy=replace(runs[20].energy, modules=modules))
    judged = fit_energy(runs[:16], [odd], SILICON, flow="0" * 64)
    whole, before = (sum(direct_parts(own).values()) for own in (odd, runs[20]))
    assert judged.held_out["total"].mean == pytest.approx(1 - before / whole, abs=1e-3)


def test_memories_are_known_by_module_and_name() -> None:
    assert memory_name("lane", "ring.bank_3") == "window_rings"
    assert memory_name("pe", "bank_12") == "local_memory"
    assert memory_name("lane", "register_file") == "register_files"
    with pytest.raises(KeyError):
        memory_name("lane", "bank_0")


def test_every_memory_of_an_accelerator_has_a_name() -> None:
    """A word of Verilog has another name as an instance: the activation table."""
    config = replace(TINY.default, activation_table=1, weight_store_kb=64)
    emission = emit_modules(config)
    modules = {module.name: module for module in emission.modules}
    memories = {memory.name for memory in emission.memories}
    kinds = {module.kind for module in MODULES}

    def kind_of(module: str) -> str:
        return module_kind(module.removesuffix(f"_{config.fingerprint:08x}"))

    def named(module: str, kind: str, before: str) -> Iterator[str]:
        """Names of the memories in a module, and in those below that are of its kind."""
        for instance in modules[module].instances:
            if instance.module in memories:
                yield memory_name(kind, before + instance.name)
            elif kind_of(instance.module) not in kinds | {FIFO}:
                yield from named(instance.module, kind, f"{before}{instance.name}.")

    own = [name for name in modules if kind_of(name) in kinds]
    names = {name for module in own for name in named(module, kind_of(module), "")}
    assert names == set(macro_memories())


def test_a_file_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "fits.json"
    energy_fit.save(FITS, path)
    assert energy_fit.load(path) == FITS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("switching", {"abacus": {"busy": 1.0}}),
            r"^energy fits .*: fits\.fits\[0\]\.switching must have kinds of modules, not 'abacus'$",
        ),
        (
            ("switching", {"lane": {"sleep": 1.0}}),
            r"^energy fits .*\.switching\.lane: activity must be one of cycle, .*, not 'sleep'$",
        ),
        (
            ("memories", {"bus": {"reads": {}, "writes": {}}}),
            r"^energy fits .*\.memories must have memories \(requantizers, .*\), not 'bus'$",
        ),
        (
            ("switching", {"lane": {"busy": -1.0}}),
            r"^energy fits .*switching\.lane\.busy must be a number in 0 … .*, not -1\.0$",
        ),
    ],
)
def test_a_file_with_other_names_is_refused(
    change: tuple[str, object], message: str, tmp_path: Path
) -> None:
    record = FITS.to_json()
    record["fits"][0][change[0]] = change[1]
    path = tmp_path / "fits.json"
    path.write_text(json.dumps(record))
    with pytest.raises(DesignFileError, match=message):
        energy_fit.load(path)


def test_a_fit_of_another_gateware_is_refused() -> None:
    message = r"^energy was fitted to gateware 000000000000, but the gateware is 111111111111: "
    with pytest.raises(StaleCalibrationError, match=message + "run cosilico calibrate --energy$"):
        FITS.require_hash("1" * 64)


def test_a_shipped_fit_is_the_energy_that_all_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    of = activity(totals(5))
    arrays = {name: np.array([value]) for name, value in totals(5).items()}
    monkeypatch.setattr(energy_fit, "shipped", lambda: FITS)
    monkeypatch.setattr(silicon_fit, "shipped", lambda: SILICON)
    fitted = fitted_energy(TINY.default, of, FITS, SILICON)
    assert asked.energy(TINY.default, of) == fitted
    (alone,) = energies(
        [TINY.default],
        cycles=arrays["cycle"],
        execute_busy=arrays["busy"],
        read_bytes=arrays["read"],
        write_bytes=arrays["write"],
        store_bytes=arrays["store"],
        descriptor_bytes=arrays["descriptor"],
        macs=totals(5)["mac"],
        results=totals(5)["result"],
    )
    assert alone == fitted.total
    assert min(getattr(fitted, name) for name in ("requantizers", "control", "leakage")) > 0


def test_no_energy_without_a_file_that_is_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sim.cost.energy_fit.resources.files", lambda package: tmp_path)
    energy_fit.shipped.cache_clear()
    try:
        message = (
            r"^energy fits must be in sim/cost/energy_fits.json: run cosilico calibrate --energy$"
        )
        with pytest.raises(DesignFileError, match=message):
            energy_fit.shipped()
        energy_fit.save(FITS, tmp_path / energy_fit.DEFAULT_FILE)
        assert energy_fit.shipped() == FITS
    finally:
        energy_fit.shipped.cache_clear()

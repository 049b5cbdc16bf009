"""Highest power of accelerators: no run takes more, and as a budget it is a rule of realizability."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cosilico
from cosilico.cli import main
from cosilico.joint.space import SpaceRecord, space_of
from search.space_settings import HardwareSpaceSettings, load_space_file
from sim.cost.costs import accelerator_violations, evaluate_many
from sim.cost.energy import Activity, energy
from sim.cost.power import peak_power
from sim.networks.named import named_network
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.limits import Limits
from sim.spec.spaces import EDGE, TINY, HardwareSpace

SPACE = """
[hardware]
space = "tiny"
name = "few"
power_budget_mw = {budget}

[hardware.values]
pes_x = [1, 2]
pes_y = [2]
simd_units = [8]
compute_lanes = [2]
local_memory_kb = [16]
register_file_kb = [4]
io_bandwidth_gbps = [0.8, 3.2]
weight_store_kb = [0, 64]
activation_table = [0]
"""


@pytest.mark.parametrize("space", [TINY, EDGE], ids=["tiny", "edge"])
@pytest.mark.parametrize("name", ["ds_cnn", "autoencoder", "resnet8"])
def test_no_run_takes_more(space: HardwareSpace, name: str) -> None:
    random = np.random.default_rng(6)
    configs = [space.at(int(i)) for i in random.integers(len(space), size=60)]
    table = evaluate_many(configs, named_network(name), columns=("cycles", "energy", "write_bytes"))
    rows = np.flatnonzero(table.realizable)
    assert len(rows) > 10
    powers = [peak_power(configs[row]) for row in rows]
    # pJ for each µs are µW; the external memory and its interface are in the run's energy, but not in the power
    means = table["energy"][rows] / table["cycles"][rows] * space.clock_mhz * 1e-3
    for row, power, mean in zip(rows, powers, means, strict=True):
        own = cosilico.predict(named_network(name), configs[row])
        external = external_power(own)
        assert 0 < mean - external < power, configs[row]


def external_power(run: cosilico.PredictedRun) -> float:
    """Mean power of the external memory and its interface, mW."""
    picojoules = energy(run.accelerator, run.prediction).external_memory
    return picojoules / run.cycles * run.accelerator.clock_mhz * 1e-3


def test_what_works_more_takes_more() -> None:
    for config in (TINY.default, EDGE.default):
        power = peak_power(config)
        assert peak_power(replace(config, pes_x=2 * config.pes_x)) > 1.5 * power
        assert peak_power(replace(config, compute_lanes=1)) < power
        assert peak_power(replace(config, io_bandwidth_gbps=config.io_bandwidth_gbps / 2)) < power
    stored = replace(TINY.default, weight_store_kb=64)
    assert peak_power(stored) > peak_power(TINY.default)


def test_every_column_may_read_a_row_of_the_store_in_a_cycle() -> None:
    """A run reads several in a mean cycle: seed 3 draws it. With a single row for all, its store alone was above the bound."""
    random = np.random.default_rng(3)
    configs = [EDGE.at(int(i)) for i in random.integers(len(EDGE), size=400)]
    table = evaluate_many(
        configs, named_network("autoencoder"), columns=("cycles", "store_bytes", "energy")
    )
    rows = [
        own / (cycles * config.row_bytes)
        for config, own, cycles in zip(configs, table.store_bytes, table.cycles, strict=True)
    ]
    assert max(rows) > 3
    for config, row in zip(configs, rows, strict=True):
        assert row <= config.pes_x
    config = configs[int(np.argmax(rows))]
    read = config.row_bytes << 16
    store = run_energy(config, store_bytes=read) - run_energy(config, store_bytes=0)
    fewer = peak_power(replace(config, weight_store_kb=0))
    assert peak_power(config) - fewer > config.pes_x * store / (1 << 16) * config.clock_mhz * 1e-3


def run_energy(config: AcceleratorConfig, *, store_bytes: int) -> float:
    """Energy of rows of the weight store beside nothing, pJ."""
    reads = Activity(
        total_cycles=0,
        execute_busy=0,
        read_bytes=0,
        write_bytes=0,
        store_bytes=store_bytes,
        descriptor_bytes=0,
        layers=(),
    )
    return energy(config, reads).total


def test_a_budget_of_power_is_a_rule() -> None:
    network = named_network("ds_cnn")
    configs = [TINY.at(i) for i in range(0, len(TINY), 4001)]
    powers = np.array([peak_power(config) for config in configs])
    budget = float(np.median(powers))
    free = evaluate_many(configs, network)
    limited = evaluate_many(configs, network, limits=Limits(power_mw=budget))
    for i, config in enumerate(configs):
        own = list(free.violations[i])
        if powers[i] > budget and not accelerator_violations(config):
            assert list(limited.violations[i]) == ["PHYS_POWER"]
            assert limited.excess[i] == pytest.approx(powers[i] / budget - 1)
        else:
            assert list(limited.violations[i]) == own
    broken = {code for codes in limited.violations for code in codes}
    assert "PHYS_POWER" in broken
    assert limited.realizable.any()


def test_a_space_has_it_and_its_files(tmp_path: Path) -> None:
    space = HardwareSpaceSettings(power_budget_mw=100.5, name="mild").hardware_space()
    assert space.limits == Limits(power_mw=100.5)
    document = json.loads(json.dumps(space.to_json()))
    assert document["power_budget_mw"] == 100.5
    assert space_of(SpaceRecord.model_validate(document), "space").limits == space.limits
    both = HardwareSpaceSettings(device="ecp5-85", power_budget_mw=7, dsps=3).hardware_space()
    document = json.loads(json.dumps(both.to_json()))
    again = space_of(SpaceRecord.model_validate(document), "space")
    assert again.limits == both.limits
    assert again.limits.fpga is not None
    assert HardwareSpaceSettings().hardware_space().limits == Limits()


def test_files_of_an_enumeration_know_the_limits(tmp_path: Path) -> None:
    """They knew none: an accelerator that no device holds was realizable, and the optimum could be it."""
    space = load_space_file(write_space(tmp_path, 1e9))
    powers = {config: peak_power(config) for config in space}
    budget = sorted(powers.values())[len(powers) // 2]
    file = write_space(tmp_path, budget)
    words = ["--space", str(file), "--out", str(tmp_path / "all.csv"), "--jobs", "1"]
    assert main(["enumerate", "ds_cnn", *words]) == 0
    lines = (tmp_path / "all.csv").read_text().splitlines()[1:]
    over = sum(power > budget for power in powers.values())
    assert 0 < over < len(lines) == len(powers)
    assert sum("PHYS_POWER" in line for line in lines) == over


def write_space(folder: Path, budget: float) -> Path:
    path = folder / "few.toml"
    path.write_text(SPACE.format(budget=repr(budget)))
    return path


def test_check_says_both_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    power = peak_power(TINY.default)
    assert main(["check", "ds_cnn", "--accelerator", "tiny", "--power", str(power * 1.01)]) == 0
    assert main(["check", "ds_cnn", "--accelerator", "tiny", "--power", "1"]) == 2
    said = capsys.readouterr().out
    assert f"power is up to {power:.4g} mW, but the budget is 1" in " ".join(said.split())
    assert "PHYS_POWER" in said


@pytest.mark.parametrize(("value", "kind"), [(0, ValueError), (-1.0, ValueError), ("5", TypeError)])
def test_a_budget_is_a_number_above_0(value: object, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=re.escape("power_budget_mw must be a number")):
        cosilico.check("ds_cnn", "tiny", power_budget_mw=value)  # type: ignore[arg-type]  # wrong on purpose

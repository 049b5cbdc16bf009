"""Every way through the project maps a pair once: calls of the mapper's kernel are counted."""

import runpy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosilico.cli import main
from cosilico.fuzz_formats import FORMATS
from hwgen.program import compile_design
from sim.arrays.schedule_columns import FIELD_HIGH
from sim.arrays.tables import COLUMNS
from sim.cost.costs import evaluate_many
from sim.mapping.mapper import plan_network
from sim.model import predict
from sim.networks.named import named_network
from sim.plan import map_network, network_tables
from sim.realizability import attempt, check, map_realizable, require
from sim.spec.design import Design, load
from sim.spec.errors import NotRealizableError
from sim.spec.spaces import NAHAS, TINY
from sim.spec.views import View
from testbench.cases.imported import draw_imported_group
from testbench.cases.random_networks import Case, draw_cases, draw_group
from testbench.cases.realizability import draw_realizability_group
from testbench.faults.recovery import Subject, small_network
from testbench.validation.random_pairs import every_memory, run_case
from testbench.validation.simulate import simulate

EXAMPLE = Path(__file__).parents[2] / "examples" / "handwritten" / "make_weights.py"


class Counter:
    """Calls of the mapper's kernel."""

    def __init__(self) -> None:
        self.calls = 0

    def taken(self) -> int:
        """Number of calls since it was last asked for."""
        calls, self.calls = self.calls, 0
        return calls


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Counter:
    counter = Counter()

    def counted(*arguments: Any) -> Any:
        counter.calls += 1
        return plan_network(*arguments)

    for caller in ("sim.plan", "sim.sweep", "sim.alike"):
        monkeypatch.setattr(f"{caller}.plan_network", counted)
    return counter


@pytest.fixture(scope="module")
def design_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("design")
    runpy.run_path(str(EXAMPLE))["main"](folder)
    return folder / "design.json"


def test_check_prediction_and_compilation_map_once(kernel: Counter, design_file: Path) -> None:
    design = load(design_file)
    pair = design.accelerator, design.network
    assert not check(*pair)
    assert kernel.taken() == 1
    require(*pair)
    assert kernel.taken() == 1
    predict(*pair)
    assert kernel.taken() == 1
    compile_design(design)
    assert kernel.taken() == 1


def test_a_configuration_alone_is_not_mapped(kernel: Counter) -> None:
    assert not check(TINY.default)
    require(TINY.default)
    assert kernel.taken() == 0


def test_a_network_with_two_forms_is_mapped_once_for_each_that_is_tried(kernel: Counter) -> None:
    network = named_network("mobilenet_v1_025")
    assert len(network_tables(network)) == 2
    map_network(NAHAS.default, network)
    tried = kernel.taken()
    assert tried <= 2
    map_realizable(NAHAS.default, network)
    assert kernel.taken() == tried
    predict(NAHAS.default, network)
    assert kernel.taken() == tried


@pytest.mark.parametrize("images", [1, 2])
def test_a_refused_pair_is_mapped_once_for_each_form_and_cut(kernel: Counter, images: int) -> None:
    network = named_network("ds_cnn")
    cuts = 1 if images == 1 else len(network.layers) + 1
    forms = len(network_tables(network))
    smallest = TINY.at(0)
    violations = check(smallest, network, images=images)
    assert [violation.code for violation in violations] == ["MAP_WEIGHTS"]
    assert kernel.taken() == forms * cuts
    with pytest.raises(NotRealizableError) as refused:
        predict(smallest, network, images=images)
    assert str(refused.value) == violations[0].detail
    assert kernel.taken() == forms * cuts


def test_a_refused_accelerator_of_a_table_is_mapped_once_for_each_form(kernel: Counter) -> None:
    network = named_network("ds_cnn")
    forms = len(network_tables(network))
    smallest = TINY.at(0)
    table = evaluate_many([smallest], network)
    assert kernel.taken() == forms
    [violation] = check(smallest, network)
    assert table.violations == [(violation.code,)]
    assert table.excess[0] == violation.excess


def test_a_value_that_overflows_is_said_without_a_second_mapping(
    kernel: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = small_network()
    config = replace(TINY.default, simd_units=32, register_file_kb=16)  # holds rows of windows
    high = FIELD_HIGH.copy()
    high[COLUMNS["out_address"]] = -1
    monkeypatch.setattr("sim.plan.FIELD_HIGH", high)
    monkeypatch.setattr("sim.alike.time_schedule", lambda *_, **__: (False, 0, 0, 0, 0, 0))
    table = evaluate_many([config], network)
    assert kernel.taken() == len(network_tables(network))
    [violation] = check(config, network)
    assert violation.code == "MAP_FIELD"
    assert table.violations == [(violation.code,)]
    assert table.excess[0] == violation.excess


@pytest.mark.parametrize(
    "draw", [draw_group, draw_imported_group, draw_realizability_group], ids=lambda f: f.__name__
)
def test_a_case_is_mapped_once_when_it_is_drawn(
    kernel: Counter, monkeypatch: pytest.MonkeyPatch, draw: Callable[..., list[Case]]
) -> None:
    tried: list[int] = []

    def recorded(*arguments: Any) -> Any:
        before = kernel.calls
        answer = attempt(*arguments)
        tried.append(kernel.calls - before)
        return answer

    for module in ("random_networks", "imported", "realizability"):
        monkeypatch.setattr(f"testbench.cases.{module}.attempt", recorded)
    cases = draw(1, 4, 4, TINY, 3)
    assert len(tried) >= len(cases) == 4
    assert kernel.taken() == sum(tried) > 0


@pytest.mark.parametrize("name", ["design", "accelerator"])
def test_a_file_of_the_fuzz_suite_is_mapped_once(
    kernel: Counter, tmp_path: Path, name: str
) -> None:
    kind = FORMATS[name]
    files = kind.base()
    for file, content in files.items():
        (tmp_path / file).write_bytes(content)
    value = kind.read(tmp_path / next(iter(files)))
    assert kind.judge(files, value) == ""
    assert kernel.taken() == 1


def test_generate_maps_once(kernel: Counter, design_file: Path, tmp_path: Path) -> None:
    assert main(["generate", str(design_file), "--out", str(tmp_path / "verilog")]) == 0
    assert kernel.taken() == 1


@pytest.mark.rtl
def test_simulation_maps_once(kernel: Counter, design_file: Path) -> None:
    assert simulate(load(design_file)).exact
    assert kernel.taken() == 1
    assert main(["simulate", str(design_file), "--images", "1", "--stalls", "1,2"]) == 0
    assert kernel.taken() == 1


@pytest.mark.rtl
@pytest.mark.long
def test_a_random_pair_is_mapped_once_for_all_memories(kernel: Counter) -> None:
    [case] = draw_cases(1, TINY, 3, max_macs=64)
    kernel.taken()
    map_network(case.config, case.network, case.batch)
    once = kernel.taken()
    outcome = run_case(case, others=every_memory(case.config, 1))
    assert outcome.passed
    assert len(outcome.comparisons) > 3
    assert kernel.taken() == once


@pytest.mark.rtl
def test_a_subject_of_damaged_programs_is_mapped_once(kernel: Counter) -> None:
    map_network(TINY.default, small_network())
    once = kernel.taken()
    Subject.of(TINY.default, View.SIMULATION)
    assert kernel.taken() == once


def test_a_plan_of_another_pair_is_refused(design_file: Path) -> None:
    design = load(design_file)
    mapped = map_realizable(design.accelerator, design.network)
    other = Design(network=small_network(), accelerator=design.accelerator)
    with pytest.raises(ValueError, match=r"^mapped must be of the design that is simulated$"):
        simulate(other, mapped=mapped)
    with pytest.raises(ValueError, match=r"^mapped must be of 2 images, not 1$"):
        simulate(design, batch=2, mapped=mapped)


def test_a_plan_knows_its_pair(design_file: Path) -> None:
    design = load(design_file)
    mapped = map_realizable(design.accelerator, design.network, 2)
    assert mapped.config is design.accelerator
    assert mapped.source is design.network
    assert mapped.images == 2
    np.testing.assert_array_equal(
        mapped.rows, map_network(design.accelerator, design.network, 2).rows
    )

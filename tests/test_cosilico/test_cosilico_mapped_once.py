"""Every way through the project maps a pair once: calls of the mapper's kernel are counted."""

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosilico.cli import main
from hwgen.program import compile_design
from sim.mapping.mapper import plan_network
from sim.model import predict
from sim.networks.named import named_network
from sim.plan import map_network, network_tables
from sim.realizability import check, map_realizable, require
from sim.spec.design import Design, load
from sim.spec.errors import NotRealizableError
from sim.spec.spaces import EDGE, TINY
from sim.spec.views import View
from testbench.cases.random_networks import draw_cases
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

    monkeypatch.setattr("sim.plan.plan_network", counted)
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
    map_network(EDGE.default, network)
    tried = kernel.taken()
    assert tried <= 2
    map_realizable(EDGE.default, network)
    assert kernel.taken() == tried
    predict(EDGE.default, network)
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

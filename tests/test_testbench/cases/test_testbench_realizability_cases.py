"""Verdicts of the check on random pairs: generator and compiler do what it says."""

from collections import Counter
from functools import cache
from itertools import chain

import pytest

from hwgen import emit
from sampled import sampled
from sim.networks.named import NAMED_NETWORKS
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.errors import NotRealizableError
from sim.spec.spaces import EDGE, HARDWARE_SPACES, TINY, HardwareSpace
from testbench.cases.realizability import (
    ODD_GROUPS,
    POINTS_PER_CONFIG,
    RealizabilityCase,
    draw_realizability_group,
)
from testbench.validation.random_pairs import DRAWS, try_case, validate_random

GROUPS = 24


def draw(group: int, space: str = "tiny", max_macs: int | None = None) -> list[RealizabilityCase]:
    cases = draw_realizability_group(
        group, group * POINTS_PER_CONFIG, POINTS_PER_CONFIG, HARDWARE_SPACES[space], 3,
        max_macs=max_macs,
    )  # fmt: skip
    return [case for case in cases if isinstance(case, RealizabilityCase)]


@cache
def small() -> list[RealizabilityCase]:
    """Pairs of several verdicts whose accelerators are emitted and built quickly."""
    return list(chain.from_iterable(draw(group, max_macs=64) for group in (0, 4, 8)))


@pytest.mark.parametrize("space", HARDWARE_SPACES)
def test_pairs_of_all_verdicts_are_drawn(space: str) -> None:
    groups = [draw(group, space) for group in range(GROUPS)]
    cases = list(chain.from_iterable(groups))
    verdicts = Counter(case.verdict for case in cases)
    assert len(cases) == GROUPS * POINTS_PER_CONFIG
    assert verdicts["realizable"] > len(cases) // 2
    assert any(name.startswith("GEN") for name in verdicts)
    assert any(name.startswith("MAP") for name in verdicts)
    assert {case.network.name for case in cases} >= set(NAMED_NETWORKS)
    for group in groups:
        assert len({case.config for case in group}) == 1
        assert sum(case.simulated for case in group) <= 1
        assert all(case.verdict == "realizable" for case in group if case.simulated)
    assert sum(case.simulated for case in cases) >= GROUPS // 3


@pytest.mark.parametrize("space", [TINY, EDGE], ids=lambda space: space.name)
def test_some_accelerators_are_not_of_the_space(space: HardwareSpace) -> None:
    def inside(config: AcceleratorConfig) -> bool:
        try:
            space.indices(config)
        except ValueError:
            return False
        return True

    drawn = [inside(draw(group, space.name)[0].config) for group in range(GROUPS)]
    assert 0 < drawn.count(False) <= GROUPS // ODD_GROUPS


def test_a_seed_draws_the_same() -> None:
    def summary(cases: list[RealizabilityCase]) -> list[tuple[object, ...]]:
        return [(case.config, case.network.name, case.network.macs, case.batch) for case in cases]

    assert summary(draw(5)) == summary(draw(5))
    assert summary(draw(5)) != summary(draw(6))


@pytest.mark.rtl
@pytest.mark.parametrize("every", sampled([False, True], lambda every: not every))
def test_the_verdicts_hold(every: bool) -> None:
    """Of all pairs, or of one of each verdict and of what is simulated."""
    cases = {case.verdict: case for case in small()}
    cases |= {case.verdict: case for case in small() if case.simulated}
    for case in small() if every else cases.values():
        outcome = try_case(case)
        assert outcome.passed, outcome.failure
        assert (outcome.comparison is not None) == case.simulated
        assert outcome.to_json()["verdict"] == case.verdict
    assert {"realizable", "MAP_WEIGHTS", "GEN_WIDTH"} <= {case.verdict for case in small()}
    assert sum(case.simulated for case in small()) == 1


@pytest.mark.rtl
@pytest.mark.long
def test_validation_tries_them() -> None:
    """Long: a pair of each verdict is tried, and other pairs are validated."""
    outcomes = list(validate_random(4, TINY, 3, draw=DRAWS["realizability"], max_macs=64, jobs=2))
    assert sorted(outcome.case.index for outcome in outcomes) == [0, 1, 2, 3]
    assert all(outcome.passed for outcome in outcomes)


def of(verdict: str) -> RealizabilityCase:
    """First small pair on which the check gives a verdict."""
    return next(case for case in small() if case.verdict == verdict)


def test_a_compiler_that_refuses_is_a_false_accept(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise NotRealizableError("no room")

    monkeypatch.setattr("testbench.cases.realizability.compile_design", refuse)
    line = "by the check all agree; in fact compiler refuses: no room"
    assert of("realizable").contradiction() == line
    assert not try_case(of("realizable")).passed


def test_a_compiler_that_breaks_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> None:
        raise ZeroDivisionError("tiles")

    monkeypatch.setattr("testbench.cases.realizability.compile_design", broken)
    assert try_case(of("realizable")).failure == "ZeroDivisionError: tiles"


def test_a_generator_that_refuses_is_a_false_accept(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise NotRealizableError("no room")

    monkeypatch.setattr("testbench.cases.realizability.emit_once", refuse)
    line = "by the check all agree; in fact generator refuses: no room"
    assert of("realizable").contradiction() == line


def test_a_compiler_that_takes_what_the_check_forbids_is_a_false_reject(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("testbench.cases.realizability.compile_design", lambda *arguments: None)
    contradiction = of("MAP_WEIGHTS").contradiction()
    assert contradiction.startswith("by the check compiler refuses: weights of layer ")
    assert contradiction.endswith("; in fact all agree")


def test_the_generator_refuses_by_the_check() -> None:
    """A bus wider than a register-file row was elaborated."""
    case = draw(12, max_macs=64)[0]
    assert [v.code for v in case.violations] == ["GEN_BUS"]
    assert case.contradiction() == ""
    for generate in (emit.emit, emit.emit_grid):
        with pytest.raises(NotRealizableError, match=r"^io_bandwidth_gbps needs a bus of "):
            generate(case.config)

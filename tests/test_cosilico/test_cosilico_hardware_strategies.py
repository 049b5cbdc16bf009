"""Hardware searches by their labels, from the command line as well."""

from pathlib import Path
from typing import Any

import pytest

from cosilico import flow, summary
from cosilico.cli import main
from cosilico.hardware_strategies import (
    default_strategy,
    hardware_strategy,
    strategy_options,
)
from search.strategies import HARDWARE_SEARCHES
from search.strategies.baseline_settings import EvolutionSettings
from search.strategies.certified_settings import MOST_BOUNDED, CertifiedSettings
from search.strategies.hardware_settings import HardwareSettings
from sim.spec.errors import CosilicoError
from sim.spec.spaces import HARDWARE_SPACES


def test_a_label_is_a_name_and_a_polish(tmp_path: Path) -> None:
    agent = tmp_path / "agent.npz"
    agent.touch()
    agent_settings = hardware_strategy("hardware+polish", metric="edp", wanted_by="a test")
    assert agent_settings == HardwareSettings(metric="edp")
    for name in HARDWARE_SEARCHES:
        label = f"amortized:{agent}" if name == "amortized" else name
        for polished in (False, True):
            settings = hardware_strategy(
                f"{label}{'+polish' * polished}", metric="energy", budget=70, wanted_by="a test"
            )
            assert (settings.strategy, settings.polish) == (name, polished)
            assert (settings.metric, settings.budget) == ("energy", 70)
            shown = label.replace(str(agent), agent.name) + "+polish" * polished
            words = f"--strategy {shown} --metric energy --budget 70"
            assert strategy_options(settings) == words
    assert strategy_options(agent_settings) == "--strategy hardware+polish --metric edp"
    with pytest.raises(CosilicoError, match=r"^strategy must be one of .*, not 'random\+'$"):
        hardware_strategy("random+", metric="edp", wanted_by="a test")
    with pytest.raises(ValueError, match=r"^budget must be an integer in 0 … 100000000, not -1$"):
        hardware_strategy("hardware", metric="edp", budget=-1, wanted_by="a test")


def test_a_space_that_can_be_bounded_is_searched_with_a_proof() -> None:
    sizes = {name: len(space) for name, space in HARDWARE_SPACES.items()}
    assert sizes["tiny"] <= MOST_BOUNDED < sizes["edge"]
    for name, space in HARDWARE_SPACES.items():
        wanted = "certified" if sizes[name] <= MOST_BOUNDED else "evolution"
        assert default_strategy(space) == wanted


def test_the_command_runs_with_the_strategy_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: list[Any] = []

    def record(*arguments: Any, **options: Any) -> dict[str, Any]:
        given.append(options["settings"])
        return {}

    monkeypatch.setattr(flow, "run_network_flow", record)
    monkeypatch.setattr(summary, "print_summary", lambda results, out: None)
    command = ["run", "--network", "ds_cnn", "--out", str(tmp_path / "out")]
    assert main(command) == 0
    assert main([*command, "--space", "edge"]) == 0
    words = ["--strategy", "evolution+polish", "--metric", "edp", "--budget", "200"]
    assert main([*command, *words]) == 0
    assert given == [
        CertifiedSettings(),
        EvolutionSettings(),
        EvolutionSettings(metric="edp", budget=200, polish=True),
    ]
    capsys.readouterr()
    assert main([*command, "--metric", "speed"]) == 2
    line = "--metric must be one of latency, edp, energy, area, not 'speed'"
    assert capsys.readouterr().err == f"cosilico: {line}\n"
    assert main([*command, "--strategy", "greedy"]) == 2
    assert "strategy must be one of hardware, " in capsys.readouterr().err
    for word in ("--strategy=random", "--metric=edp", "--budget=50"):
        assert main(["run", "experiment.toml", "--out", str(tmp_path / "out"), word]) == 2
        assert "run must be given either EXPERIMENT" in capsys.readouterr().err

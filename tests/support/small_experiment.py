"""The smallest experiment that has all stages; benchmarks/lowest.py runs it, too."""

from project_root import ROOT

__all__ = ["SMALL_EXPERIMENT"]

SMALL_EXPERIMENT = (ROOT / "tests" / "support" / "small_experiment.toml").read_text(
    encoding="utf-8"
)
"""Its text; further sections may be put behind it."""

"""Co-searches that take a second or two: few images, small networks, few accelerators."""

from dataclasses import fields
from typing import Any

from search.experiment import Experiment, TrainSettings
from search.networks.settings import NetworkSettings, StageSettings
from search.space_settings import HardwareSpaceSettings, ValuesSettings
from search.strategies import CO_SEARCHES
from search.strategies.settings import CoSearchSettings
from search.tasks.digits_settings import DigitsSettings

__all__ = ["NETWORK", "small_experiment", "small_settings"]

SMALL_FIELDS = {
    "budget": 24,
    "warmup_epochs": 1,
    "pretraining_updates": 1,
    "networks_per_update": 2,
    "rounds": 2,
    "episodes": 5,
    "hardware_samples": 3,
    "child_epochs": 1,
    "refine_samples": 4,
    "epochs": 2,
    "updates_per_round": 1,
    "refine_updates": 2,
    "designs_per_update": 8,
    "population": 6,
    "sample": 3,
    "samples": 12,
    "samples_per_update": 4,
    "proxy_epochs": 1,
    "labels": 10,
    "cost_epochs": 3,
    "candidates": 4,
    "refine_rounds": 1,
    "trials_per_update": 4,
}
"""Values of settings by their names, for every strategy that has them."""

NETWORK = NetworkSettings(
    stages=(
        StageSettings(widths=(8, 16), blocks=1, stride=2),
        StageSettings(widths=(16, 24), blocks=2, stride=2),
    ),
    expansions=(1, 2),
    heads=(0, 16),
)
"""Networks of two or three blocks."""


def small_settings(strategy: str, **given: Any) -> CoSearchSettings:
    """Settings of a registered co-search that make it short."""
    kind: Any = CO_SEARCHES[strategy].settings
    short = {
        entry.name: SMALL_FIELDS[entry.name] for entry in fields(kind) if entry.name in SMALL_FIELDS
    }
    made: CoSearchSettings = kind(**short | given)
    return made


def small_experiment(strategy: str, **sections: Any) -> Experiment:
    """Experiment of some hundred digits; ``sections`` take the place of its own."""
    given = {
        "task": DigitsSettings(test_images=800, validation_images=600),
        "network": NETWORK,
        "hardware": HardwareSpaceSettings(
            values=ValuesSettings(
                pes_x=(1, 2, 4), pes_y=(1, 2, 4), io_bandwidth_gbps=(0.4, 0.8), weight_store_kb=(0,)
            )
        ),
        "search": small_settings(strategy),
        "train": TrainSettings(epochs=1),
    }
    return Experiment(name="small", **given | sections)

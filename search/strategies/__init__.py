"""Search strategies by name: a strategy is a class in one file, and its registration here."""

from typing import TYPE_CHECKING

from search.registry import Registry
from search.strategies.amortized_settings import AmortizedSettings
from search.strategies.baseline_settings import (
    CmaesSettings,
    EvolutionSettings,
    ExhaustiveSettings,
    LocalSearchSettings,
    NsgaSettings,
    RandomSettings,
    TpeSettings,
)
from search.strategies.certified_settings import CertifiedSettings, FixedCertifiedSettings
from search.strategies.dna_settings import DnaHardwareSettings, DnaSettings
from search.strategies.hardware_settings import HardwareSettings
from search.strategies.joint_baseline_settings import (
    JointEvolutionSettings,
    JointLocalSearchSettings,
    JointNsgaSettings,
    JointRandomSettings,
    JointTpeSettings,
)
from search.strategies.nahas_settings import (
    NahasJointSettings,
    NahasOneshotSettings,
    NahasPhaseSettings,
)
from search.strategies.rhnas_settings import RhnasSettings
from search.strategies.settings import CoSearchSettings, StrategySettings
from search.strategies.two_level_settings import TwoLevelSettings

if TYPE_CHECKING:  # torch is not needed to check an experiment
    from search.strategies.protocol import Strategy

__all__ = ["CO_SEARCHES", "FIXED_SEARCHES", "HARDWARE_SEARCHES"]

CO_SEARCHES: "Registry[CoSearchSettings, Strategy]" = Registry("co-search")
"""Strategies that an experiment can name, made from a ``CoSearchProblem`` and their settings.

The first is that of an experiment which names none. Why: docs/explanation/search.md.
"""

for _name, _settings, _implementation in (
    ("rhnas", RhnasSettings, "search.strategies.rhnas:Rhnas"),
    ("nahas-joint", NahasJointSettings, "search.strategies.nahas_joint:NahasJoint"),
    ("nahas-oneshot", NahasOneshotSettings, "search.strategies.nahas_oneshot:NahasOneshot"),
    ("nahas-phase", NahasPhaseSettings, "search.strategies.nahas_phase:NahasPhase"),
    ("two-level", TwoLevelSettings, "search.strategies.two_level:TwoLevel"),
    ("dna", DnaSettings, "search.strategies.dna:Dna"),
    ("random", JointRandomSettings, "search.strategies.joint_random:JointRandom"),
    ("evolution", JointEvolutionSettings, "search.strategies.joint_evolution:JointEvolution"),
    (
        "local-search",
        JointLocalSearchSettings,
        "search.strategies.joint_local_search:JointLocalSearch",
    ),
    ("tpe", JointTpeSettings, "search.strategies.joint_optuna:joint_tpe"),
    ("nsga-ii", JointNsgaSettings, "search.strategies.joint_optuna:joint_nsga"),
):
    CO_SEARCHES.register(_name, _settings, _implementation)

FIXED_SEARCHES: "Registry[CoSearchSettings, Strategy]" = Registry("search of a fixed network")
"""Strategies that an experiment can name where its network is fixed, beside those of any: made likewise."""

FIXED_SEARCHES.register(
    "certified", FixedCertifiedSettings, "search.strategies.fixed_certified:FixedCertified"
)

HARDWARE_SEARCHES: "Registry[StrategySettings, Strategy]" = Registry("hardware search")
"""Strategies for a network that is given, made from a ``HardwareProblem`` and their settings."""

HARDWARE_SEARCHES.register(
    "hardware", HardwareSettings, "search.strategies.hardware:HardwareSearch"
)

for _given, _search in (
    (AmortizedSettings, "search.strategies.amortized:Amortized"),
    (CertifiedSettings, "search.strategies.certified:Certified"),
    (ExhaustiveSettings, "search.strategies.exhaustive:Exhaustive"),
    (RandomSettings, "search.strategies.random_search:RandomSearch"),
    (LocalSearchSettings, "search.strategies.local_search:LocalSearch"),
    (EvolutionSettings, "search.strategies.evolution:Evolution"),
    (TpeSettings, "search.strategies.optuna_search:tpe"),
    (CmaesSettings, "search.strategies.optuna_search:cmaes"),
    (NsgaSettings, "search.strategies.optuna_search:nsga"),
    (DnaHardwareSettings, "search.strategies.dna_search:DnaSearch"),
):
    HARDWARE_SEARCHES.register(_given().strategy, _given, _search)

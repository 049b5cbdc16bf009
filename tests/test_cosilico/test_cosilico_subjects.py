"""Identity of a search: all of its space, whatever the space is called."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import cosilico
from cosilico.hardware_strategies import hardware_strategy
from cosilico.subjects import ExperimentSubject, NetworkSubject
from sim.cost.costs import evaluate_many
from sim.model import predict
from sim.networks.named import named_network
from sim.spec.errors import CosilicoError
from sim.spec.spaces import TINY, HardwareSpace

NARROW = replace(TINY, values=dict(TINY.values) | {"pes_x": (1, 2)})
OTHER_DEFAULT = replace(TINY, default=replace(TINY.default, pes_x=1))

spaces = pytest.mark.parametrize("space", [NARROW, OTHER_DEFAULT], ids=["values", "default"])


def differing(identity: dict[str, str], other: dict[str, str]) -> set[str]:
    assert identity.keys() == other.keys()
    return {name for name, part in identity.items() if other[name] != part}


@spaces
def test_an_identity_is_of_the_whole_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, space: HardwareSpace
) -> None:
    assert space.name == TINY.name
    identity = NetworkSubject("autoencoder", TINY, 1).identity()
    assert NetworkSubject("autoencoder", TINY, 1).identity() == identity
    assert differing(NetworkSubject("autoencoder", space, 1).identity(), identity) == {"space"}
    path = tmp_path / "experiment.toml"
    path.write_text('[task]\nname = "digits"\n')
    identity = ExperimentSubject(path, 1).identity()
    assert ExperimentSubject(path, 1).identity() == identity
    assert differing(ExperimentSubject(path, 2).identity(), identity) == {"seed"}
    monkeypatch.setattr("search.space_settings.SPACE_NAMES", {"tiny": space})
    assert differing(ExperimentSubject(path, 1).identity(), identity) == {"space"}


def test_an_identity_is_of_memory_and_workload(tmp_path: Path) -> None:
    task = '[task]\nname = "digits"\n'
    memory = '[memory]\nkind = "fixed_latency"\nlatency = 60\n'
    workload = '[[workload.networks]]\nnetwork = "autoencoder"\n'
    subjects = {}
    for name, text in (("alone", ""), ("memory", memory), ("workload", workload)):
        path = tmp_path / f"{name}.toml"
        path.write_text(task + text)
        subjects[name] = ExperimentSubject(path, 1)
    identity = subjects["alone"].identity()
    for name in ("memory", "workload"):
        assert differing(subjects[name].identity(), identity) == {"experiment", name}


def test_every_network_of_a_workload_has_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "experiment.toml"
    path.write_text(
        '[task]\nname = "digits"\n[memory]\nkind = "fixed_latency"\nlatency = 900\n'
        '[[workload.networks]]\nnetwork = "autoencoder"\n'
    )
    other = named_network("ds_cnn")
    subject = ExperimentSubject(path, 1)
    (cycles,) = subject.workload.costs([TINY.default], other)["cycles"]
    networks = (other, named_network("autoencoder"))
    alone = [evaluate_many([TINY.default], x, memory=subject.memory)["cycles"] for x in networks]
    assert subject.memory.latency == 900
    assert cycles == sum(column[0] for column in alone)


def test_every_network_of_a_workload_runs_on_a_batch(tmp_path: Path) -> None:
    path = tmp_path / "experiment.toml"
    path.write_text(
        '[task]\nname = "digits"\n[workload]\nbatch = 3\nruns = 2\n'
        '[[workload.networks]]\nnetwork = "autoencoder"\n'
    )
    subject, other = ExperimentSubject(path, 1), named_network("ds_cnn")
    assert subject.workload.batch == 3
    (cycles,) = subject.workload.costs([TINY.default], other)["cycles"]
    programs = [
        predict(TINY.default, network, images=3).total_cycles
        for network in (other, named_network("autoencoder"))
    ]
    assert cycles == 2 * programs[0] + programs[1]


def test_an_identity_is_of_the_strategy_and_its_settings() -> None:
    plain = NetworkSubject("autoencoder", TINY, 1)
    assert plain.settings == hardware_strategy("certified", metric="latency", wanted_by="a test")
    identity = plain.identity()
    for label, budget in (("exhaustive", None), ("hardware", None), ("certified", 50)):
        settings = hardware_strategy(label, metric="latency", budget=budget, wanted_by="a test")
        other = NetworkSubject("autoencoder", TINY, 1, settings=settings)
        assert differing(other.identity(), identity) == {"strategy"}
    settings = hardware_strategy("certified", metric="edp", wanted_by="a test")
    other = NetworkSubject("autoencoder", TINY, 1, settings=settings)
    assert other.objective.metric == "edp"
    assert differing(other.identity(), identity) == {"objective", "strategy"}


@spaces
def test_a_search_in_another_space_of_the_same_name_is_not_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, space: HardwareSpace
) -> None:
    def killed(network: Any, hardware: Any, out: Path, **options: Any) -> None:
        (out / "checkpoint.pt").write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr("search.driver.run_hardware_search", killed)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        cosilico.search_accelerator("autoencoder", TINY, out)
    with pytest.raises(KeyboardInterrupt):
        cosilico.search_accelerator("autoencoder", TINY, out, resume=True)
    line = f"out must be a folder of the same space to resume, not {str(out)!r}"
    with pytest.raises(CosilicoError, match=f"^{re.escape(line)}$"):
        cosilico.search_accelerator("autoencoder", space, out, resume=True)

"""Identity of a search: all of its space, whatever the space is called."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import cosilico
from cosilico.subjects import ExperimentSubject, NetworkSubject
from sim.spec.errors import CosilicoError
from sim.spec.spaces import TINY, HardwareSpace

NARROW = replace(TINY, values=dict(TINY.values) | {"pes_x": (1, 2)})
OTHER_DEFAULT = replace(TINY, default=replace(TINY.default, pes_x=1))

spaces = pytest.mark.parametrize("space", [NARROW, OTHER_DEFAULT], ids=["values", "default"])


@spaces
def test_a_key_is_of_the_whole_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, space: HardwareSpace
) -> None:
    assert space.name == TINY.name
    assert (
        NetworkSubject("autoencoder", TINY, 1).key() == NetworkSubject("autoencoder", TINY, 1).key()
    )
    assert (
        NetworkSubject("autoencoder", TINY, 1).key()
        != NetworkSubject("autoencoder", space, 1).key()
    )
    path = tmp_path / "experiment.toml"
    path.write_text('[task]\nname = "digits"\n')
    key = ExperimentSubject(path, 1).key()
    assert ExperimentSubject(path, 1).key() == key
    assert ExperimentSubject(path, 2).key() != key
    monkeypatch.setattr("search.space_settings.SPACE_NAMES", {"tiny": space})
    assert ExperimentSubject(path, 1).key() != key


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
    with pytest.raises(CosilicoError, match=r"must be of the same .* to resume$"):
        cosilico.search_accelerator("autoencoder", space, out, resume=True)

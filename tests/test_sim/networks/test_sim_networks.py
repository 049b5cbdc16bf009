"""Named networks: the papers' layers, seeded weights, and a cache that may be damaged."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sim.networks import named
from sim.networks.named import NAMED_NETWORKS, efficientnet_lite0, mobilenet_v2, named_network
from sim.spec.errors import CosilicoError
from sim.spec.files import cache_root
from sim.spec.network import LayerKind, Network


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """One cache for all tests of this file, that no other run has filled."""
    monkeypatch.setenv("COSILICO_CACHE", str(tmp_path_factory.getbasetemp() / "networks"))


def counts(network: Network) -> dict[str, int]:
    kinds = [str(layer.kind) for layer in network.layers]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


def shape(network: Network, name: str) -> tuple[int, int, int]:
    return network.tensors[name].shape


def test_mobilenet_v2_is_the_papers() -> None:
    network = mobilenet_v2()
    assert network.macs == 300_774_272
    assert sum(layer.weights.size for layer in network.layers) == 3_469_760
    assert counts(network) == {
        "add": 10,
        "conv": 35,
        "depthwise": 17,
        "fully_connected": 1,
        "global_average_pool": 1,
    }
    assert shape(network, "stem") == (112, 112, 32)
    assert shape(network, "block1.project") == (112, 112, 16)
    assert shape(network, "block2.depthwise") == (56, 56, 96)
    assert shape(network, "block17.project") == (7, 7, 320)
    assert shape(network, "head") == (7, 7, 1280)
    assert network.output.shape == (1, 1, 1000)


def test_efficientnet_lite0_has_b0s_blocks_without_squeeze() -> None:
    network = efficientnet_lite0()
    assert network.macs == 385_187_552
    assert counts(network)["depthwise"] == 16
    assert counts(network)["add"] == 9
    kernels = [x.kernel[0] for x in network.layers if x.kind is LayerKind.DEPTHWISE]
    assert kernels == [3, 3, 3, 5, 5, 3, 3, 3, 5, 5, 5, 5, 5, 5, 5, 3]
    assert shape(network, "block16.project") == (7, 7, 320)


def test_padding_is_tensorflows_same() -> None:
    stem = mobilenet_v2().layers[0]
    assert (stem.padding.top, stem.padding.bottom) == (0, 1)
    five = {layer.name: layer for layer in efficientnet_lite0().layers}["block4.depthwise"]
    assert (five.padding.left, five.padding.right) == (1, 2)


def test_a_seed_decides_the_weights() -> None:
    first, again, other = (named_network("mobilenet_v2", seed) for seed in (0, 0, 1))
    assert first is again
    assert (first.layers[3].weights != other.layers[3].weights).any()
    assert first.layers[3].weights.std() == pytest.approx(42, rel=0.1)


def test_cached_network_is_the_one_that_was_made() -> None:
    made = named_network("mobilenet_v2", 2)
    named._cached.cache_clear()
    loaded = named_network("mobilenet_v2", 2)
    assert loaded is not made
    assert loaded.tensors == made.tensors
    for layer, other in zip(made.layers, loaded.layers, strict=True):
        np.testing.assert_array_equal(layer.weights, other.weights)
        np.testing.assert_array_equal(layer.bias, other.bias)
        np.testing.assert_array_equal(layer.multiplier, other.multiplier)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("weights.npz", lambda content: content[:1000]),
        ("design.json", lambda content: content.replace(b'"mobilenet_v2"', b'"mobilenet_v3"')),
        ("design.sha256", lambda content: b"\xff"),
    ],
)
def test_damaged_cache_is_made_again(name: str, damage: Callable[[bytes], bytes]) -> None:
    made = named_network("mobilenet_v2", 2)
    named._cached.cache_clear()
    (path,) = (cache_root() / "networks").glob(f"mobilenet_v2-2-*/{name}")
    content = path.read_bytes()
    assert damage(content) != content
    path.write_bytes(damage(content))
    again = named_network("mobilenet_v2", 2)
    assert (again.name, again.tensors) == (made.name, made.tensors)
    assert path.read_bytes() == content


def test_unknown_name_is_refused_with_the_known_ones() -> None:
    message = (
        r"^network must be one of mobilenet_v2, efficientnet_lite0, resnet8, mobilenet_v1_025, "
        r"ds_cnn, autoencoder, not 'vgg'$"
    )
    with pytest.raises(CosilicoError, match=message):
        named_network("vgg")
    assert list(NAMED_NETWORKS) == [
        "mobilenet_v2",
        "efficientnet_lite0",
        "resnet8",
        "mobilenet_v1_025",
        "ds_cnn",
        "autoencoder",
    ]


def test_other_sources_do_not_take_this_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in named._SOURCES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("# another version\n")
    named_network("mobilenet_v2", 3)
    named._cached.cache_clear()
    monkeypatch.setattr(named, "__file__", str(tmp_path / "networks" / "named.py"))
    named_network("mobilenet_v2", 3)
    folders = list((cache_root() / "networks").glob("mobilenet_v2-3-*"))
    assert len(folders) == 2

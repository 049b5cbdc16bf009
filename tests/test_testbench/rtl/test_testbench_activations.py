"""Putting tensors together from the PEs' tiles."""

import dataclasses

import numpy as np
import pytest

from accelerators import small_accelerator
from hwgen.program import Probe
from sim.spec.network import Layer, LayerKind, Network, TensorSpec
from testbench.rtl.activations import assemble_activations, probe_bytes

CONFIG = small_accelerator(3, 2, compute_lanes=2, io_bandwidth_gbps=0.4)
HEIGHT, WIDTH, CHANNELS = 7, 5, 6


def one_layer() -> Network:
    """A 1x1 convolution; only its output's shape matters."""
    layer = Layer(
        name="layer",
        kind=LayerKind.CONV,
        inputs=("input",),
        output=TensorSpec(
            name="layer", height=HEIGHT, width=WIDTH, channels=CHANNELS, scale=1.0, zero_point=0
        ),
        weights=np.zeros((CHANNELS, 1, 1, 1), np.int8),
        bias=np.zeros(CHANNELS, np.int32),
        multiplier=np.zeros(CHANNELS, np.int32),
        shift=np.zeros(CHANNELS, np.int32),
    )
    source = TensorSpec(
        name="input", height=HEIGHT, width=WIDTH, channels=1, scale=1.0, zero_point=0
    )
    return Network(name="one", input=source, layers=(layer,))


def probe(*, groups: int = 2, group_start: int = 0, rows: int = 3, image: int = 0) -> Probe:
    """Return a probe of 3x3 pixels per PE."""
    return Probe(
        layer=0,
        image=image,
        execute_index=0,
        local_address=0,
        groups=groups,
        rows=rows,
        columns=3,
        local_plane=9,
        local_row=3,
        group_start=group_start,
        origin_y=0,
        origin_x=0,
        pitch_x=3,
    )


def value(image: int, y: int, x: int, c: int) -> int:
    """Return a number that tells every place apart from its neighbours."""
    return (image * 31 + y * 17 + x * 5 + c * 3) % 256 - 128


def dump(probed: Probe, images: int) -> np.ndarray[tuple[int, int], np.dtype[np.int8]]:
    """Return what the PEs would hold, pixel by pixel."""
    flat = [
        [
            value(image, py * probed.rows + r, px * 3 + x, (probed.group_start + g) * 4 + s)
            for py in range(3)
            for px in range(2)
            for g in range(probed.groups)
            for r in range(probed.rows)
            for x in range(3)
            for s in range(4)
        ]
        for image in range(images)
    ]
    raw = np.array(flat, np.int16).astype(np.int8)
    assert raw.shape[1] == probe_bytes(CONFIG, probed)
    return raw


EXPECTED = np.array(
    [
        [
            [[value(i, y, x, c) for c in range(CHANNELS)] for x in range(WIDTH)]
            for y in range(HEIGHT)
        ]
        for i in range(2)
    ],
    np.int16,
).astype(np.int8)


def test_tiles_become_the_image() -> None:
    """Rows and columns of all PEs side by side; what hangs over the edge is cut."""
    images = assemble_activations(CONFIG, one_layer(), [probe()], dump(probe(), 2))
    assert (images[0] == EXPECTED).all()


def test_chunks_of_channels_join() -> None:
    """Two probes of one group each give the same tensor."""
    probes = [probe(groups=1), probe(groups=1, group_start=1)]
    raw = np.concatenate([dump(p, 2) for p in probes], axis=1)
    images = assemble_activations(CONFIG, one_layer(), probes, raw)
    assert (images[0] == EXPECTED).all()


@pytest.mark.parametrize(
    "place", [None, "another column", "below the image", "a bank before the layer's"]
)
def test_strips_are_the_same_in_all_columns(place: str | None) -> None:
    """A vector that one PE of a row holds alone is no part of the image, or of another layer."""
    strip = dataclasses.replace(probe(), columns=WIDTH, pitch_x=0)
    values = [
        [
            [[[value(0, py * 3 + r, x, g * 4 + s) for s in range(4)] for x in range(WIDTH)]]
            for r in range(3)
        ]
        for py in range(3)
        for g in range(2)
    ]
    # [pe_y][pe_x][group][row][column][S]
    held = np.array(values, np.int16).astype(np.int8).reshape(3, 1, 2, 3, WIDTH, 4)
    held = np.repeat(held, 2, axis=1)
    if place == "a bank before the layer's":
        strip = dataclasses.replace(strip, groups=3, others=1)
        others = np.arange(held[:, :, :1].size, dtype=np.uint8).view(np.int8)
        held = np.concatenate([others.reshape(held[:, :, :1].shape), held], axis=2)
    elif place is not None:
        row = 0 if place == "another column" else HEIGHT - 6
        held[2 if row else 0, 1, 0, row, 1, 2] += 1
    raw = held.reshape(1, -1)
    assert raw.shape[1] == probe_bytes(CONFIG, strip)
    if place == "another column":
        message = r"^PE columns must hold the same strips of layer 'layer'$"
        with pytest.raises(ValueError, match=message):
            assemble_activations(CONFIG, one_layer(), [strip], raw)
        return
    images = assemble_activations(CONFIG, one_layer(), [strip], raw)
    assert (images[0] == EXPECTED[:1]).all()


def test_gap_is_refused() -> None:
    """A layer that is compared in part only would look exact."""
    message = r"^probes of layer 'layer' must cover its tensor, not 66\.666667%$"
    with pytest.raises(ValueError, match=message):
        assemble_activations(CONFIG, one_layer(), [probe(groups=1)], dump(probe(groups=1), 1))

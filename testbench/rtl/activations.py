"""Assembling tensors from what was dumped of the PEs' local memories."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hwgen.program import Probe
from sim.mapping.channel_places import Places
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Layer, Network

__all__ = ["assemble_activations", "probe_bytes", "with_gaps", "without_gaps"]


def probe_bytes(config: AcceleratorConfig, probe: Probe) -> int:
    """Bytes that one probe dumps in one run."""
    return config.pes * probe.groups * probe.rows * probe.columns * config.vector_bytes


def assemble_activations(
    config: AcceleratorConfig,
    network: Network,
    probes: Sequence[Probe],
    raw: NDArray[np.int8],
) -> Mapping[int, NDArray[np.int8]]:
    """Put every probed layer's tensor together.

    Parameters
    ----------
    config : AcceleratorConfig
    network : Network
        Gives each layer's shape.
    probes : sequence of Probe
        Of a program of one or more images.
    raw : int8[runs, bytes]
        Per run the probes in order, each [pe_y][pe_x][group][row][column][S].

    Returns
    -------
    dict
        Layer index to int8[runs * images, height, width, channels].

    Raises
    ------
    ValueError
        If the probes of a layer leave a part of its tensor out, or PEs that hold the same part of it
        do not agree.
    """
    runs, s = raw.shape[0], config.vector_bytes
    images = 1 + max((probe.image for probe in probes), default=0)
    tensors: dict[int, NDArray[np.int8]] = {}
    seen: dict[int, NDArray[np.bool_]] = {}
    offset = 0
    for probe in probes:
        size = probe_bytes(config, probe)
        shape = (runs, config.pes_y, config.pes_x, probe.groups, probe.rows, probe.columns, s)
        block = raw[:, offset : offset + size].reshape(shape)
        offset += size
        height, width, _ = network.layers[probe.layer].output.shape
        channels = _channels(probe, network.layers[probe.layer])
        if not probe.pitch_x:
            block = _one_strip(block, probe, network.layers[probe.layer])
        # -> [run][pe_y][row][pe_x][column][group][S]
        tile = block.transpose(0, 1, 4, 2, 5, 3, 6).reshape(
            runs, config.pes_y * probe.rows, -1, probe.groups * s
        )[..., probe.others * s :]
        if probe.layer not in tensors:
            tensors[probe.layer] = np.zeros((runs, images, height, width, channels), np.int8)
            seen[probe.layer] = np.zeros((images, height, width, channels), np.bool_)
        y, x, c = probe.origin_y, probe.origin_x, probe.group_start * s
        inside = np.s_[: max(0, height - y), : max(0, width - x), : max(0, channels - c)]
        part = tile[:, *inside]
        region = np.s_[y : y + part.shape[1], x : x + part.shape[2], c : c + part.shape[3]]
        tensors[probe.layer][:, probe.image, *region] = part
        seen[probe.layer][probe.image, *region] = True
    for layer, mask in seen.items():
        if not mask.all():
            name = network.layers[layer].name
            raise ValueError(f"probes of layer {name!r} must cover its tensor, not {mask.mean():%}")
    places = {probe.layer: probe.segments for probe in probes}
    return {
        layer: without_gaps(blocks.reshape(runs * images, *blocks.shape[2:]), places[layer])
        for layer, blocks in tensors.items()
    }


def _channels(probe: Probe, layer: Layer) -> int:
    """Channels of a layer's output as they lie in memory, with gaps."""
    return sum(probe.segments[-1]) if probe.segments else layer.output.channels


def without_gaps(x: NDArray[np.int8], segments: Places) -> NDArray[np.int8]:
    """Take the channels of segments out of those that lie in memory."""
    if not segments:
        return x
    return np.concatenate([x[..., first : first + count] for first, count in segments], axis=-1)


def with_gaps(x: NDArray[np.int8], segments: Places) -> NDArray[np.int8]:
    """Put channels where they lie in memory, with 0 in between."""
    if not segments:
        return x
    out = np.zeros((*x.shape[:-1], sum(segments[-1])), np.int8)
    taken = 0
    for first, count in segments:
        out[..., first : first + count] = x[..., taken : taken + count]
        taken += count
    return out


def _one_strip(block: NDArray[np.int8], probe: Probe, layer: Layer) -> NDArray[np.int8]:
    """Strips of the first PE column, which all columns hold : int8[runs, pes_y, 1, group, row, column, S]."""
    rows = probe.origin_y + np.arange(block.shape[1] * probe.rows).reshape(-1, probe.rows)
    # [pe_y][pe_x][group][row][column][S]
    there = (rows < layer.output.height)[:, None, None, :, None, None]
    # banks before the layer's are another's, or nobody's
    there = there & (np.arange(block.shape[3]) >= probe.others)[:, None, None, None]
    first = block[:, :, :1]
    if ((block != first) & there).any():
        raise ValueError(f"PE columns must hold the same strips of layer {layer.name!r}")
    return first

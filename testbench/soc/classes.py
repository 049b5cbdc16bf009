"""Lines that a system's firmware prints, and whether they are what the reference says."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim import golden
from sim.spec.network import Network

__all__ = ["Classified", "compare_classes", "read_classes"]

_HEAD = re.compile(r"accelerator ([0-9a-f]{8}), network (.*)")
_IMAGE = re.compile(r"(\d+) (\d+) (\d+)((?: -?\d+)+)")
_END = re.compile(r"done after \d+ cycles")


@dataclass(frozen=True, slots=True, kw_only=True)
class Classified:
    """An image as the firmware printed it.

    Parameters
    ----------
    image : int
        Its number.
    label : int
        Its class, by the first output.
    cycles : int
        Measured by the accelerator, from doorbell to done.
    outputs : tuple of int
        All values of the network's outputs, one output behind the other.
    """

    image: int
    label: int
    cycles: int
    outputs: tuple[int, ...]


def read_classes(text: str, fingerprint: int) -> list[Classified]:
    """Read what the firmware of an accelerator printed, from the first line to the last.

    Raises
    ------
    ValueError
        With the first line that is not what it must be.
    """
    lines = text.split("\n")
    head = _HEAD.fullmatch(lines[0])
    if head is None or int(head[1], 16) != fingerprint:
        raise ValueError(f"first line must name accelerator {fingerprint:08x}, not {lines[0]!r}")
    images: list[Classified] = []
    for line in lines[1:]:
        if _END.fullmatch(line):
            return images
        match = _IMAGE.fullmatch(line)
        if match is None or int(match[1]) != len(images):
            raise ValueError(f"line must be that of image {len(images)}, not {line!r}")
        images.append(
            Classified(
                image=len(images),
                label=int(match[2]),
                cycles=int(match[3]),
                outputs=tuple(map(int, match[4].split())),
            )
        )
    raise ValueError(f"last line must be that of the end, not {lines[-1]!r}")


def compare_classes(
    printed: list[Classified], network: Network, images: NDArray[np.int8]
) -> list[str]:
    """Return what differs from the integer reference, a line for each image; empty where nothing does.

    Parameters
    ----------
    printed : list of Classified
    network : Network
    images : int8[N, height, width, channels]
        What was to be classified, in this order.
    """
    tensors = golden.run(network, images)
    parts = [tensors[name].reshape(len(images), -1) for name in network.outputs]
    classes, outputs = parts[0].shape[1], np.concatenate(parts, axis=1)
    differences = []
    if len(printed) != len(images):
        differences.append(f"images must be {len(images)}, not {len(printed)}")
    for image, expected in zip(printed, outputs.tolist(), strict=False):
        label = expected.index(max(expected[:classes]))
        if image.label != label:
            differences.append(f"image {image.image} must be of class {label}, not {image.label}")
        elif list(image.outputs) != expected:
            differences.append(
                f"image {image.image} must have outputs {expected}, not {list(image.outputs)}"
            )
    return differences

"""Activation tensors in external memory: ``[group][y][x]`` pixels of S bytes, or fewer or more.

A network's input of up to S channels lies as it is, ``[y][x][channel]``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["TensorPlacement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorPlacement:
    """Where a tensor lies; channels are padded with zeros to whole vectors.

    Parameters
    ----------
    address : int
        Byte address, relative to MEMORY_BASE.
    height, width, channels : int
        As it lies in memory.
    vector_bytes : int
        S, channels per group.
    pixel_bytes : int
        Bytes from one pixel of a group to the next: S, or less if the tensor's only group has few
        channels, or more if the bus is wider than a vector. Of a network's input with up to S channels, its channels.
    """

    address: int
    height: int
    width: int
    channels: int
    vector_bytes: int
    pixel_bytes: int

    @property
    def groups(self) -> int:
        """Number of channel groups."""
        return -(-self.channels // self.vector_bytes)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the activations that :meth:`pack` takes."""
        return (self.height, self.width, self.channels)

    @property
    def size_bytes(self) -> int:
        """Bytes of the whole tensor."""
        return self.groups * self.height * self.width * self.pixel_bytes

    def pack(self, x: NDArray[np.int8]) -> bytes:
        """Bytes of activations int8[height, width, channels], of the network's own shape."""
        if x.shape != self.shape or x.dtype != np.int8:
            raise ValueError(
                f"activations must be int8{list(self.shape)}, not {x.dtype}{list(x.shape)}"
            )
        used = min(self.vector_bytes, self.pixel_bytes)
        padded = np.zeros((self.height, self.width, self.groups * used), np.int8)
        padded[:, :, : self.channels] = x
        pixels = np.zeros((self.height, self.width, self.groups, self.pixel_bytes), np.int8)
        pixels[:, :, :, :used] = padded.reshape(self.height, self.width, self.groups, used)
        return pixels.transpose(2, 0, 1, 3).tobytes()

    def unpack(self, data: bytes) -> NDArray[np.int8]:
        """Activations int8[height, width, channels] from their bytes."""
        used = min(self.vector_bytes, self.pixel_bytes)
        shape = (self.groups, self.height, self.width, self.pixel_bytes)
        grouped = np.frombuffer(data, np.int8).reshape(shape)[:, :, :, :used].transpose(1, 2, 0, 3)
        return grouped.reshape(self.height, self.width, -1)[:, :, : self.channels].copy()

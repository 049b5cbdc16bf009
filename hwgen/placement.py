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
    image_bytes : int
        Bytes from an image's tensor to the next image's.
    segments : tuple of (int, int)
        Where channels lie: first channel in memory and number, segment after segment; between them lie bytes
        that belong to no channel. Without any, channels lie side by side.
    """

    address: int
    height: int
    width: int
    channels: int
    vector_bytes: int
    pixel_bytes: int
    image_bytes: int = 0
    segments: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        """Let images lie side by side where nothing else is said."""
        if not self.image_bytes:
            object.__setattr__(self, "image_bytes", self.size_bytes)

    @property
    def groups(self) -> int:
        """Number of channel groups."""
        return -(-self._places.stop // self.vector_bytes)

    @property
    def _places(self) -> range:
        """Channels as they lie in memory, those between segments included."""
        first, count = self.segments[-1] if self.segments else (0, self.channels)
        return range(first + count)

    @property
    def _channel_places(self) -> NDArray[np.int64]:
        """Place of each channel among those in memory."""
        spans = self.segments or ((0, self.channels),)
        return np.concatenate([np.arange(first, first + count) for first, count in spans])

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
        padded[:, :, self._channel_places] = x
        pixels = np.zeros((self.height, self.width, self.groups, self.pixel_bytes), np.int8)
        pixels[:, :, :, :used] = padded.reshape(self.height, self.width, self.groups, used)
        return pixels.transpose(2, 0, 1, 3).tobytes()

    def unpack(self, data: bytes) -> NDArray[np.int8]:
        """Activations int8[height, width, channels] from their bytes."""
        used = min(self.vector_bytes, self.pixel_bytes)
        shape = (self.groups, self.height, self.width, self.pixel_bytes)
        grouped = np.frombuffer(data, np.int8).reshape(shape)[:, :, :, :used].transpose(1, 2, 0, 3)
        return grouped.reshape(self.height, self.width, -1)[:, :, self._channel_places].copy()

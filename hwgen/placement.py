"""Activation tensors in external memory: ``[group][y][x][S]`` bytes."""

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
    vector_bytes : int
        S, channels per group.
    """

    address: int
    height: int
    width: int
    channels: int
    vector_bytes: int

    @property
    def groups(self) -> int:
        """Channel groups."""
        return -(-self.channels // self.vector_bytes)

    @property
    def size_bytes(self) -> int:
        """Bytes of the whole tensor."""
        return self.groups * self.height * self.width * self.vector_bytes

    def pack(self, x: NDArray[np.int8]) -> bytes:
        """Bytes of activations int8[height, width, channels]."""
        if x.shape != (self.height, self.width, self.channels) or x.dtype != np.int8:
            raise ValueError(
                f"activations must be int8[{self.height}, {self.width}, {self.channels}], "
                f"not {x.dtype}{list(x.shape)}"
            )
        padded = np.zeros((self.height, self.width, self.groups * self.vector_bytes), np.int8)
        padded[:, :, : self.channels] = x
        grouped = padded.reshape(self.height, self.width, self.groups, self.vector_bytes)
        return grouped.transpose(2, 0, 1, 3).tobytes()

    def unpack(self, data: bytes) -> NDArray[np.int8]:
        """Activations int8[height, width, channels] from their bytes."""
        shape = (self.groups, self.height, self.width, self.vector_bytes)
        grouped = np.frombuffer(data, np.int8).reshape(shape).transpose(1, 2, 0, 3)
        return grouped.reshape(self.height, self.width, -1)[:, :, : self.channels].copy()

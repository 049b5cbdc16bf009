"""Inputs or outputs of a program: tensors that lie side by side in external memory."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwgen.placement import TensorPlacement

__all__ = ["TensorRegion"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorRegion:
    """Part of external memory with some tensors of all images of a program, and gaps between them.

    Parameters
    ----------
    places : mapping of str to TensorPlacement
        By the tensors' names; of image 0.
    images : int
        Images of a program; a tensor's copies lie ``image_bytes`` apart.
    """

    places: Mapping[str, TensorPlacement]
    images: int

    @property
    def first(self) -> TensorPlacement:
        """The place of the first tensor, the only one of most programs."""
        return next(iter(self.places.values()))

    @property
    def address(self) -> int:
        """First byte, relative to MEMORY_BASE."""
        return min(place.address for place in self.places.values())

    @property
    def size_bytes(self) -> int:
        """Bytes from the first to the last, of all images."""
        ends = [
            place.address + (self.images - 1) * place.image_bytes + place.size_bytes
            for place in self.places.values()
        ]
        return max(ends) - self.address

    def pack(self, images: Sequence[Mapping[str, NDArray[np.int8]]]) -> bytes:
        """Bytes of the region with the tensors of each image of a program; 0 between them.

        Parameters
        ----------
        images : sequence of mapping of str to int8[height, width, channels]
        """
        data = np.zeros(self.size_bytes, np.int8)
        for name, place in self.places.items():
            for index, tensors in enumerate(images):
                start = place.address - self.address + index * place.image_bytes
                # tensors that share bytes have the same values there, or 0
                data[start : start + place.size_bytes] |= np.frombuffer(
                    place.pack(tensors[name]), np.int8
                )
        return data.tobytes()

    def unpack(self, data: bytes) -> dict[str, NDArray[np.int8]]:
        """Tensors of a program's images by name, int8[images, height, width, channels]."""
        return {
            name: np.array(
                [
                    place.unpack(data[start : start + place.size_bytes])
                    for start in range(
                        place.address - self.address,
                        place.address - self.address + self.images * place.image_bytes,
                        place.image_bytes,
                    )
                ],
                np.int8,
            )
            for name, place in self.places.items()
        }

    def images_of(self, x: NDArray[np.int8]) -> list[dict[str, NDArray[np.int8]]]:
        """Tensors of each image by name, of int8[N, height, width, channels], or of int8[N, values] where there are several.

        As :func:`sim.spec.inputs.split`.
        """
        shapes = [place.shape for place in self.places.values()]
        ends = np.cumsum([math.prod(shape) for shape in shapes])[:-1]
        return [
            {
                name: values.reshape(shape)
                for name, shape, values in zip(
                    self.places, shapes, np.split(image.reshape(-1), ends), strict=True
                )
            }
            for image in x
        ]

    @property
    def mask(self) -> bytes:
        """For each byte of the region 255 where it is specified, else 0."""
        full = {name: np.full(place.shape, -1, np.int8) for name, place in self.places.items()}
        return self.pack([full] * self.images)

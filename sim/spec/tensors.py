"""Activation tensors and the padding around them, with the ranges of their sizes."""

import math
from dataclasses import dataclass

from sim.spec.rules import Integer, Name, Number

__all__ = [
    "CHANNELS",
    "EXTENT",
    "INT8",
    "NAME",
    "PADDED",
    "SCALE",
    "VALUES_LIMIT",
    "Padding",
    "TensorSpec",
    "require_size",
]

EXTENT = Integer(1, 1 << 16)
"""Height or width of a tensor, of a kernel, or a stride."""

CHANNELS = Integer(1, 1 << 20)
PADDED = Integer(0, 1 << 12)
"""Rows or columns on one side."""

INT8 = Integer(-128, 127)
NAME = Name()
SCALE = Number(1e-38, 1e38)
"""Real value of one step: what float32 holds with all its digits."""

VALUES_LIMIT = 1 << 24
"""Most values of a tensor, its padding included: 4096 × 4096 pixels of one channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """An int8 activation tensor of one image: real = scale · (value - zero_point)."""

    name: str
    height: int
    width: int
    channels: int
    scale: float
    zero_point: int

    def __post_init__(self) -> None:
        """Check ranges."""
        NAME.require(self.name, "name of a tensor")
        EXTENT.require(self.height, f"height of {self.name!r}")
        EXTENT.require(self.width, f"width of {self.name!r}")
        CHANNELS.require(self.channels, f"channels of {self.name!r}")
        SCALE.require(self.scale, f"scale of {self.name!r}")
        INT8.require(self.zero_point, f"zero_point of {self.name!r}")
        require_size(f"tensor {self.name!r}", math.prod(self.shape), VALUES_LIMIT)

    @classmethod
    def of_shape(
        cls, name: str, shape: tuple[int, int, int], scale: float, zero_point: int
    ) -> "TensorSpec":
        """A tensor of (height, width, channels)."""
        height, width, channels = shape
        return cls(
            name=name,
            height=height,
            width=width,
            channels=channels,
            scale=scale,
            zero_point=zero_point,
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels), the order of every activation array in memory."""
        return (self.height, self.width, self.channels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Padding:
    """Rows and columns of ``zero_point`` around the input; of -128 for MAX_POOL."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    @classmethod
    def same(
        cls, size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int]
    ) -> "Padding":
        """TensorFlow's SAME: ceil(size / stride) outputs, the odd pixel at the bottom/right."""
        total = [
            max(0, (-(-n // s) - 1) * s + k - n)
            for n, k, s in zip(size, kernel, stride, strict=True)
        ]
        return cls(
            top=total[0] // 2,
            bottom=total[0] - total[0] // 2,
            left=total[1] // 2,
            right=total[1] - total[1] // 2,
        )

    def __add__(self, other: "Padding") -> "Padding":
        """Both paddings, one around the other."""
        return Padding(
            top=self.top + other.top,
            bottom=self.bottom + other.bottom,
            left=self.left + other.left,
            right=self.right + other.right,
        )

    def around(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of an image of ``size`` with this padding."""
        return size[0] + self.top + self.bottom, size[1] + self.left + self.right

    def windows(
        self, size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int]
    ) -> tuple[int, int]:
        """Rows and columns of the windows that end within an image of ``size`` and this padding."""
        height, width = self.around(size)
        return (height - kernel[0]) // stride[0] + 1, (width - kernel[1]) // stride[1] + 1


def require_size(what: str, size: int, limit: int) -> None:
    """Raise ValueError if something has more values than the limit."""
    if size > limit:
        raise ValueError(f"{what} must have at most {limit} values, not {size}")

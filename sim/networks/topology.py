"""Networks without numbers: the shapes of their layers, and how they are connected."""

from dataclasses import dataclass

from sim.spec.network import LayerKind, TensorSpec

__all__ = ["LayerShape", "Topology", "conv", "depthwise", "fully_connected", "pool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerShape:
    """A layer without numbers; its padding is TensorFlow's SAME, but an average pool has none unless it says so.

    Parameters
    ----------
    name : str
    kind : LayerKind
    inputs : tuple of str
    channels : int
        Of the output; 0 keeps the input's.
    kernel, stride : int or (int, int)
        One number if both are equal, else (vertical, horizontal).
    relu6, relu : bool
        Whether this activation is fused; not both, and ReLU6 only to weighted layers.
    centred : bool
        Whether the zero point of a weighted layer or ADD without activation is 0.
    over_border : bool
        Whether an average pool has SAME padding, of which it counts nothing; its input is centred.
    """

    name: str
    kind: LayerKind
    inputs: tuple[str, ...]
    channels: int = 0
    kernel: int | tuple[int, int] = 1
    stride: int | tuple[int, int] = 1
    relu6: bool = False
    relu: bool = False
    centred: bool = False
    over_border: bool = False

    @property
    def window(self) -> tuple[int, int]:
        """The kernel as (vertical, horizontal)."""
        return _pair(self.kernel)

    @property
    def step(self) -> tuple[int, int]:
        """The stride as (vertical, horizontal)."""
        return _pair(self.stride)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """A network without numbers: its input and its layers in execution order."""

    input: TensorSpec
    layers: tuple[LayerShape, ...]


def conv(
    name: str,
    source: str,
    channels: int,
    kernel: int | tuple[int, int] = 1,
    stride: int = 1,
    *,
    relu: bool = False,
    relu6: bool = False,
) -> LayerShape:
    """A convolution."""
    return LayerShape(
        name=name,
        kind=LayerKind.CONV,
        inputs=(source,),
        channels=channels,
        kernel=kernel,
        stride=stride,
        relu=relu,
        relu6=relu6,
    )


def depthwise(
    name: str, source: str, kernel: int, stride: int, *, relu: bool = False, relu6: bool = False
) -> LayerShape:
    """A depthwise convolution."""
    return LayerShape(
        name=name,
        kind=LayerKind.DEPTHWISE,
        inputs=(source,),
        kernel=kernel,
        stride=stride,
        relu=relu,
        relu6=relu6,
    )


def pool(name: str, source: str) -> LayerShape:
    """A global average pool."""
    return LayerShape(name=name, kind=LayerKind.GLOBAL_AVERAGE_POOL, inputs=(source,))


def fully_connected(name: str, source: str, channels: int, *, relu: bool = False) -> LayerShape:
    """A layer over the whole of its input."""
    return LayerShape(
        name=name,
        kind=LayerKind.FULLY_CONNECTED,
        inputs=(source,),
        channels=channels,
        relu=relu,
    )


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size

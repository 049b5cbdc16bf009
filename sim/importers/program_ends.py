"""Steps of the host at the ends of a network that was quantized from a PyTorch module."""

from dataclasses import dataclass

from sim.importers.host import (
    Dequantize,
    HostEnd,
    HostProgram,
    HostStart,
    HostStep,
    Logistic,
    LogSoftmax,
    ModelPort,
    Quantize,
    QuantizeHalfEven,
    Reshape,
    Softmax,
    Transpose,
)
from sim.spec.network import Network, TensorSpec

__all__ = ["ProgramEnd", "ProgramEnds", "ProgramStart"]

_FUNCTIONS: dict[str, HostStep] = {
    "softmax": Softmax(beta=1.0, scale=1.0),
    "log_softmax": LogSoftmax(scale=1.0),
    "sigmoid": Logistic(scale=1.0, zero_point=0),
}

_IMAGE, _SIGNAL = 4, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramStart:
    """Form of one of a module's inputs.

    Parameters
    ----------
    rank : int
        Axes: 4 for [N, C, H, W], 3 for [N, C, L], 2 for [N, C].
    half_even : bool
        Whether it is quantized as PyTorch does, with ties to even.
    """

    rank: int = _IMAGE
    half_even: bool = False

    def host(self, source: TensorSpec) -> HostStart:
        """Steps before the network, of float32 in the module's own layout."""
        shape: tuple[int, ...] = (source.channels, source.height, source.width)
        before: list[HostStep] = [Transpose(axes=(1, 2, 0))]
        if self.rank == _SIGNAL:
            shape = (source.channels, source.width)
            before = [Transpose(axes=(1, 0)), Reshape(shape=source.shape)]
        elif self.rank < _SIGNAL:
            shape = (source.channels,)
            before = [Reshape(shape=source.shape)]
        quantize = QuantizeHalfEven if self.half_even else Quantize
        before.append(quantize(scale=source.scale, zero_point=source.zero_point, dtype="int8"))
        return HostStart(input=ModelPort(dtype="float32", shape=shape), before=tuple(before))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramEnd:
    """Form of one of a module's outputs.

    Parameters
    ----------
    place : int
        Of the tensor that it is computed of, among the network's outputs.
    functions : tuple of str
        What is computed of the tensor: "softmax", "log_softmax", "sigmoid".
    sizes : tuple of int
        Shape; if not given, an image is [C, H, W], and one pixel [C].
    """

    place: int = 0
    functions: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()

    def host(self, network: Network) -> HostEnd:
        """Steps behind the network, to float32 in the module's own layout."""
        result = network.tensors[network.outputs[self.place]]
        real = Dequantize(scale=result.scale, zero_point=result.zero_point)
        functions = [_FUNCTIONS[name] for name in self.functions]
        height, width, channels = result.shape
        order: list[HostStep] = []
        sizes: tuple[int, ...] = (channels,)
        logits = sizes
        if self.sizes == (channels, width) and height == 1:
            sizes, logits = (channels, width), (width, channels)
            order = [Transpose(axes=(1, 0))]
        elif (height, width) != (1, 1):
            sizes, logits = (channels, height, width), result.shape
            order = [Transpose(axes=(2, 0, 1))]
        own = self.sizes or sizes
        if own != sizes:
            order.append(Reshape(shape=own))
        # Functions are over the last axis, the channels in memory.
        return HostEnd(
            tensor=result.name,
            logits_shape=logits,
            after=tuple([real, *functions, *order] if functions else [*order, real]),
            output=ModelPort(dtype="float32", shape=own),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramEnds:
    """Forms of a module's inputs and outputs.

    Parameters
    ----------
    starts : tuple of ProgramStart
        Of the inputs, in the module's order; images if not given.
    ends : tuple of ProgramEnd
        Of the outputs, in the module's order.
    """

    starts: tuple[ProgramStart, ...] = ()
    ends: tuple[ProgramEnd, ...] = (ProgramEnd(),)

    def host(self, network: Network) -> HostProgram:
        """Steps around the network: inputs and outputs are float32 in the module's own layout."""
        starts = self.starts or (ProgramStart(),) * len(network.inputs)
        first, *further = (
            start.host(source) for start, source in zip(starts, network.inputs, strict=True)
        )
        end, *ends = (item.host(network) for item in self.ends)
        return HostProgram(
            input=first.input,
            before=first.before,
            logits_shape=end.logits_shape,
            after=end.after,
            output=end.output,
            further=tuple(ends),
            further_inputs=tuple(further),
        )

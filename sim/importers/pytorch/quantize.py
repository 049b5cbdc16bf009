"""Post-training int8 quantization as TensorFlow Lite does it."""

import math
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.export import ExportedProgram

from sim.importers.errors import CalibrationWarning
from sim.importers.pytorch.aten import export_module, read_program
from sim.importers.pytorch.float_network import (
    ALIKE,
    INPUT,
    FloatJoint,
    FloatLayer,
    FloatNetwork,
)
from sim.importers.pytorch.nodes import UnsupportedModuleError
from sim.importers.pytorch.operands import MadeLayers
from sim.importers.pytorch.ranges import SeenRange, narrowed_ranges, seen_ranges
from sim.importers.pytorch.tables import function_values, with_function
from sim.importers.range_method import RangeMethod
from sim.scales import Scale, activation_scale, add_factors, quantize_multipliers
from sim.spec.errors import CosilicoError
from sim.spec.network import Layer, LayerKind, Network, TensorSpec

__all__ = [
    "QuantizedWeights",
    "Scale",
    "activation_scale",
    "quantize_as_given",
    "quantize_layers",
    "quantize_module",
    "quantize_network",
    "quantize_program",
    "quantize_weights",
    "unquantized",
]

_BIAS_LIMIT = 2**30
"""Largest magnitude of a quantized bias; leaves the accumulator a bit for the products."""

_LEAST_RANGE = 1e-30
"""Least range of an activation that is not constant; its scale is a float32 on the host."""

_FILLED = 0.25
"""Part of a range that some image should fill by itself."""


_OPEN = (-math.inf, math.inf)

Images: TypeAlias = Tensor | Sequence[Tensor]
"""Images of a module's inputs: a tensor [N, ...], or a sequence of a tensor for each input."""


class QuantizedWeights(NamedTuple):
    """``weights`` int8[K, ...], ``scales`` float64[K], ``bias`` int32[K] in s_in·scales[k]."""

    weights: NDArray[np.int8]
    scales: NDArray[np.float64]
    bias: NDArray[np.int32]


class _Parameters(NamedTuple):
    weights: NDArray[np.int8]
    bias: NDArray[np.int32]
    multiplier: NDArray[np.int32]
    shift: NDArray[np.int32]


_NO_PARAMETERS = _Parameters(*(np.zeros(0, kind) for kind in (np.int8, *[np.int32] * 3)))


def quantize_module(
    module: nn.Module,
    images: Images,
    *,
    name: str,
    input_scale: Scale | None = None,
    method: RangeMethod = RangeMethod.MIN_MAX,
) -> Network:
    """Quantize a trained module after training.

    Parameters
    ----------
    module : nn.Module
        Made of the layers that :func:`sim.importers.pytorch.aten.read_program` names. It is set to inference mode.
    images : float32[N, C, H, W], [N, C, L] or [N, C], or a sequence of such tensors
        What the module is given in training, as a tensor for each input; every activation gets
        the range that it takes on these. The network's input is one such image.
    name : str
        Of the network.
    input_scale : Scale, optional
        Quantization of the first input; from the images' range if not given.
    method : RangeMethod
        How ranges are chosen from the values on the images.

    Returns
    -------
    Network
        With the module's submodules as names of the layers that have weights.

    Raises
    ------
    UnsupportedModuleError
        One line that names the operation, its node and the rule.
    CosilicoError
        If the images do not have that form.

    Warns
    -----
    CalibrationWarning
        If a tensor is constant on all images, or no image fills a quarter of its range.
    """
    given = _checked(images)
    program = export_module(module, [values[:1] for values in given])
    return quantize_program(program, given, name=name, input_scale=input_scale, method=method)


def quantize_program(
    program: ExportedProgram,
    images: Images,
    *,
    name: str,
    input_scale: Scale | None = None,
    method: RangeMethod = RangeMethod.MIN_MAX,
) -> Network:
    """Quantize what ``torch.export`` made of a module in inference mode.

    See :func:`quantize_module`.
    """
    given = _checked(images)
    network = read_program(program, name=name)
    return quantize_network(network, given, input_scale=input_scale, method=method)


def quantize_network(
    network: FloatNetwork,
    images: Images,
    *,
    input_scale: Scale | None = None,
    method: RangeMethod = RangeMethod.MIN_MAX,
) -> Network:
    """Quantize a network, see :func:`quantize_module`; scales that its program gives are kept."""
    given = _fitting(network, _checked(images))
    inputs = {source.name: _what(place) for place, source in enumerate(network.inputs)}
    seen = seen_ranges(network, given)
    for tensor, (low, high, _) in seen.items():
        if not (math.isfinite(low) and math.isfinite(high)):
            raise CosilicoError(f"tensor {tensor!r} must be finite on the calibration images")
        if tensor in inputs and low == high == 0:
            raise CosilicoError(f"{inputs[tensor]} must not all be 0")
        if high > low and not _LEAST_RANGE <= high - low <= 1 / _LEAST_RANGE:
            rule = f"tensor {tensor!r} must have a range of {_LEAST_RANGE:g} … {1 / _LEAST_RANGE:g}"
            raise CosilicoError(f"{rule} on the calibration images, not {high - low:g}")
    homes = network.homes
    _warn(
        {
            tensor: item
            for tensor, item in seen.items()
            if tensor not in network.scales and tensor not in homes
        }
    )
    ranges = {tensor: (item.low, item.high) for tensor, item in seen.items()}
    ranges = narrowed_ranges(network, given, ranges, method)
    scales = {tensor: activation_scale(*ends) for tensor, ends in ranges.items()}
    scales |= network.scales
    if input_scale is not None:
        scales[INPUT] = input_scale
    return quantize_layers(network, scales)


def quantize_as_given(network: FloatNetwork) -> Network:
    """Quantize a network whose program says how: it was quantized before it was exported.

    Raises
    ------
    UnsupportedModuleError
        If it leaves a tensor in real numbers.
    """
    for tensor in unquantized(network):
        rule = "must be quantized, as other tensors of the program are, or calibration images given"
        raise UnsupportedModuleError(f"tensor {tensor!r} {rule}")
    return quantize_layers(network, network.scales)


def unquantized(network: FloatNetwork) -> list[str]:
    """Tensors that need a scale and have none of the program's own."""
    return [tensor for tensor in network.scaled if tensor not in network.scales]


def _warn(seen: Mapping[str, SeenRange]) -> None:
    """Warn of ranges that are no measurement: of constants, and of offsets between images."""
    for tensor, (low, high, widest) in seen.items():
        text = ""
        if low == high:
            text = f"is {low:g} in all of them, so that its scale says nothing of other images"
        elif widest < _FILLED * (high - low):
            part = math.floor(100 * widest / (high - low))
            text = f"has the range {low:g} … {high:g}, of which no image fills more than {part} %"
        if text:
            line = f"calibration images: tensor {tensor!r} {text}"
            warnings.warn(line, CalibrationWarning, stacklevel=3)


def quantize_layers(network: FloatNetwork, scales: Mapping[str, Scale]) -> Network:
    """Quantize a network whose activations' scales are known.

    Parameters
    ----------
    network : FloatNetwork
    scales : mapping of str to Scale
        Of every tensor; pools take that of their input instead.
    """
    inputs = network.inputs
    used = {source.name: scales[source.name] for source in inputs}
    shapes = {source.name: source.shape for source in inputs}
    shapes |= {layer.name: layer.shape for layer in network.layers}
    shapes |= {joint.name: joint.shape for joint in network.joints}
    readers = Counter(name for layer in network.layers for name in layer.inputs)
    readers.update(network.given)
    homes, ends = network.homes, {joint.parts[-1]: joint for joint in network.joints}
    try:
        given = [TensorSpec.of_shape(item.name, item.shape, *used[item.name]) for item in inputs]
    except ValueError as error:
        raise CosilicoError(str(error)) from None
    made = MadeLayers(given)
    places = {source.name: source.name for source in inputs}
    for layer in network.layers:
        home = homes.get(layer.name)
        scale = used[layer.inputs[0]]
        if not layer.alike:
            scale = scales[home.name if home else layer.name]
        used[layer.name], places[layer.name] = scale, layer.name
        if home:
            used[home.name], places[home.name] = scale, home.name
        before = places[layer.inputs[0]]
        try:
            sources = [
                TensorSpec.of_shape(places[name], shapes[name], *used[name])
                for name in layer.inputs
            ]
            fused = layer.function is not None and readers[layer.inputs[0]] == 1
            if fused and before in made.layers:
                places[layer.name] = before
            else:
                _enter(made, layer, sources, scale)
            if layer.function is not None:
                place = places[layer.name]
                values = function_values(layer, used[layer.inputs[0]], scale)
                made.layers[place] = with_function(made.layers[place], values, scale)
            if layer.name in ends:
                _join(made, ends[layer.name], scale)
        except ValueError as error:
            raise CosilicoError(f"layer {layer.name!r} cannot be quantized: {error}") from None
    try:
        return Network(
            name=network.name,
            input=given[0],
            layers=tuple(made.layers.values()),
            outputs=tuple(places[name] for name in network.given),
            concatenations=tuple(made.joints.concatenations.values()),
            further_inputs=tuple(given[1:]),
        )
    except ValueError as error:
        raise CosilicoError(str(error)) from None


def _enter(made: MadeLayers, layer: FloatLayer, sources: list[TensorSpec], scale: Scale) -> None:
    """Append the layer of integers, and what it needs of its operands."""
    pixels = math.prod(sources[0].shape[:2])
    # a function's own layer copies its input
    own = scale if layer.function is None else Scale(sources[0].scale, sources[0].zero_point)
    ends = layer.clamp if layer.function is None else _OPEN
    output, clamp = TensorSpec.of_shape(layer.name, layer.shape, *own), _clamp(ends, own)
    reals = [source.scale for source in sources]
    if layer.kind is LayerKind.ADD:
        sources = list(made.alike(layer.name, *sources))
    if layer.kind is LayerKind.MULTIPLY:
        if sources[1].shape[:2] != (1, 1):
            made.multiply(*made.alike(layer.name, *sources), output, clamp)
            return
        value, vector = (made.dense(layer.name, source) for source in sources)
        sources = [value, made.factors(layer.name, vector)]
    made.enter(
        Layer(
            name=layer.name,
            kind=layer.kind,
            inputs=tuple(source.name for source in sources),
            output=output,
            kernel=layer.kernel,
            stride=layer.stride,
            padding=layer.padding,
            clamp=clamp,
            **_parameters(layer, reals, own.scale, pixels)._asdict(),
        )
    )


def _join(made: MadeLayers, joint: FloatJoint, scale: Scale) -> None:
    """Let a tensor consist of its parts, of which the last is made now."""
    output = TensorSpec.of_shape(joint.name, joint.shape, *scale)
    parts = [made.layers[part].output for part in joint.parts]
    if joint.pixels:
        made.joints.lay(parts, list(joint.pixels), output)
    else:
        made.joints.join(parts, output)


def quantize_weights(
    weight: Tensor, bias: Tensor, input_scale: float, given: Tensor | None = None
) -> QuantizedWeights:
    """Symmetric int8 weights with one scale per output channel (the first axis).

    A channel of tiny weights gets the smallest scale with which its bias still fits. Weights that
    are integers of ``given`` scales float64[K] keep them, but for channels of zeros.

    Raises
    ------
    ValueError
        If a bias does not fit a given scale.
    """
    flat = weight.flatten(1).abs().amax(1).double().numpy()
    real_bias = bias.double().numpy()
    scales = np.maximum(flat / 127, np.abs(real_bias) / (input_scale * _BIAS_LIMIT))
    scales = np.where(scales > 0, scales, 1.0)
    if given is not None:
        scales = np.where(flat > 0, given.numpy(), scales)
        steps = float((np.abs(real_bias) / (input_scale * scales)).max())
        if steps > _BIAS_LIMIT:
            raise ValueError(f"bias must have at most {_BIAS_LIMIT} steps, not {steps:.0f}")
    shape = (-1, *[1] * (weight.ndim - 1))
    least = -127 if given is None else -128
    quantized = np.clip(np.rint(weight.double().numpy() / scales.reshape(shape)), least, 127)
    quantized_bias = np.rint(real_bias / (input_scale * scales))
    return QuantizedWeights(quantized.astype(np.int8), scales, quantized_bias.astype(np.int32))


def _checked(images: Images) -> list[Tensor]:
    """Images of each input, which are refused where they are none."""
    given = [images] if isinstance(images, Tensor) else list(images)
    for place, values in enumerate(given):
        what = _what(place)
        if not values.is_floating_point() or not 2 <= values.ndim <= 4 or not len(values):
            rule = "must be floating point of shape [N, C, H, W], [N, C, L] or [N, C]"
            raise CosilicoError(f"{what} {rule}, not {values.dtype} {list(values.shape)}")
        if not bool(torch.isfinite(values).all()):
            raise CosilicoError(f"{what} must be finite")
        if len(values) != len(given[0]):
            raise CosilicoError(f"{what} must be {len(given[0])}, as of input, not {len(values)}")
    return given


def _fitting(network: FloatNetwork, given: list[Tensor]) -> list[Tensor]:
    """Images [N, C, H, W] of each input of a network."""
    inputs = network.inputs
    if len(given) != len(inputs):
        rule = f"calibration images must be of {len(inputs)} inputs"
        raise CosilicoError(f"{rule}, not of {len(given)}")
    for place, (source, values) in enumerate(zip(inputs, given, strict=True)):
        if values.shape[1:] != source.sizes:
            rule = f"{_what(place)} must have shape [N, {', '.join(map(str, source.sizes))}]"
            raise CosilicoError(f"{rule}, not {list(values.shape)}")
    shapes = [(len(given[0]), source.shape[2], *source.shape[:2]) for source in inputs]
    return [values.reshape(shape) for values, shape in zip(given, shapes, strict=True)]


def _what(place: int) -> str:
    return f"calibration images of {INPUT}_{place}" if place else "calibration images"


def _parameters(layer: FloatLayer, inputs: list[float], output: float, pixels: int) -> _Parameters:
    """Integer parameters for the scales of the inputs and the output."""
    if layer.kind in ALIKE:
        return _NO_PARAMETERS
    if layer.kind is LayerKind.MEAN:
        multiplier, shift = quantize_multipliers(np.array([inputs[0] / (pixels * output)]))
        return _NO_PARAMETERS._replace(multiplier=multiplier, shift=shift)
    if layer.kind is LayerKind.MULTIPLY:
        multiplier, shift = quantize_multipliers(np.array([inputs[0] * inputs[1] / output]))
        return _NO_PARAMETERS._replace(multiplier=multiplier, shift=shift)
    if layer.kind is LayerKind.ADD:
        multiplier, shift = quantize_multipliers(add_factors(inputs[0], inputs[1], output))
        return _NO_PARAMETERS._replace(multiplier=multiplier, shift=shift)
    quantized = quantize_weights(
        *layer.parameters(), inputs[0], layer.weight_scales
    )  # [K, C, kh, kw]
    multiplier, shift = quantize_multipliers(inputs[0] * quantized.scales / output)
    if layer.kind is LayerKind.DEPTHWISE:
        weights = quantized.weights[:, 0].transpose(1, 2, 0)  # [kh, kw, C]
    else:
        weights = quantized.weights.transpose(0, 2, 3, 1)  # [K, kh, kw, C]
    return _Parameters(np.ascontiguousarray(weights), quantized.bias, multiplier, shift)


def _clamp(ends: tuple[float, float], scale: Scale) -> tuple[int, int]:
    """Quantized bounds of a fused activation."""
    low, high = (_quantized_bound(end, scale) for end in ends)
    return (low, high)


def _quantized_bound(real: float, scale: Scale) -> int:
    if math.isinf(real):
        return 127 if real > 0 else -128
    steps = math.copysign(math.floor(abs(real) / scale.scale + 0.5), real)
    return int(min(127, max(-128, scale.zero_point + steps)))

"""Functions that become activation tables, drawn for ONNX models in both forms that the importer reads."""

from typing import Any, Protocol

import numpy as np

__all__ = ["INTEGER_FUNCTIONS", "REAL_FUNCTIONS", "integer_function", "real_function"]

_MICROSOFT = "com.microsoft"

REAL_FUNCTIONS = (
    "Celu", "Elu", "HardSigmoid", "HardSwish", "LeakyRelu", "PRelu", "Sigmoid", "Tanh", "gate",
    "hard gate",
)  # fmt: skip
"""Operators on real numbers; a gate is a sigmoid times its input."""

INTEGER_FUNCTIONS = ("QLinearLeakyRelu", "QLinearSigmoid", "gate")
"""Operators on integers."""

_SLOPES = (0.0, 0.01, 0.1, 0.25, 1.0)


class GraphWriter(Protocol):
    """Nodes and constants of a graph; ``dtype`` is that of its activations."""

    dtype: np.dtype[Any]

    def constant(self, data: Any, dtype: Any) -> str:
        """Append an initializer; return its name."""
        ...

    def node(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Append a node; return its output."""
        ...


def real_function(graph: GraphWriter, name: str, x: str, rng: np.random.Generator) -> str:
    """Append a function of ``REAL_FUNCTIONS`` of a real tensor whose slope is 1.5 at most."""
    match name:
        case "Celu" | "Elu" | "LeakyRelu":
            return graph.node(name, x, alpha=_slope(rng) or 0.5)
        case "HardSigmoid":
            alpha, beta = (float(np.float32(value)) for value in rng.uniform(0.1, 0.6, 2))
            return graph.node(name, x, alpha=alpha, beta=beta)
        case "PRelu":
            shape = [(), (1,), (1, 1, 1)][int(rng.integers(3))]
            slope = float(rng.choice([-1, 1])) * _slope(rng)
            return graph.node(name, x, graph.constant(np.full(shape, slope), np.float32))
        case "gate" | "hard gate":
            if name == "gate":
                gate = graph.node("Sigmoid", x)
            else:
                gate = graph.node("HardSigmoid", x, alpha=1 / 6, beta=0.5)
            if rng.random() < 0.5:
                both = _quantization(graph, 1 / 255, 0 if graph.dtype == np.uint8 else -128)
                quantized = graph.node("QuantizeLinear", gate, *both)
                gate = graph.node("DequantizeLinear", quantized, *both)
            return graph.node("Mul", *([x, gate] if rng.random() < 0.5 else [gate, x]))
    return graph.node(name, x)


def integer_function(
    graph: GraphWriter,
    name: str,
    x: tuple[str, str, str],
    result: tuple[str, str],
    rng: np.random.Generator,
) -> str:
    """Append a function of ``INTEGER_FUNCTIONS`` of an integer tensor, its scale and its zero point.

    ``result`` has scale and zero point of the output.
    """
    match name:
        case "QLinearLeakyRelu":
            return graph.node(name, *x, *result, domain=_MICROSOFT, alpha=_slope(rng))
        case "gate":
            both = _quantization(graph, 1 / 255, 0 if graph.dtype == np.uint8 else -128)
            gate = graph.node("QLinearSigmoid", *x, *both, domain=_MICROSOFT)
            operands = [x, (gate, *both)]
            if rng.random() < 0.5:
                operands.reverse()
            return graph.node("QLinearMul", *operands[0], *operands[1], *result, domain=_MICROSOFT)
    return graph.node(name, *x, *result, domain=_MICROSOFT)


def _slope(rng: np.random.Generator) -> float:
    return float(np.float32(rng.choice([*_SLOPES, rng.uniform(0, 1)])))


def _quantization(graph: GraphWriter, scale: float, zero_point: int) -> tuple[str, str]:
    return graph.constant(scale, np.float32), graph.constant(zero_point, graph.dtype)

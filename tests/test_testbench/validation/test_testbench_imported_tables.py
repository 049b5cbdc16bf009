"""Networks with tables of imported ONNX models and PyTorch modules in RTL: every bit and every cycle."""

import numpy as np
import pytest
import torch
from torch import nn

from accelerators import TABLED, small_accelerator
from onnx_graphs import Graph, convolution, lowered
from sampled import sampled
from sim.importers.pytorch.quantize import quantize_module
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import Design
from sim.spec.network import LayerKind, Network
from sim.spec.views import View
from testbench.cases.tflite_functions import PRODUCTS, function_model
from testbench.cases.tflite_models import import_random
from testbench.validation.simulate import simulate

SMALL = small_accelerator(1, 2, activation_table=1)


def onnx_network() -> Network:
    """SiLU behind a convolution, HardSwish of what is added behind, and Tanh of the model's input."""
    graph = Graph("uint8")
    x = graph.pair("x", 0.03, 5)
    bent = graph.pair(graph.node("Tanh", x), 2**-7, 0)
    y = graph.pair(convolution(graph, x, 0.03, (9, 3, 3, 3), pads=[1] * 4), 0.05, -4)
    gate = graph.pair(graph.node("Sigmoid", y), 1 / 255, -128)
    silu = graph.pair(graph.node("Mul", y, gate), 0.03, -110)
    z = graph.pair(convolution(graph, bent, 2**-7, (9, 3, 1, 1)), 0.02, 3)
    total = graph.pair(graph.node("Add", silu, z), 0.06, -60)
    y = graph.pair(graph.node("HardSwish", total), 0.04, -100)
    y = graph.pair(convolution(graph, y, 0.04, (9, 1, 3, 3), group=9), 0.05, 9)
    y = graph.pair(graph.node("LeakyRelu", y, alpha=0.1), 0.03, -70)
    return lowered(graph.model(y, (1, 3, 7, 6))).network


class Block(nn.Module):
    """A residual block of a SiLU that others read, too, and a GELU behind a depthwise convolution."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.first, self.wide = nn.Conv2d(3, 9, 3, padding=1), nn.Conv2d(9, 9, 3, groups=9)
        self.last, self.prelu = nn.Linear(9 * 5 * 4, 5), nn.PReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Class scores [N, 5]."""
        y = self.first(x)
        y = y + nn.functional.silu(y)
        y = nn.functional.gelu(self.wide(y))
        result: torch.Tensor = self.prelu(self.last(torch.flatten(y, 1)))
        return result


def pytorch_network() -> Network:
    images = torch.randn(6, 3, 7, 6, generator=torch.Generator().manual_seed(5))
    return quantize_module(Block(), images, name="block")


def multiplying_networks() -> list[Network]:
    """Models with products pixel by pixel."""
    models = (function_model(name, np.random.default_rng(2)) for name in PRODUCTS)
    return [import_random(model, 2).network for model in models]


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("config", "view"),
    sampled(
        [(TABLED, View.SIMULATION), (SMALL, View.SIMULATION), (SMALL, View.SYNTHESIS)],
        lambda case: case[0] is TABLED,
        fields=True,
    ),
)
def test_imported_tables_are_exact(config: AcceleratorConfig, view: View) -> None:
    kinds = set()
    for network in (onnx_network(), pytorch_network(), *multiplying_networks()):
        tables = [layer for layer in network.layers if layer.table is not None]
        assert len(tables) >= 3
        kinds |= {layer.kind for layer in tables}
        images = np.random.default_rng(6).integers(-128, 128, (2, *network.input.shape))
        design = Design(accelerator=config, network=network)
        result = simulate(design, inputs=images.astype(np.int8), view=view)
        assert result.exact, network.name
    assert kinds == {
        LayerKind.ADD, LayerKind.CONV, LayerKind.DEPTHWISE, LayerKind.FULLY_CONNECTED, LayerKind.MAX_POOL,
    }  # fmt: skip

"""The ranges that activations take on calibration images."""

from torch import Tensor

from sim.importers.pytorch.float_network import FloatNetwork

__all__ = ["activation_ranges"]


def activation_ranges(network: FloatNetwork, images: Tensor) -> dict[str, tuple[float, float]]:
    """Least and greatest value of every tensor, the input included, on images [N, C, H, W]."""
    ranges: dict[str, tuple[float, float]] = {}

    def widen(name: str, values: Tensor) -> None:
        low, high = ranges.get(name, (float("inf"), float("-inf")))
        ranges[name] = (min(low, float(values.min())), max(high, float(values.max())))

    network.visit(images, widen)
    return ranges

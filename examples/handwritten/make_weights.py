"""Make the weights of the hand-written design: ``python make_weights.py DIR``.

Writes DIR/design.json (a copy) and DIR/weights.npz. A real network brings trained weights; these
are random, but quantized by the same rules.
"""

import json
import math
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ADD_LEFT_SHIFT = 20


def main(directory: Path) -> None:
    """Write the design and its weights."""
    source = Path(__file__).parent / "design.json"
    network = json.loads(source.read_text())["network"]
    generator = np.random.default_rng(7)
    tensors = {network["input"]["name"]: network["input"]}
    arrays: dict[str, NDArray[Any]] = {}
    for layer in network["layers"]:
        inputs = [tensors[name] for name in layer["inputs"]]
        made = layer_arrays(layer, inputs, generator)
        arrays |= {f"{layer['name']}.{name}": array for name, array in made.items()}
        tensors[layer["name"]] = layer["output"]
    directory.mkdir(parents=True, exist_ok=True)
    np.savez(directory / "weights.npz", **arrays)  # type: ignore[arg-type]  # a name could be allow_pickle
    shutil.copyfile(source, directory / "design.json")


def layer_arrays(
    layer: dict[str, Any], inputs: list[dict[str, Any]], generator: np.random.Generator
) -> dict[str, NDArray[Any]]:
    """Arrays of one layer, as ``weights.npz`` names them."""
    kernel = layer.get("kernel", [1, 1])
    channels, outputs = inputs[0]["channels"], layer["output"]["channels"]
    if layer["kind"] == "global_average_pool":
        return {}
    if layer["kind"] == "add":
        a, b, out = inputs[0]["scale"], inputs[1]["scale"], layer["output"]["scale"]
        larger = 2 * max(a, b)
        return factors([a / larger, b / larger, larger / (out * 2**ADD_LEFT_SHIFT)])
    depthwise = layer["kind"] == "depthwise"
    shape = (*kernel, channels) if depthwise else (outputs, *kernel, channels)
    weights = generator.integers(-127, 128, shape).astype(np.int8)
    # Of a size at which the sums of this many random products fill the int8 range.
    products = math.prod(kernel) * (1 if depthwise else channels)
    weight_scale = generator.uniform(0.5, 1.5, outputs) / (30 * math.sqrt(products))
    real = inputs[0]["scale"] * weight_scale / layer["output"]["scale"]
    return {
        "weights": weights,
        "bias": generator.integers(-2000, 2000, outputs).astype(np.int32),
        **factors(list(real)),
    }


def factors(real: list[float]) -> dict[str, NDArray[Any]]:
    """Real factors as ``multiplier`` · 2^(``shift`` - 31), the multiplier in 2^30 … 2^31 - 1."""
    pairs = [math.frexp(value) for value in real]
    rounded = [(round(significand * 2**31), exponent) for significand, exponent in pairs]
    carried = [(m // 2, e + 1) if m == 2**31 else (m, e) for m, e in rounded]
    return {
        "multiplier": np.array([m for m, _ in carried], np.int32),
        "shift": np.array([e for _, e in carried], np.int32),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Random uint8 models and what LiteRT's reference kernels compute of them, as a file for a test.

Run as ``PYTHONPATH=. python tests/support/litert_reference.py FILE``, in an environment that has
the package ai-edge-litert, too; TensorFlow Lite Micro has no kernels of uint8.
"""

import importlib
import sys
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.importers.tflite.reader import parse_tflite
from unsigned_models import near_ties, random_unsigned_model

MODELS = 24
IMAGES = 2
MOST_BYTES = 1 << 13
"""Size of the largest model that is taken."""

TIES = 24
"""Models of sums at ties, of each kind of convolution."""


def main(path: Path) -> None:
    """Write, for each model n: ``n.model`` its file, ``n.x``, and ``n.NAME`` for each computed tensor."""
    interpreter = importlib.import_module("ai_edge_litert.interpreter")

    drawn = (random_unsigned_model(seed) for seed in count())
    contents = list(islice((m for m in drawn if len(m) <= MOST_BYTES), MODELS))
    contents += [
        near_ties(seed, depthwise=depthwise) for seed in range(TIES) for depthwise in (False, True)
    ]
    arrays: dict[str, Any] = {}
    for number, content in enumerate(contents):
        runner = interpreter.Interpreter(
            model_content=content,
            experimental_op_resolver_type=interpreter.OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=True,
        )
        runner.allocate_tensors()
        (port,) = runner.get_input_details()
        x = _inputs(np.random.default_rng(number), tuple(port["shape"][1:]), port["dtype"])
        model = parse_tflite(content, "model")
        computed = [index for operator in model.operators for index in operator.outputs]
        rows: dict[int, list[NDArray[Any]]] = {index: [] for index in computed}
        for row in x:
            runner.set_tensor(port["index"], row[None])
            runner.invoke()
            for index in computed:
                rows[index].append(np.array(runner.get_tensor(index))[0])
        arrays[f"{number}.model"] = np.frombuffer(content, np.uint8)
        arrays[f"{number}.x"] = x
        for index in computed:
            arrays[f"{number}.{model.tensors[index].name}"] = np.stack(rows[index])
    np.savez_compressed(path, **arrays)


def _inputs(rng: np.random.Generator, shape: tuple[int, ...], dtype: type) -> NDArray[Any]:
    if dtype == np.float32:
        return rng.normal(0, 20, (IMAGES, *shape)).astype(np.float32)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, (IMAGES, *shape), endpoint=True).astype(dtype)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Speed of the performance model: first run, evaluations per second, a whole space, linearity, ZigZag.

Run as ``python benchmarks/model_speed.py [--zigzag PYTHON]``; ``PYTHON`` is an interpreter of an
environment with ``zigzag-dse`` and ``six``. An evaluation maps a network onto an accelerator and
predicts its cycles and traffic; nothing is kept from one accelerator to the next. Seconds are of CPU
time, so that other work beside it does not count; of the whole space the clock's are given too.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from cosilico.evaluation import evaluate_chunks
from sim.cost.costs import evaluate_many
from sim.networks.named import mobilenet_v2
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.network import Layer, LayerKind, Network
from sim.spec.spaces import EDGE
from testbench.cases.layers import random_tensor, windowed

REPEATS = 3
SAMPLE = 1000
"""Accelerators of the space that one core evaluates."""

FIRST_RUN = """
import os
from sim.cost.costs import evaluate_many
from sim.networks.named import named_network
from sim.spec.spaces import EDGE
network = named_network("resnet8")
started = sum(os.times()[:4])
evaluate_many([EDGE.default], network)
print(sum(os.times()[:4]) - started)
"""
"""A process of its own, with nothing compiled yet; its children count."""

PAIRS_OF_LAYERS = (8, 16, 32, 64, 128)
"""Lengths of the networks that show linearity: that many 1x1 and depthwise layers."""


def main() -> None:
    """Measure all speeds of the model; print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--zigzag", metavar="PYTHON", help="an interpreter that has ZigZag")
    zigzag = parser.parse_args().zigzag
    print(first_run(), flush=True)
    network = mobilenet_v2()
    configs = sample(SAMPLE)
    evaluate_many(configs[:2], network)
    seconds = best_of(configs, network)
    print(
        f"{network.name}: {len(network.layers)} layers, {len(configs)} accelerators of the edge "
        f"space in {seconds:.2f} s of CPU time: {len(configs) / seconds:,.0f} evaluations/s, "
        "mapping included",
        flush=True,
    )
    print(whole_space(network), flush=True)
    for line in linearity(configs[: SAMPLE // 5]):
        print(line, flush=True)
    if zigzag:
        print(compare_zigzag(zigzag, network, seconds / len(configs)))


def first_run() -> str:
    """Compile the kernels that an evaluation needs."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", FIRST_RUN],
            env=os.environ | {"COSILICO_CACHE": folder},
            capture_output=True,
            text=True,
            check=True,
        )
    return f"first evaluation, kernels compiled: {float(done.stdout):.1f} s of CPU time"


def sample(count: int) -> list[AcceleratorConfig]:
    """Points of the edge space, evenly spread by chance."""
    rng = np.random.default_rng(0)
    return [EDGE.at(int(i)) for i in rng.choice(len(EDGE), count, replace=False)]


def best_of(configs: list[AcceleratorConfig], network: Network) -> float:
    """Least CPU seconds of a few repeats of a call."""
    seconds = []
    for _ in range(REPEATS):
        started = time.process_time()
        evaluate_many(configs, network, columns=("cycles",))
        seconds.append(time.process_time() - started)
    return min(seconds)


def whole_space(network: Network) -> str:
    """Enumerate the edge space on all cores, starting the processes included."""
    jobs = os.cpu_count() or 1
    started, used = time.perf_counter(), cpu_seconds()
    chunks = list(evaluate_chunks(network, tuple(EDGE), jobs))
    seconds, used = time.perf_counter() - started, cpu_seconds() - used
    realizable = sum(not codes for chunk in chunks for codes in chunk.violations)
    return (
        f"{network.name}: the edge space, {len(EDGE):,} accelerators ({realizable:,} realizable), "
        f"in {used:.1f} s of CPU time, {seconds:.1f} s on {jobs} cores, area and energy included"
    )


def cpu_seconds() -> float:
    """CPU time of this process and of those that it has waited for."""
    return sum(os.times()[:4])


def linearity(configs: list[AcceleratorConfig]) -> list[str]:
    """Time per layer of longer and longer networks of the same layers."""
    lines = []
    for pairs in PAIRS_OF_LAYERS:
        network = repeated(pairs)
        evaluate_many(configs[:1], network)
        per_layer = best_of(configs, network) / len(configs) / len(network.layers)
        lines.append(f"{len(network.layers)} equal layers: {1e6 * per_layer:.2f} µs per layer")
    return lines


def repeated(pairs: int) -> Network:
    """``pairs`` times a 1x1 layer and a depthwise layer on 14x14x96."""
    rng = np.random.default_rng(0)
    source = random_tensor("input", 14, 14, 96, rng)
    layers: list[Layer] = []
    current = source
    for index in range(pairs):
        layers.append(windowed(f"dense{index}", LayerKind.CONV, current, 1, 1, rng, 96, plain=True))
        current = layers[-1].output
        layers.append(
            windowed(f"spatial{index}", LayerKind.DEPTHWISE, current, 3, 1, rng, plain=True)
        )
        current = layers[-1].output
    return Network(name="repeated", input=source, layers=tuple(layers))


def compare_zigzag(python: str, network: Network, seconds: float) -> str:
    """Time ZigZag on the same layers in this run, and say what each time includes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layers.json"
        path.write_text(json.dumps(zigzag_layers(network)))
        script = Path(__file__).with_name("zigzag_speed.py")
        done = subprocess.run(
            [python, str(script), str(path)], capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        sys.exit(f"ZigZag failed:\n{done.stderr[-2000:]}")
    report = json.loads(done.stdout.splitlines()[-1])
    return "\n".join(
        (
            f"{network.name}, {report['layers']} layers with weights, CPU seconds per network:",
            f"  this model, mapping chosen, transfers and all layers: {seconds:.6f}",
            f"  ZigZag, cost model alone, mappings given and inputs parsed: "
            f"{report['cost_model_s']:.3f} ({report['cost_model_s'] / seconds:,.0f} times)",
            f"  ZigZag, whole call with its mapping search (lpf_limit {report['factors']}) on "
            f"{report['architecture']}: {report['whole_call_s']:.1f} "
            f"({report['whole_call_s'] / seconds:,.0f} times)",
        )
    )


def zigzag_layers(network: Network) -> list[dict[str, Any]]:
    """Layers with weights in ZigZag's workload format; each reads the layer before it."""
    workload: list[dict[str, Any]] = []
    for layer in network.layers:
        if not layer.macs:
            continue
        out, source = layer.output, network.tensors[layer.inputs[0]]
        window = {"FY": layer.kernel[0], "FX": layer.kernel[1]}
        pixels = {"OY": out.height, "OX": out.width}
        if layer.kind is LayerKind.DEPTHWISE:
            sizes = {"B": 1, "G": out.channels, **pixels, **window}
            equation = "O[b][g][oy][ox]+=W[g][fy][fx]*I[b][g][iy][ix]"
        else:
            sizes = {"B": 1, "K": out.channels, "C": source.channels, **pixels, **window}
            equation = "O[b][k][oy][ox]+=W[k][c][fy][fx]*I[b][c][iy][ix]"
        index = len(workload)
        workload.append(
            {
                "id": index,
                "name": layer.name,
                "operator_type": "Conv",
                "equation": equation,
                "dimension_relations": [
                    f"ix={layer.stride[1]}*ox+1*fx",
                    f"iy={layer.stride[0]}*oy+1*fy",
                ],
                "loop_dims": list(sizes),
                "loop_sizes": list(sizes.values()),
                "operand_precision": {"W": 8, "I": 8, "O": 16, "O_final": 8},
                "operand_source": {"W": index, "I": max(0, index - 1)},
            }
        )
    return workload


if __name__ == "__main__":
    main()

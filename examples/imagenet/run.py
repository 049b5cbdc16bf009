"""A network trained on ImageNet by others, to int8 and through RTL on two accelerators.

Usage: python examples/imagenet/run.py NETWORK OUT [--images N] [--no-rtl] [--pictures DIR]
"""

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from networks import NETWORKS, TrainedNetwork, class_name, top_classes
from numpy.typing import NDArray
from photographs import FREE, JUDGED, calibration_photographs, judged_photographs
from PIL import Image

from cosilico.evaluation import evaluate_chunks
from cosilico.gateware import current_calibration
from cosilico.images import ImageSet, save_arrays
from cosilico.imports import program_host
from cosilico.progress import progress_bar
from cosilico.simulation import simulate_design
from cosilico.summary import accelerator_text
from sim import golden
from sim.cost.area import area
from sim.cost.table import CostTable
from sim.importers.folder import ImportedNetwork
from sim.importers.folder import save as save_imported
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.design import Design, save
from sim.spec.errors import CosilicoError
from sim.spec.files import write_atomic
from sim.spec.network import Network
from sim.spec.spaces import EDGE

MACS_PER_CYCLE = 4096
"""MACs per cycle of the second accelerator: a quarter of the first accelerator's."""

_PICTURE_SIDE = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """Arguments: network, where to write, how many photographs run in RTL, where a page's pictures go."""

    network: TrainedNetwork
    out: Path
    images: int
    rtl: bool
    pictures: Path | None


def main() -> int:
    """Print what the photographs show, in floating point and int8, then cycles of both runs."""
    try:
        _run(_arguments())
    except CosilicoError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _run(arguments: Arguments) -> None:
    trained = arguments.network
    module = trained.pretrained()
    calibration_pixels, labels = calibration_photographs()
    pixels = judged_photographs()
    network = trained.quantized(module, calibration_pixels)
    imported = _imported(trained, network)
    real = trained.real_images(pixels)
    steps = imported.host.prepare(real.numpy())
    classes = {
        "judged": _classified(module, imported, real),
        "calibration": _classified(module, imported, trained.real_images(calibration_pixels)),
    }
    _print_classes(classes["judged"])
    right = {
        form: sum(row[0] == label for row, label in zip(top, labels, strict=True))
        for form, top in classes["calibration"].items()
    }
    for form, count in right.items():
        print(f"calibration images, {form}: {count} of {len(labels)} right")
    if arguments.pictures is not None:
        _write_pictures(arguments.pictures, pixels)
    save_imported(imported, arguments.out / "net")
    save_arrays(arguments.out / "net" / "test.npz", x=real.numpy())
    accelerators = {"default": EDGE.default}
    if arguments.rtl:
        accelerators["small"] = small_accelerator(network)
    runs = {}
    for name, accelerator in accelerators.items():
        design = Design(network=network, accelerator=accelerator)
        save(design, arguments.out / name / "design.json")
        save_arrays(arguments.out / name / "test.npz", x=steps)
        if arguments.rtl:
            runs[name] = _simulated(design, steps[: arguments.images])
            _print_run(name, design, runs[name])
    names = {
        form: [[class_name(number) for number in top] for top in tops]
        for form, tops in classes["judged"].items()
    }
    document = {
        "network": trained.name,
        "photographs": JUDGED,
        "classes": names,
        "calibration_right": right,
        "top5": classes,
        "rtl": runs,
    }
    write_atomic(arguments.out / "results.json", json.dumps(document, indent=1) + "\n")


def small_accelerator(network: Network) -> AcceleratorConfig:
    """Fastest accelerator of the space `edge` with ``MACS_PER_CYCLE`` and at most the default's area.

    If several take the same time, it is the smallest of them.
    """
    budget = area(EDGE.default).total
    configs = [config for config in EDGE if config.macs == MACS_PER_CYCLE]
    configs = [config for config in configs if area(config).total <= budget]
    tables: list[CostTable] = []
    with progress_bar() as report:
        for table in evaluate_chunks(network, configs, os.cpu_count() or 1):
            tables.append(table)
            report("accelerators", sum(map(len, tables)), len(configs))
    row = CostTable.concatenate(tables).optimum(budget)
    if row is None:
        raise CosilicoError(f"no accelerator of {MACS_PER_CYCLE} MACs runs {network.name}")
    return configs[row]


def _imported(trained: TrainedNetwork, network: Network) -> ImportedNetwork:
    """Return what ``cosilico import`` would write."""
    origin = {
        "file": trained.package,
        "format": "pytorch",
        "tensors": {layer.name: layer.name for layer in network.layers},
    }
    return ImportedNetwork(network=network, host=program_host(network), source=origin)


def _classified(
    module: torch.nn.Module, imported: ImportedNetwork, images: torch.Tensor
) -> dict[str, list[list[int]]]:
    """Five best classes of every image, of the module and of the int8 network."""
    with torch.no_grad():
        scores = module(images).numpy()
    network = imported.network
    steps = imported.host.prepare(images.numpy())
    logits = golden.run(network, steps)[network.output.name].reshape(len(images), -1)
    return {"float": top_classes(scores), "int8": top_classes(logits)}


def _simulated(design: Design, x: NDArray[np.int8]) -> dict[str, Any]:
    with progress_bar() as report:
        start = time.perf_counter()
        result = simulate_design(design, ImageSet(x), current_calibration(), report)
        seconds = time.perf_counter() - start
    if not result.exact:
        raise CosilicoError(f"RTL differs from reference and model on {design.accelerator}")
    logits = result.outputs.reshape(len(x), -1)
    return result.to_json() | {
        "accelerator": design.accelerator.to_json(),
        "area": area(design.accelerator).total,
        "top5": top_classes(logits),
        "seconds_with_build": seconds,
    }


def _print_classes(classes: dict[str, list[list[int]]]) -> None:
    for i, name in enumerate(JUDGED):
        for form, top in classes.items():
            print(f"{name:>10}  {form:<5}  {', '.join(class_name(k) for k in top[i])}")


def _print_run(name: str, design: Design, run: dict[str, Any]) -> None:
    cycles, clock = run["measured_cycles"], design.accelerator.clock_mhz
    print(f"{name}: {accelerator_text(design.accelerator.to_json())}")
    print(f"  {run['macs_per_cycle']:,} MACs per cycle, {run['area']:.1f} mm² in 45 nm")
    print(f"  {run['images']} photographs, {run['mismatched_activations']} activations differ")
    print(
        f"  {cycles:,} cycles measured, {run['predicted_cycles']:,} predicted, "
        f"{cycles / clock / 1000:.3f} ms at {clock} MHz, utilization {run['utilization']:.1%}"
    )
    print(
        f"  simulated at {run['cycles_per_s']:,.0f} cycles/s, "
        f"{cycles / run['cycles_per_s']:.0f} s per photograph"
    )
    for i, top in enumerate(run["top5"]):
        print(f"  {JUDGED[i]:>10}  {', '.join(class_name(k) for k in top)}")


def _write_pictures(folder: Path, pixels: NDArray[np.uint8]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in FREE:
        picture = Image.fromarray(pixels[JUDGED.index(name)])
        picture = picture.resize((_PICTURE_SIDE, _PICTURE_SIDE))
        picture.save(folder / f"{name}.jpg", quality=80)


def _arguments() -> Arguments:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("network", choices=sorted(NETWORKS))
    parser.add_argument("out", type=Path, help="folder for designs and results")
    parser.add_argument(
        "--images", type=int, default=len(JUDGED), help="photographs that run in RTL"
    )
    parser.add_argument(
        "--no-rtl",
        dest="rtl",
        action="store_false",
        help="only the reference: no search for an accelerator",
    )
    parser.add_argument("--pictures", type=Path, help="folder for small JPEG files")
    given = parser.parse_args()
    if not 1 <= given.images <= len(JUDGED):
        parser.error(f"--images must be in 1 … {len(JUDGED)}, not {given.images}")
    return Arguments(
        network=NETWORKS[given.network],
        out=given.out,
        images=given.images,
        rtl=given.rtl,
        pictures=given.pictures,
    )


if __name__ == "__main__":
    sys.exit(main())

"""``results.json``: the design, figures and measurements of a run, in one object (docs/reference/results.md)."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from cosilico.results_record import require_results
from cosilico.run_folder import RESULTS_FILE
from sim.cost.area import area
from sim.cost.energy import EnergyBreakdown, cold_energy, energy, energy_delay
from sim.model import predict
from sim.spec.design import Design
from sim.spec.documents import read_json
from sim.spec.errors import DesignFileError
from sim.timing.clock_reach import slowest_module

__all__ = ["SCHEMA", "compared_cycles", "figures", "layer_agreement", "load_results"]

SCHEMA = 1


def figures(design: Design, images: int = 1) -> dict[str, Any]:
    """Figures that the models give for a design: MACs, utilization, traffic, the highest clock, area and energy.

    MACs are those of an image, cycles, traffic and energy those of a program of so many ``images``.
    """
    prediction = predict(design.accelerator, design.network, images=images)
    warm = energy(design.accelerator, prediction)
    cold = cold_energy(design.accelerator, prediction)
    return {
        "accelerator": design.accelerator.to_json(),
        "macs_per_cycle": design.accelerator.macs,
        "macs": design.network.macs,
        "predicted_cycles": prediction.total_cycles,
        "utilization": prediction.utilization,
        "read_bytes": prediction.read_bytes,
        "write_bytes": prediction.write_bytes,
        "spilled": list(prediction.spilled),
        "reach_mhz": slowest_module(design.accelerator).reach_mhz,
        "area": area(design.accelerator).total,
        **_energies(design, warm, prediction.total_cycles),
        **_energies(design, cold, prediction.cold_cycles, "cold_"),
    }


def _energies(
    design: Design, breakdown: EnergyBreakdown, cycles: int, begins: str = ""
) -> dict[str, Any]:
    """Energy of a run, by part as well, and its product with the run's time."""
    return {
        f"{begins}energy": breakdown.total,
        f"{begins}energy_by_part": asdict(breakdown),
        f"{begins}edp": energy_delay(design.accelerator, breakdown.total, cycles),
    }


def layer_agreement(rtl: dict[str, Any]) -> tuple[int, int]:
    """Count the layers whose predicted cycles equal their measured cycles, and all layers."""
    layers = rtl["layers"]
    equal = sum(layer["predicted_cycles"] == layer["measured_cycles"] for layer in layers)
    return equal, len(layers)


def compared_cycles(results: dict[str, Any]) -> tuple[int, int]:
    """Cycles on the default and on the searched accelerator that a run's gain is told by.

    Those measured for an image, or, where several networks share the accelerator, those predicted
    for the whole workload; each network's measured cycles stand in ``workload``.
    """
    if results.get("workload"):
        default, best = (results["search"][name] for name in ("default", "best"))
        return default["predicted_cycles"], best["predicted_cycles"]
    return results["rtl_default"]["measured_cycles"], results["rtl"]["measured_cycles"]


def load_results(directory: Path) -> dict[str, Any]:
    """Read a run's results.

    Raises
    ------
    DesignFileError
        If the file is missing, damaged or of another schema, or a field is wrong.
    """
    path = directory / RESULTS_FILE
    results = read_json(path, "results file")
    if not isinstance(results, dict) or results.get("schema") != SCHEMA:
        raise DesignFileError(f"results file {path} must have schema {SCHEMA}")
    require_results(results, f"results file {path}: results")
    return results

"""Energy of runs, as it was fitted to netlists at work: the one question that search, reports and results ask.

The fits are those that are shipped, ``energy_fits.json`` in this folder, with the silicon that they were fitted with
(:mod:`sim.cost.fitted_energy`). Whether they belong to this gateware is the question of ``cosilico.gateware.current_calibration``.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.cost import energy_fit, silicon_fit
from sim.cost.config_columns import ConfigColumns
from sim.cost.energy_parts import Activity, EnergyBreakdown, Prediction
from sim.cost.fitted_energy import fitted_energies, fitted_energy
from sim.prediction import LayerPrediction
from sim.prediction import Prediction as PredictedProgram
from sim.spec.accelerator import AcceleratorConfig

__all__ = [
    "Activity",
    "EnergyBreakdown",
    "cold_energy",
    "energies",
    "energy",
    "energy_delay",
    "layer_energy",
]


def energy(config: AcceleratorConfig, prediction: Prediction) -> EnergyBreakdown:
    """Energy of a run, of all its images, by part, pJ in 45 nm.

    Raises
    ------
    DesignFileError
        If no fits of energy and of standard cells are shipped.
    """
    return fitted_energy(config, prediction, energy_fit.shipped(), silicon_fit.shipped())


def cold_energy(config: AcceleratorConfig, prediction: PredictedProgram) -> EnergyBreakdown:
    """Energy of the run that fills the weight store, as :func:`energy` has that of a run after it.

    Writes into the weight store are not priced: no run that was simulated has any.
    """
    activity = Activity(
        total_cycles=prediction.cold_cycles,
        execute_busy=prediction.cold_execute_busy,
        read_bytes=prediction.cold_read_bytes,
        write_bytes=prediction.write_bytes,
        store_bytes=prediction.cold_store_bytes,
        descriptor_bytes=prediction.descriptor_bytes,
        layers=prediction.layers,
        images=prediction.images,
    )
    return energy(config, activity)


def layer_energy(config: AcceleratorConfig, layer: LayerPrediction, images: int) -> EnergyBreakdown:
    """Energy of a layer in a run of so many images, by part, pJ in 45 nm, with its own descriptors.

    A run's energy is that of its layers, of its header, and of its cycles before the first and behind the last layer.
    """
    activity = Activity(
        total_cycles=layer.cycles,
        execute_busy=layer.execute_busy,
        read_bytes=layer.read_bytes,
        write_bytes=layer.write_bytes,
        store_bytes=layer.store_bytes,
        descriptor_bytes=layer.descriptor_bytes,
        layers=(layer,),
        images=images,
    )
    return energy(config, activity)


def energy_delay(config: AcceleratorConfig, picojoules: float, cycles: int) -> float:
    """Energy-delay product of a run at the accelerator's clock, pJ · s."""
    return picojoules * cycles / (config.clock_mhz * 1e6)


def energies(
    configs: Sequence[AcceleratorConfig],
    *,
    cycles: NDArray[np.int64],
    execute_busy: NDArray[np.int64],
    read_bytes: NDArray[np.int64],
    write_bytes: NDArray[np.int64],
    store_bytes: NDArray[np.int64],
    descriptor_bytes: NDArray[np.int64],
    macs: int,
    results: int,
) -> NDArray[np.float64]:
    """Energy of one image on each of n accelerators, pJ : float64[n].

    Parameters
    ----------
    configs : sequence of AcceleratorConfig
    cycles, execute_busy, read_bytes, write_bytes, store_bytes, descriptor_bytes : int64[n]
        As in :class:`Activity`.
    macs, results : int
        Multiply-accumulates of the network for one image, and values that its layers make.
    """
    totals = {
        "cycle": cycles,
        "busy": execute_busy,
        "mac": np.full(len(configs), macs),
        "result": np.full(len(configs), results),
        "read": read_bytes,
        "write": write_bytes,
        "store": store_bytes,
        "descriptor": descriptor_bytes,
    }
    columns = ConfigColumns.of(configs)
    return fitted_energies(columns, totals, energy_fit.shipped(), silicon_fit.shipped())

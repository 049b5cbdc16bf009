"""Energy of runs: as it was fitted to netlists at work where such a fit is shipped, else the proxy's.

The one question that search, reports and results ask. ``energy_fits.json`` in this folder decides: with it, and with the
silicon that it was fitted with, energies are those of :mod:`sim.cost.fitted_energy`, without it those of
:mod:`sim.cost.energy_proxy`. Whether a fit that is shipped belongs to this gateware is the question of
``cosilico.gateware.current_calibration``.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.cost import energy_fit, silicon_fit
from sim.cost.config_columns import ConfigColumns
from sim.cost.energy_fit import EnergyFits
from sim.cost.energy_parts import Activity, EnergyBreakdown, Prediction
from sim.cost.energy_proxy import proxy_energies, proxy_energy
from sim.cost.fitted_energy import fitted_energies, fitted_energy
from sim.cost.silicon_fit import SiliconFits
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["Activity", "EnergyBreakdown", "energies", "energy"]


def energy(config: AcceleratorConfig, prediction: Prediction) -> EnergyBreakdown:
    """Energy of a run, of all its images, by part, pJ in 45 nm."""
    fits = _fits()
    if fits is None:
        return proxy_energy(config, prediction)
    return fitted_energy(config, prediction, *fits)


def energies(
    configs: Sequence[AcceleratorConfig],
    *,
    cycles: NDArray[np.int64],
    execute_busy: NDArray[np.int64],
    read_bytes: NDArray[np.int64],
    write_bytes: NDArray[np.int64],
    store_bytes: NDArray[np.int64],
    macs: int,
    results: int,
) -> NDArray[np.float64]:
    """Energy of one image on each of n accelerators, pJ : float64[n].

    Parameters
    ----------
    configs : sequence of AcceleratorConfig
    cycles, execute_busy, read_bytes, write_bytes, store_bytes : int64[n]
        As in :class:`Activity`.
    macs, results : int
        Multiply-accumulates of the network for one image, and values that its layers make.
    """
    fits = _fits()
    if fits is not None:
        columns = {
            "cycle": cycles,
            "busy": execute_busy,
            "mac": np.full(len(configs), macs),
            "result": np.full(len(configs), results),
            "read": read_bytes,
            "write": write_bytes,
            "store": store_bytes,
        }
        return fitted_energies(ConfigColumns.of(configs), columns, *fits)
    return proxy_energies(
        configs,
        execute_busy=execute_busy,
        external_bytes=read_bytes + write_bytes,
        store_bytes=store_bytes,
        macs=macs,
    )


def _fits() -> tuple[EnergyFits, SiliconFits] | None:
    """Fits that are shipped, with the silicon that they are of."""
    fits, silicon = energy_fit.shipped_if_any(), silicon_fit.shipped_if_any()
    return None if fits is None or silicon is None or not silicon.has_cells else (fits, silicon)

"""Energy proxy: arithmetic done and bytes moved, priced with published 45 nm figures.

M. Horowitz, "Computing's energy problem (and what we can do about it)", ISSCC 2014, gives at
45 nm and 0.9 V: int8 multiply 0.2 pJ, int32 add 0.1 pJ, a 64-bit read of an 8 KiB, 32 KiB and
1 MiB SRAM 10, 20 and 100 pJ, a 64-bit DRAM access 1.3 … 2.6 nJ. It ranks designs; it does not
promise joules. What it assumes:

* Each multiply-accumulate of the network costs one int8 multiply and one int32 add. SIMD units
  without work are free.
* In each cycle in which EXECUTE is busy, every lane reads one register-file row and every PE
  one vector of its local memory, whatever the layer. For CONV an upper bound: a vector lasts for
  several cycles, and two pixels are never read at once. For the other kinds, whose lanes read
  their own banks and, in DEPTHWISE, only the new columns of a window, the right order.
* A byte read from outside is written once into local memory, a byte stored is read from it once.
* A LOAD from the weight store reads its rows once from a memory of that size. Writes that fill it, in the first
  run, are not counted.
* A write costs as much as a read of the same memory.

Not counted: writes of results into local memory, window rings, saved accumulators, requantization,
clock tree, control, leakage.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.cost.energy_parts import EnergyBreakdown, Prediction
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["proxy_energies", "proxy_energy", "sram_pj_per_byte"]

INT8_MULTIPLY_PJ = 0.2
INT32_ADD_PJ = 0.1
DRAM_PJ_PER_BYTE = 1300.0 / 8
"""The lower figure: an efficient mobile DRAM."""

_SRAM_POINTS = ((8 << 10, 10.0 / 8), (32 << 10, 20.0 / 8), (1 << 20, 100.0 / 8))
"""(capacity in bytes, pJ per byte)."""


def proxy_energy(config: AcceleratorConfig, prediction: Prediction) -> EnergyBreakdown:
    """Energy of a run, of all its images, by part, pJ of the 45 nm proxy."""
    macs = prediction.images * sum(layer.macs for layer in prediction.layers)
    traffic = prediction.read_bytes + prediction.write_bytes
    return EnergyBreakdown(
        **_parts(macs, prediction.execute_busy, traffic, prediction.store_bytes, *_prices(config))
    )


def proxy_energies(
    configs: Sequence[AcceleratorConfig],
    *,
    execute_busy: NDArray[np.int64],
    external_bytes: NDArray[np.int64],
    store_bytes: NDArray[np.int64],
    macs: int,
) -> NDArray[np.float64]:
    """Energies of one image on each of n accelerators, pJ, those of :func:`proxy_energy`: float64[n]."""
    if not configs:
        return np.zeros(0, np.float64)
    prices = zip(*map(_prices, configs), strict=True)
    kinds = (np.int64, np.int64, np.float64, np.float64, np.float64)
    columns = [np.array(values, kind) for values, kind in zip(prices, kinds, strict=True)]
    parts = _parts(macs, execute_busy, external_bytes, store_bytes, *columns)
    total = np.zeros(len(configs), np.float64)
    for part in parts.values():
        total = total + part
    return total


def _prices(config: AcceleratorConfig) -> tuple[int, int, float, float, float]:
    """Bytes per busy cycle, and pJ per byte: (of rows, of vectors, register files, banks, weight store)."""
    return (
        config.pes * config.compute_lanes * config.row_bytes,
        config.pes * config.vector_bytes,
        sram_pj_per_byte(config.register_file_kb * 1024),
        sram_pj_per_byte(config.local_memory_kb * 1024 // config.compute_lanes),
        sram_pj_per_byte(config.weight_store_kb * 1024),
    )


def _parts(
    macs: int,
    busy: Any,
    traffic: Any,
    stored: Any,
    row_bytes: Any,
    vector_bytes: Any,
    register_pj: Any,
    bank_pj: Any,
    store_pj: Any,
) -> dict[str, Any]:
    """Energy by part, of a run or of each of n: numbers or arrays [n]."""
    return {
        "multiply_accumulate": macs * (INT8_MULTIPLY_PJ + INT32_ADD_PJ),
        "register_files": busy * row_bytes * register_pj,
        "local_memory": (busy * vector_bytes + traffic) * bank_pj,
        "weight_store": stored * store_pj,
        "external_memory": traffic * DRAM_PJ_PER_BYTE,
    }


@lru_cache(maxsize=4096)
def sram_pj_per_byte(size_bytes: int) -> float:
    """Energy of reading one byte of an SRAM of `size_bytes`.

    0 of none. Horowitz's three sizes, straight lines between and beyond them in logarithms: about the square
    root of the capacity.
    """
    if size_bytes == 0:
        return 0.0
    (x0, y0), (x1, y1) = _SRAM_POINTS[:2] if size_bytes <= _SRAM_POINTS[1][0] else _SRAM_POINTS[1:]
    slope = math.log(y1 / y0) / math.log(x1 / x0)
    return float(y0 * (size_bytes / x0) ** slope)

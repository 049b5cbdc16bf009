"""Simulation of a mapped module with the delays of its gates: which nets change, how often, and what that costs.

Every clock cycle begins with the edge: flip-flops and nets from outside change, and changes run through the gates until
all is quiet. A gate's output follows its inputs after the gate's delay, unless they turn back before (an inertial delay):
pulses that are shorter than a gate's delay do not pass it, longer pulses do and count as the glitches that they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwgen.synthesis.gate_events import TOO_LONG, simulate_events
from hwgen.synthesis.gate_model import GateModel

__all__ = ["Switching", "simulate_gates"]

_EVENTS_PER_GATE = 64
"""Most changes of a cycle for each gate, as a mean over all gates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switching:
    """Changes in a window of cycles.

    Parameters
    ----------
    cycles : int
    settled : uint8[cycles, n]
        Values of the observed nets at the end of every cycle.
    clock_fj : float
        Energy of the clock pins.
    gate_fj : float
        Internal energy of gates and flip-flops.
    net_fj : float
        Energy that charges nets.
    """

    cycles: int
    settled: NDArray[np.uint8]
    clock_fj: float
    gate_fj: float
    net_fj: float

    @property
    def total_fj(self) -> float:
        """All of it, without leakage."""
        return self.clock_fj + self.gate_fj + self.net_fj


def simulate_gates(
    model: GateModel,
    driven: NDArray[np.uint8],
    state: NDArray[np.uint8],
    observed: Sequence[int] = (),
    *,
    warm_up: int = 0,
) -> Switching:
    """Simulate a window of cycles.

    Parameters
    ----------
    model : GateModel
    driven : uint8[cycles, n]
        Values of the model's driven nets in every cycle, 0 or 1.
    state : uint8[flip-flops]
        Of the first cycle.
    observed : sequence of int
        Nets whose values are wanted.
    warm_up : int
        Cycles at the beginning that are simulated and not counted.

    Raises
    ------
    ValueError
        If the arrays do not have the shapes of the model.
    RuntimeError
        If gates do not become quiet in time.
    """
    cycles = len(driven)
    if driven.shape != (cycles, len(model.driven)) or state.shape != model.flip_flops.data.shape:
        raise ValueError(
            f"driven must be uint8[cycles, {len(model.driven)}] and state "
            f"uint8[{len(model.flip_flops.data)}], not {list(driven.shape)} and {list(state.shape)}"
        )
    if not 0 <= warm_up < cycles:
        raise ValueError(f"warm_up must be in 0 … {cycles - 1}, not {warm_up!r}")
    gates, flip_flops = model.gates, model.flip_flops
    starts, readers = _readers(model)
    rises = np.zeros(model.nets, np.int64)
    falls = np.zeros(model.nets, np.int64)
    taken = np.zeros((2, len(state)), np.int64)
    settled = np.zeros((cycles, len(observed)), np.uint8)
    fault = simulate_events(
        gates.pins,
        gates.tables,
        gates.outputs,
        gates.rise_ps,
        gates.fall_ps,
        starts,
        readers,
        flip_flops.data,
        flip_flops.outputs,
        flip_flops.inverted,
        flip_flops.delay_ps,
        np.array([net for *_, net in model.driven], np.int32),
        max(1, int(np.median(flip_flops.delay_ps))) if len(state) else 1,
        driven.astype(np.uint8),
        state.astype(np.uint8),
        warm_up,
        np.array(observed, np.int32),
        rises,
        falls,
        taken,
        settled,
        np.zeros(model.nets, np.uint8),
        _EVENTS_PER_GATE * (len(gates.outputs) + len(state) + len(model.driven)) + 1,
    )
    if fault:
        reason = "within a cycle" if fault == TOO_LONG else "without more changes"
        raise RuntimeError(f"gates of {model.name} must become quiet {reason}")
    counted = cycles - warm_up
    changes = taken.sum(axis=0)
    clock = (counted - changes) @ flip_flops.steady_fj + changes @ flip_flops.changing_fj
    internal = (
        rises[gates.outputs] @ gates.rise_fj
        + falls[gates.outputs] @ gates.fall_fj
        + taken[0] @ flip_flops.rise_fj
        + taken[1] @ flip_flops.fall_fj
        + (rises + falls)[flip_flops.data] @ flip_flops.data_fj
    )
    return Switching(
        cycles=counted,
        settled=settled,
        clock_fj=float(clock),
        gate_fj=float(internal),
        net_fj=float((rises + falls) @ model.load_fj),
    )


def _readers(model: GateModel) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Gates at every net: gates of net i are ``readers[starts[i] : starts[i + 1]]``."""
    used = model.gates.pins.ravel()
    gate = np.repeat(np.arange(len(model.gates.pins)), model.gates.pins.shape[1])
    gate, used = gate[used > 1], used[used > 1]
    pairs = np.unique(np.stack((used, gate), axis=1), axis=0)
    starts = np.searchsorted(pairs[:, 0], np.arange(model.nets + 1))
    return starts.astype(np.int32), pairs[:, 1].astype(np.int32)

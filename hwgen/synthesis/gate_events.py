"""Events of a clock cycle in a mapped module: changes that run through gates until all is quiet."""

import numpy as np

from sim.arrays.kernel import inlined, kernel

__all__ = ["TOO_LONG", "TOO_MANY", "simulate_events"]

_SLOTS = 1 << 15
"""Picoseconds within which a cycle must become quiet."""

TOO_LONG, TOO_MANY = 1, 2
"""Faults: a cycle is not quiet in time; it has more events than there is room for."""


@inlined
def _value(pins, tables, values, gate):
    """Output of a gate."""
    index = np.int64(0)
    for place in range(pins.shape[1]):
        index |= np.int64(values[pins[gate, place]]) << place
    return np.uint8((tables[gate] >> np.uint64(index)) & np.uint64(1))


@kernel
def simulate_events(
    pins,
    tables,
    outputs,
    rise_ps,
    fall_ps,
    starts,
    readers,
    data,
    plain,
    inverted,
    clocked_ps,
    driven_nets,
    driven_ps,
    driven,
    state,
    warm_up,
    observed,
    rises,
    falls,
    taken,
    settled,
    values,
    most,
):
    """Simulate all cycles; return 0, or why not.

    Events of a cycle lie in a list for each picosecond. An event is a net and its value; of a gate, which has at most one
    event that is waiting, also the gate, and it is void if the gate is not waiting for it any more.
    """
    gates = outputs.shape[0]
    heads = np.full(_SLOTS, -1, np.int64)
    following = np.empty(most, np.int64)
    event_net = np.empty(most, np.int32)
    event_value = np.empty(most, np.uint8)
    event_gate = np.empty(most, np.int32)
    waiting = np.full(gates, -1, np.int64)
    values[0], values[1] = 0, 1
    for cycle in range(driven.shape[0]):
        count = 0
        last = 0
        if cycle == 0:
            for place in range(driven_nets.shape[0]):
                values[driven_nets[place]] = driven[0, place]
            for place in range(state.shape[0]):
                if plain[place] >= 0:
                    values[plain[place]] = state[place]
                if inverted[place] >= 0:
                    values[inverted[place]] = 1 - state[place]
            for gate in range(gates):
                values[outputs[gate]] = _value(pins, tables, values, gate)
        else:
            for place in range(state.shape[0]):
                following_state = values[data[place]]
                if following_state == state[place]:
                    continue
                state[place] = following_state
                if cycle >= warm_up:
                    taken[0 if following_state else 1, place] += 1
                time = clocked_ps[place]
                last = max(last, time)
                if plain[place] >= 0:
                    event_net[count] = plain[place]
                    event_value[count] = following_state
                    event_gate[count] = -1
                    following[count] = heads[time]
                    heads[time] = count
                    count += 1
                if inverted[place] >= 0:
                    event_net[count] = inverted[place]
                    event_value[count] = 1 - following_state
                    event_gate[count] = -1
                    following[count] = heads[time]
                    heads[time] = count
                    count += 1
            for place in range(driven_nets.shape[0]):
                if driven[cycle, place] != driven[cycle - 1, place]:
                    event_net[count] = driven_nets[place]
                    event_value[count] = driven[cycle, place]
                    event_gate[count] = -1
                    following[count] = heads[driven_ps]
                    heads[driven_ps] = count
                    count += 1
                    last = max(last, driven_ps)
        time = 0
        while time <= last:
            event = heads[time]
            heads[time] = -1
            while event >= 0:
                gate = event_gate[event]
                net, value = event_net[event], event_value[event]
                if gate < 0 or waiting[gate] == event:
                    if gate >= 0:
                        waiting[gate] = -1
                    if values[net] != value:
                        values[net] = value
                        if cycle >= warm_up:
                            if value:
                                rises[net] += 1
                            else:
                                falls[net] += 1
                        for place in range(starts[net], starts[net + 1]):
                            reader = readers[place]
                            out = _value(pins, tables, values, reader)
                            if waiting[reader] >= 0:
                                if event_value[waiting[reader]] != out:
                                    waiting[reader] = -1  # the inputs have turned back
                                continue
                            if out == values[outputs[reader]]:
                                continue
                            when = time + (rise_ps[reader] if out else fall_ps[reader])
                            if when >= _SLOTS:
                                return TOO_LONG
                            if count == most:
                                return TOO_MANY
                            event_net[count] = outputs[reader]
                            event_value[count] = out
                            event_gate[count] = reader
                            following[count] = heads[when]
                            heads[when] = count
                            waiting[reader] = count
                            count += 1
                            last = max(last, when)
                event = following[event]
            time += 1
        for place in range(observed.shape[0]):
            settled[cycle, place] = values[observed[place]]
    return 0

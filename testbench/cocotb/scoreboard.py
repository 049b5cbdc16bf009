"""Comparison of a run with the integer reference and the predicted cycles, as it happens."""

from collections.abc import Mapping
from dataclasses import dataclass

from .description import Description, Probe

__all__ = ["Mismatch", "Scoreboard"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """Difference between what was expected and what was measured.

    Parameters
    ----------
    run : int
        From 0.
    what : str
        ``start``, ``issue_end``, ``end`` or ``duration`` of a descriptor, an activation, a byte of the
        outputs, or a register.
    layer : str or None
    descriptor : int or None
        In program order.
    expected, measured : int
    """

    run: int
    what: str
    layer: str | None
    descriptor: int | None
    expected: int
    measured: int

    def __str__(self) -> str:
        """Return one line that names layer, descriptor, expected and measured."""
        where = f"run {self.run}"
        if self.layer is not None:
            where += f", layer {self.layer!r}"
        if self.descriptor is not None:
            where += f", descriptor {self.descriptor}"
        return f"{where}: {self.what} must be {self.expected}, not {self.measured}"


class Scoreboard:
    """Compares descriptors, activations, outputs and counters with what a description expects.

    Parameters
    ----------
    description : Description
    cycles : bool
        Whether all cycles must be those predicted: on the memory that they were predicted for. If not,
        the durations of EXECUTE descriptors are compared alone, which no memory changes.
    stop : bool
        Whether the first mismatch raises an AssertionError, which ends the test.

    Attributes
    ----------
    predicted : Predicted
        Cycles that runs are compared with: the cold run's at first.
    mismatches : list of Mismatch
    compared : dict
        How many descriptor events, bytes of activations and outputs, and registers were compared.
    """

    def __init__(self, description: Description, *, cycles: bool = True, stop: bool = True) -> None:
        """Begin without mismatches."""
        self.description, self.cycles, self.stop = description, cycles, stop
        self.predicted = description.program.predicted
        self.mismatches: list[Mismatch] = []
        self.compared = {"events": 0, "activations": 0, "outputs": 0, "registers": 0}
        self._offsets: list[int] = []
        total = 0
        for probe in description.program.probes:
            self._offsets.append(total)
            total += description.probe_bytes(probe)

    def compare_event(
        self, run: int, event: str, descriptor: int | None, cycle: int, start: int
    ) -> None:
        """Compare one descriptor's start, end of issue or end.

        Parameters
        ----------
        run : int
        event : str
            One of :data:`.trace.EVENTS`.
        descriptor : int or None
            None if the program has no such descriptor.
        cycle, start : int
            Cycle of the event, and of the descriptor's start.
        """
        program, predicted = self.description.program, self.predicted
        if not predicted.start:
            return  # nothing is expected
        self.compared["events"] += 1
        if descriptor is None:
            self._differ(run, f"{event} of no descriptor", None, None, -1, cycle)
            return
        layer = program.layers[program.layer_indices[descriptor]]
        times = {
            "start": predicted.start,
            "issue_end": predicted.issue_end,
            "end": predicted.end,
        }
        expected = times[event][descriptor]
        if self.cycles:
            if cycle != expected:
                self._differ(run, event, layer, descriptor, expected, cycle)
        elif program.queues[descriptor] == self.description.execute_queue and event != "start":
            duration = expected - times["start"][descriptor]
            if cycle - start != duration:
                what = "duration" if event == "end" else "duration of issue"
                self._differ(run, what, layer, descriptor, duration, cycle - start)

    def compare_probe(self, run: int, number: int, measured: bytes, descriptor: int) -> None:
        """Compare the activations of a probe, bytes [pe_y][pe_x][group][row][column][S]."""
        program = self.description.program
        probe, first = program.probes[number], self._offsets[number]
        expected = program.activations[run][first : first + len(measured)]
        mask = program.activation_mask[first : first + len(measured)]
        self.compared["activations"] += len(measured) - mask.count(0)
        place = _first_difference(expected, measured, mask)
        if place is not None:
            what = f"activation at {self._position(probe, place)}"
            layer = program.layers[probe.layer]
            self._differ(run, what, layer, descriptor, expected[place], measured[place], 8)

    def compare_outputs(self, run: int, measured: bytes) -> None:
        """Compare the output tensors of all images of a run."""
        program = self.description.program
        expected, mask = program.outputs.runs[run], program.outputs.mask
        self.compared["outputs"] += len(measured) - mask.count(0)
        place = _first_difference(expected, measured, mask)
        if place is not None:
            what, layer = f"output byte {place}", program.layers[-1]
            self._differ(run, what, layer, None, expected[place], measured[place], 8)

    def compare_counters(self, run: int, measured: Mapping[str, int]) -> None:
        """Compare performance counters, by register name, where cycles are compared at all."""
        predicted = self.predicted
        expected = {"CYCLES": predicted.cycles, **predicted.counters}
        for name, value in expected.items():
            if self.cycles and name in measured:
                self.compared["registers"] += 1
                if measured[name] != value:
                    self._differ(run, name, None, None, value, measured[name])

    def assert_passed(self) -> None:
        """Assert that outputs were compared, and nothing differs."""
        assert self.compared["outputs"], "outputs must be compared, not none"
        if self.mismatches:
            raise AssertionError(f"{len(self.mismatches)} mismatches; {self.mismatches[0]}")

    def _differ(
        self,
        run: int,
        what: str,
        layer: str | None,
        descriptor: int | None,
        expected: int,
        measured: int,
        bits: int = 0,
    ) -> None:
        if bits:  # bytes are signed
            expected, measured = (value - (value >> 7 << 8) for value in (expected, measured))
        mismatch = Mismatch(
            run=run,
            what=what,
            layer=layer,
            descriptor=descriptor,
            expected=expected,
            measured=measured,
        )
        self.mismatches.append(mismatch)
        if self.stop:
            raise AssertionError(str(mismatch))

    def _position(self, probe: Probe, place: int) -> str:
        known = self.description
        names = ("channel", "column", "row", "group", "PE x", "PE y")
        sizes = (known.vector_bytes, probe.columns, probe.rows, probe.groups, known.pes_x)
        digits = []
        for size in sizes:
            place, digit = divmod(place, size)
            digits.append(digit)
        parts = [f"{name} {digit}" for name, digit in zip(names, [*digits, place], strict=True)]
        return ", ".join(reversed(parts))


def _first_difference(expected: bytes, measured: bytes, mask: bytes) -> int | None:
    """Place of the first byte that differs where the mask is not 0."""
    assert len(expected) == len(measured) == len(mask)
    numbers = (int.from_bytes(data, "little") for data in (expected, measured, mask))
    wanted, given, specified = numbers
    different = (wanted ^ given) & specified
    return None if different == 0 else ((different & -different).bit_length() - 1) // 8

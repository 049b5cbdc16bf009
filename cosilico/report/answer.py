"""The answer of a run: the searched accelerator beside the default and the optimum, in figures."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cosilico.report.records import RunRecords
from cosilico.report.table import DataColumn, DataTable
from cosilico.results import compared_cycles, layer_agreement
from cosilico.summary import accelerator_text
from sim.spec.accelerator_record import accelerator_of
from sim.timing.clock_reach import slowest_module

__all__ = ["Answer", "Candidate", "Card", "answer", "candidates"]


@dataclass(frozen=True, slots=True)
class Card:
    """A figure in large digits.

    Parameters
    ----------
    value, text : str
    mood : "good", "bad" or ""
    """

    value: str
    text: str
    mood: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A column of the answer's table: an accelerator with what is known of it.

    Parameters
    ----------
    title : str
    source : "measured" or "predicted"
    record : dict
        A section of the results.
    cycles, cold_cycles : int
        Of a program, warm and cold.
    images : int
        Of a program.
    """

    title: str
    source: str
    record: dict[str, Any]
    cycles: int
    cold_cycles: int | None
    images: int

    @property
    def milliseconds(self) -> float:
        """Time of an image."""
        clock_mhz: int = self.record["accelerator"]["clock_mhz"]
        return self.cycles / (clock_mhz * 1000 * self.images)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Top of the page.

    Parameters
    ----------
    cards : tuple of Card
    table : DataTable
    gain : float
        Cycles on the default over those on the searched accelerator.
    distance : float or None
        How many more cycles the searched accelerator takes than the optimum, as a share.
    """

    cards: tuple[Card, ...]
    table: DataTable
    gain: float
    distance: float | None


def candidates(records: RunRecords) -> list[Candidate]:
    """Return the accelerators of the answer's table: both that ran in RTL, then what enumeration says."""
    search = records.search
    images = records.sides["found"].get("batch", 1)
    known = [
        Candidate(
            title=title,
            source="measured",
            record=side,
            cycles=side["measured_cycles"],
            cold_cycles=side.get("cold_cycles"),
            images=images,
        )
        for title, side in (
            ("default", records.sides["default"]),
            ("found", records.sides["found"]),
        )
    ]
    enumerated = (
        ("optimum", "optimum"),
        ("pinned_optimum", "optimum, default's bandwidth"),
        ("widened_default", "default, found's bandwidth"),
    )
    for key, title in enumerated:
        if search.get(key):
            row = search[key]
            known.append(
                Candidate(
                    title=title,
                    source="predicted",
                    record=row,
                    cycles=row["predicted_cycles"],
                    cold_cycles=row.get("predicted_cold_cycles"),
                    images=images,
                )
            )
    return known


def answer(records: RunRecords) -> Answer:
    """Return the top of the page of a run."""
    default_cycles, searched_cycles = compared_cycles(records.results)
    optimum = records.search.get("optimum")
    gain = default_cycles / searched_cycles
    distance = searched_cycles / optimum["predicted_cycles"] - 1 if optimum else None
    return Answer(
        cards=tuple(_cards(records, gain, distance)),
        table=_table(records),
        gain=gain,
        distance=distance,
    )


def _cards(records: RunRecords, gain: float, distance: float | None) -> Iterator[Card]:
    searched, default = records.sides["found"], records.sides["default"]
    search = records.search
    yield Card(f"{gain:.2f}×", "fewer cycles than the same network on the default accelerator")
    if distance is not None:
        yield Card(
            f"{100 * distance:.2f} %",
            "more cycles than the best accelerator of the space for this network, within the budget",
        )
    pinned = search.get("pinned_optimum")
    if pinned:
        pinned_gain = compared_cycles(records.results)[0] / pinned["predicted_cycles"]
        yield Card(f"{pinned_gain:.2f}×", "fewer cycles at best with the default's bandwidth")
    if searched["accuracy"] is not None:
        yield Card(
            f"{100 * searched['accuracy']:.1f} %",
            f"of {searched['images']:,} test images right, in RTL",
        )
    own = next(c for c in candidates(records) if c.title == "found")
    yield Card(f"{1000 / own.milliseconds:,.0f}", "images per second at the clock of the design")
    yield Card(f"{100 * searched['area'] / default['area']:.0f} %", "of the default's area")
    yield Card(f"{100 * searched['energy'] / default['energy']:.0f} %", "of the default's energy")
    pairs = [layer_agreement(side) for side in (searched, default)]
    equal, layers = (sum(pair[i] for pair in pairs) for i in (0, 1))
    yield Card(
        f"{equal} / {layers}",
        "layers whose predicted cycles equal the measured ones",
        "good" if equal == layers else "bad",
    )
    wrong = searched["mismatched_activations"] + default["mismatched_activations"]
    yield Card(
        f"{wrong:,}",
        "activations that differ from the integer reference",
        "bad" if wrong else "good",
    )


def _table(records: RunRecords) -> DataTable:
    known = candidates(records)
    columns = [DataColumn("figure", "per program" if known[0].images > 1 else "per image")]
    columns += [
        DataColumn(c.title.replace("'", "").replace(", ", "_").replace(" ", "_"), c.title)
        for c in known
    ]

    def row(title: str, form: str, values: list[Any], scale: float = 1) -> list[Any]:
        shown = DataColumn("", "", form, scale)
        return [title, *(shown.shown(value) for value in values)]

    records_of = [c.record for c in known]
    clocks = [_clock(records, c) for c in known]
    base = known[0].cycles
    rows = [
        row("accelerator", "", [accelerator_text(r["accelerator"]) for r in records_of]),
        row("source of the cycles", "", [c.source for c in known]),
        row("cycles, warm", "{:,}", [c.cycles for c in known]),
        row("cycles, cold", "{:,}", [c.cold_cycles for c in known]),
        row("gain over the default, warm", "{:.2f}×", [base / c.cycles for c in known]),
        row("predicted cycles", "{:,}", [r["predicted_cycles"] for r in records_of]),
        row("time of an image, ms", "{:.4g}", [c.milliseconds for c in known]),
        row("images per second", "{:,.0f}", [1000 / c.milliseconds for c in known]),
        row("energy, µJ", "{:.3f}", [r.get("energy") for r in records_of], 1e-6),
        row("area, mm²", "{:.3f}", [r["area"] for r in records_of]),
        row(
            "clock of the design, MHz", "{:,}", [r["accelerator"]["clock_mhz"] for r in records_of]
        ),
        row("Fmax in 45 nm, MHz", "{:,}", [reach for reach, _ in clocks]),
        row("module that limits Fmax", "", [module for _, module in clocks]),
        row("MAC utilization, %", "{:.1f}", [_utilization(known[1], c) for c in known], 100),
        row("accuracy in RTL", "{:.4f}", [r.get("accuracy") for r in records_of]),
    ]
    return DataTable(
        name="answer",
        caption="The accelerator that was found, the default and the optimum",
        columns=columns,
        rows=[r for r in rows if any(r[1:])],
        sortable=False,
    )


def _clock(records: RunRecords, candidate: Candidate) -> tuple[int, str]:
    """Highest clock in 45 nm and the module that limits it: recorded, or of the table where no run recorded it."""
    profile = records.profiles.get(candidate.title)
    if profile is not None:
        return profile.reach_mhz, profile.slowest_module
    slowest = slowest_module(accelerator_of(candidate.record["accelerator"]))
    return slowest.reach_mhz, slowest.module


def _utilization(searched: Candidate, candidate: Candidate) -> float:
    """Share of the multipliers' cycles that do the network's MACs, which are the same on all accelerators."""
    if "utilization" in candidate.record:
        return float(candidate.record["utilization"])
    peak = accelerator_of(candidate.record["accelerator"]).macs
    done = searched.record["utilization"] * searched.cycles * searched.record["macs_per_cycle"]
    return float(done / (candidate.cycles * peak))

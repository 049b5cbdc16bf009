"""The answer of a run: the searched accelerator beside the default and the optimum, in figures."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cosilico.report.records import RunRecords
from cosilico.report.table import DataColumn, DataTable
from cosilico.results import compared_cycles, layer_agreement
from cosilico.summary import accelerator_text

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
    """The top of the page.

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
        yield Card(f"{pinned_gain:.2f}×", "at best with the default's bandwidth")
    if searched["accuracy"] is not None:
        yield Card(
            f"{100 * searched['accuracy']:.1f} %",
            f"of {searched['images']:,} test images right, in RTL",
        )
    own = next(c for c in candidates(records) if c.title == "found")
    yield Card(f"{1000 / own.milliseconds:,.0f}", "images per second at the clock that is claimed")
    yield Card(f"{100 * searched['area'] / default['area']:.0f} %", "of the default's area figure")
    yield Card(f"{searched['energy'] / default['energy']:.2f}×", "the default's energy figure")
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
    profiles = [records.profiles["default"], records.profiles["found"]]
    reach = [p.reach_mhz if p else None for p in profiles] + [None] * (len(known) - 2)
    module = [p.slowest_module if p else None for p in profiles] + [None] * (len(known) - 2)
    rows = [
        row("accelerator", "", [accelerator_text(r["accelerator"]) for r in records_of]),
        row("cycles are", "", [c.source for c in known]),
        row("cycles, warm", "{:,}", [c.cycles for c in known]),
        row("cycles, cold", "{:,}", [c.cold_cycles for c in known]),
        row("predicted cycles", "{:,}", [r["predicted_cycles"] for r in records_of]),
        row("time of an image, ms", "{:.4g}", [c.milliseconds for c in known]),
        row("images per second", "{:,.0f}", [1000 / c.milliseconds for c in known]),
        row("energy figure, µJ", "{:.3f}", [r.get("energy") for r in records_of], 1e-6),
        row("area figure, mm²", "{:.3f}", [r["area"] for r in records_of]),
        row("clock claimed, MHz", "{:,}", [r["accelerator"]["clock_mhz"] for r in records_of]),
        row("clock reached in 45 nm, MHz", "{:,}", reach),
        row("module that limits it", "", module),
        row(
            "utilization of the multipliers, %",
            "{:.1f}",
            [r.get("utilization") for r in records_of],
            100,
        ),
        row("accuracy in RTL", "{:.4f}", [r.get("accuracy") for r in records_of]),
    ]
    return DataTable(
        name="answer",
        caption="What was found, beside the default and the best there is",
        columns=columns,
        rows=[r for r in rows if any(r[1:])],
        sortable=False,
    )

"""The answer of a run: the searched accelerator beside the default and the optimum, in figures."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cosilico.report.records import RunRecords
from cosilico.report.table import DataColumn, DataTable
from cosilico.results import compared_cycles, layer_agreement
from cosilico.summary import EDP_SCALE
from sim.cost.energy import energy_delay
from sim.spec.accelerator_record import accelerator_of
from sim.timing.clock_reach import slowest_module

__all__ = ["Answer", "Candidate", "Card", "answer", "candidates"]

_HEADS = {
    "optimum": "optimum, bandwidth free",
    "optimum, default's bandwidth": "optimum, bandwidth pinned to the default's",
}
"""Heads of columns that say more than the name of their accelerator."""


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

    @property
    def edp(self) -> float | None:
        """Energy-delay product of a warm program, pJ · s; None of an earlier version's run."""
        return self._edp("edp", "energy", self.cycles)

    @property
    def cold_edp(self) -> float | None:
        """Energy-delay product of a cold program, pJ · s; None where it was not recorded."""
        return self._edp("cold_edp", "cold_energy", self.cold_cycles)

    def _edp(self, name: str, of: str, cycles: int | None) -> float | None:
        """The product that was recorded, by predicted cycles as the energy; an enumerated accelerator's is made here."""
        if name in self.record:
            recorded: float | None = self.record[name]
            return recorded
        energy = self.record.get(of)
        if energy is None or cycles is None or not self.record.get("cold_energy"):
            return None
        return energy_delay(accelerator_of(self.record["accelerator"]), energy, cycles)


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
    cold_gain : float or None
        Gain of a cold run; None where cold and warm runs are alike.
    objective, budget, bandwidth, price : str
        Sentences: what was minimized, the budget of area and where it is from, what bandwidth alone gives, and what the
        searched accelerator costs beyond the optimum; the last two may be empty.
    """

    cards: tuple[Card, ...]
    table: DataTable
    gain: float
    distance: float | None
    cold_gain: float | None
    objective: str
    budget: str
    bandwidth: str
    price: str


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
        cold_gain=_cold_gain(records),
        objective=(records.search.get("objective") or {}).get("metric", "latency"),
        budget=_budget_text(records),
        bandwidth=_bandwidth_text(records),
        price=_price_text(records),
    )


def _cold_gain(records: RunRecords) -> float | None:
    sides = [records.sides[role] for role in ("default", "found")]
    cold = [side.get("cold_cycles") or side["measured_cycles"] for side in sides]
    if cold == [side["measured_cycles"] for side in sides]:
        return None
    return float(cold[0] / cold[1])


def _budget_text(records: RunRecords) -> str:
    """Area budget with its number, unit and origin."""
    budget, default = records.search["area_budget"], records.sides["default"]["area"]
    own = abs(budget - default) <= 1e-9 * default
    origin = "that of the default" if own else f"{budget / default:.2f} times the default's area"
    return f"the area budget of {budget:.3f} mm² ({origin})"


def _bandwidth_text(records: RunRecords) -> str:
    """Return the part of the gain that is due to bandwidth alone, and the gain without more of it."""
    searched, default = (
        records.sides[role]["accelerator"]["io_bandwidth_gbps"] for role in ("found", "default")
    )
    cycles, _ = compared_cycles(records.results)
    pinned, widened = (records.search.get(name) for name in ("pinned_optimum", "widened_default"))
    parts = []
    if pinned:
        parts.append(
            f"With bandwidth pinned to the default's {default:g} GB/s, the best accelerator within the budget is "
            f"{cycles / pinned['predicted_cycles']:.2f} times as fast as the default."
        )
    if searched == default:
        parts.append(
            f"Found and default have the same bandwidth of {default:g} GB/s, so none of the gain is bandwidth."
        )
    elif widened:
        parts.append(
            f"Of the gain, bandwidth alone gives {cycles / widened['predicted_cycles']:.2f} times: that is the "
            f"default with found's {searched:g} GB/s{_over(records, widened['area'])}."
        )
    return " ".join(parts)


def _over(records: RunRecords, area_mm2: float) -> str:
    """By how much an area is over the budget, after a comma; empty within it."""
    budget = records.search["area_budget"]
    return f", {100 * (area_mm2 / budget - 1):.1f} % over the budget" if area_mm2 > budget else ""


def _price_text(records: RunRecords) -> str:
    """Where the searched accelerator costs more than the optimum: its area and energy."""
    optimum, searched = records.search.get("optimum"), records.sides["found"]
    if not optimum:
        return ""
    more = [
        f"{scale * searched[name]:,.{digits}f} {unit} instead of {scale * optimum[name]:,.{digits}f}"
        for name, unit, scale, digits in (("area", "mm²", 1.0, 3), ("energy", "µJ", 1e-6, 3))
        if optimum.get(name) and searched[name] > optimum[name] * (1 + 1e-9)
    ]
    return f"It costs more than that optimum: {' and '.join(more)}." if more else ""


def _cards(records: RunRecords, gain: float, distance: float | None) -> Iterator[Card]:
    searched, default = records.sides["found"], records.sides["default"]
    search = records.search
    cold = _cold_gain(records)
    also = "" if cold is None else f"; {cold:.2f}× in a cold run"
    yield Card(f"{gain:.2f}×", f"as fast as the default accelerator with the same network{also}")
    if distance is not None:
        yield Card(
            f"{100 * distance:.2f} %",
            f"more cycles than the best accelerator of the space within {_budget_text(records)}",
        )
    pinned = search.get("pinned_optimum")
    if pinned:
        pinned_gain = compared_cycles(records.results)[0] / pinned["predicted_cycles"]
        yield Card(
            f"{pinned_gain:.2f}×",
            "as fast as the default at best, with bandwidth pinned to the default's",
        )
    if searched["accuracy"] is not None:
        yield Card(
            f"{100 * searched['accuracy']:.1f} %",
            f"of {searched['images']:,} test images right, in RTL",
        )
    own = next(c for c in candidates(records) if c.title == "found")
    yield Card(f"{1000 / own.milliseconds:,.0f}", "images per second at the clock of the design")
    yield Card(f"{100 * searched['area'] / default['area']:.0f} %", "of the default's area")
    yield Card(f"{100 * searched['energy'] / default['energy']:.0f} %", _energy_text(records))
    pairs = [layer_agreement(side) for side in (searched, default)]
    equal, layers = (sum(pair[i] for pair in pairs) for i in (0, 1))
    yield Card(
        f"{equal} / {layers}",
        "layers of both accelerators whose predicted cycles equal the measured ones",
        "good" if equal == layers else "bad",
    )
    wrong = searched["mismatched_activations"] + default["mismatched_activations"]
    yield Card(
        f"{wrong:,}",
        "activations that differ from the integer reference",
        "bad" if wrong else "good",
    )


def _energy_text(records: RunRecords) -> str:
    """Return what the share of the energy is of, with that of the energy-delay product, and of a cold run."""
    default, searched = (records.sides[role] for role in ("default", "found"))
    if not searched.get("edp") or not default.get("edp"):
        return "of the default's energy"
    text = f"of the default's energy, {100 * searched['edp'] / default['edp']:.0f} % of its energy-delay product"
    if _cold_gain(records) is None:
        return text
    energy, edp = (100 * searched[name] / default[name] for name in ("cold_energy", "cold_edp"))
    return f"{text}; {energy:.0f} and {edp:.0f} % in a cold run"


def _table(records: RunRecords) -> DataTable:
    known = candidates(records)
    columns = [DataColumn("figure", "per program" if known[0].images > 1 else "per image")]
    columns += [
        DataColumn(
            c.title.replace("'", "").replace(", ", "_").replace(" ", "_"),
            _HEADS.get(c.title, c.title),
        )
        for c in known
    ]

    def row(title: str, form: str, values: list[Any], scale: float = 1) -> list[Any]:
        shown = DataColumn("", "", form, scale)
        return [title, *(shown.shown(value) for value in values)]

    records_of = [c.record for c in known]
    accelerators = [r["accelerator"] for r in records_of]
    clocks = [_clock(records, c) for c in known]
    base = known[0].cycles
    rows = [
        row("PE grid, columns x rows", "", [f"{a['pes_x']}x{a['pes_y']}" for a in accelerators]),
        row("lanes per PE", "{:,}", [a["compute_lanes"] for a in accelerators]),
        row("SIMD units per lane", "{:,}", [a["simd_units"] for a in accelerators]),
        row("local memory per PE, KiB", "{:,}", [a["local_memory_kb"] for a in accelerators]),
        row("register file per lane, KiB", "{:,}", [a["register_file_kb"] for a in accelerators]),
        row("weight store, KiB", "{:,}", [a.get("weight_store_kb", 0) for a in accelerators]),
        row("external bandwidth, GB/s", "{:g}", [a["io_bandwidth_gbps"] for a in accelerators]),
        row("source of the cycles", "", [c.source for c in known]),
        row("cycles, warm", "{:,}", [c.cycles for c in known]),
        row("cycles, cold", "{:,}", [c.cold_cycles for c in known]),
        row("speed, warm, default = 1", "{:.2f}×", [base / c.cycles for c in known]),
        row("speed, cold, default = 1", "{:.2f}×", _cold_gains(known)),
        row("predicted cycles", "{:,}", [r["predicted_cycles"] for r in records_of]),
        row("time of an image, ms", "{:.4g}", [c.milliseconds for c in known]),
        row("images per second", "{:,.0f}", [1000 / c.milliseconds for c in known]),
        row("energy, warm, µJ", "{:.3f}", [r.get("energy") for r in records_of], 1e-6),
        row("energy, cold, µJ", "{:.3f}", [r.get("cold_energy") for r in records_of], 1e-6),
        row("energy-delay product, warm, µJ·ms", "{:.4g}", [c.edp for c in known], EDP_SCALE),
        row("energy-delay product, cold, µJ·ms", "{:.4g}", [c.cold_edp for c in known], EDP_SCALE),
        row("area, mm²", "{:.3f}", [r["area"] for r in records_of]),
        row(
            f"area budget of {records.search['area_budget']:.3f} mm²",
            "",
            [_over(records, r["area"]).strip(", ") or "within" for r in records_of],
        ),
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


def _cold_gains(known: list[Candidate]) -> list[float | None]:
    base = known[0].cold_cycles
    return [base / c.cold_cycles if base and c.cold_cycles else None for c in known]


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

"""The results file of a full validation: figures by part, layer and corner, and every failure."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from sim.spec.accelerator_record import accelerator_of
from sim.spec.files import write_atomic
from sim.spec.views import View
from testbench.cases.random_memories import CLOCKS_MHZ, OUTSTANDING, WIDTHS
from testbench.cases.random_memories import LATENCIES as DRAWN_LATENCIES
from testbench.cases.tabled import TABLED_PER_CONFIG
from testbench.rtl.memory_model import DRAM_NAME, FREEDOMS, LATENCIES
from testbench.validation.campaign import (
    CASES_PER_CONFIG,
    DRAWN,
    SYNTHESIS_MACS,
    SYNTHESIS_SHARE,
    Campaign,
    Part,
)
from testbench.validation.journal import Journal

__all__ = ["MEMORY_RESULTS", "RESULTS", "ResultFiles", "summarize", "write_summary"]


class ResultFiles(NamedTuple):
    """Names of the two files of results."""

    json: str
    text: str


RESULTS = ResultFiles("validation.json", "validation.md")
"""Files of a full validation."""

MEMORY_RESULTS = ResultFiles("memories.json", "memories.md")
"""Files of random pairs behind random memories."""

_COLUMNS = {
    "pairs": "pairs",
    "synthesis_pairs": "pairs in the synthesis view",
    "runs": "runs",
    "configurations": "configurations",
    "macs_per_cycle": "MACs per cycle",
    "activations": "activations compared",
    "bit_differences": "differ",
    "descriptors": "descriptors compared",
    "timing_differences": "differ",
    "failures": "failed",
}


def summarize(campaign: Campaign, journal: Journal, gateware_hash: str) -> dict[str, Any]:
    """Return the results of a campaign as one JSON object."""
    records = list(journal.records.values())
    parts = {
        part.name: _figures(record for record in records if record["part"] == part.name)
        | {"memory": _memory(part)}
        for part in campaign.parts()
    }
    return {
        "campaign": campaign.header(),
        "gateware_hash": gateware_hash,
        "total": _figures(records),
        "parts": parts,
        "layers": dict(sorted(Counter(record["stratum"] for record in records).items())),
        "corners": dict(sorted(Counter(record["corner"] for record in records).items())),
        "mappings": dict(sorted(_mappings(records).items())),
        "verdicts": dict(sorted(_verdicts(records).items())),
        "wrong": _wrong(journal, [part.name for part in campaign.parts()]),
    }


def write_summary(summary: Mapping[str, Any], out: Path, files: ResultFiles = RESULTS) -> None:
    """Write the results into a folder, as JSON and as text."""
    write_atomic(out / files.json, json.dumps(summary, indent=1) + "\n")
    write_atomic(out / files.text, _text(summary))


def _memory(part: Part) -> str:
    """Memories that a part runs behind, in a word."""
    if part.stalls:
        return "T2"
    return "T1 and others" if part.memories else "T1, drawn" if part.drawn else "T1"


def _wrong(journal: Journal, parts: Sequence[str]) -> dict[str, Any]:
    """Records that are not right by key, in the campaign's order: they were made in any order."""

    def place(key: str) -> tuple[int, str, int]:
        unit, _, index = key.rpartition("/")
        return parts.index(journal.records[key]["part"]), unit, int(index)

    wrong = [key for key, record in journal.records.items() if not _right(record)]
    return {key: journal.records[key] for key in sorted(wrong, key=place)}


def _figures(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    chosen = list(records)
    configs = {json.dumps(record["accelerator"]) for record in chosen}
    macs = sorted(accelerator_of(json.loads(config)).macs for config in configs)
    return {
        "pairs": len(chosen),
        "synthesis_pairs": sum(_ran_in_synthesis_view(record) for record in chosen),
        "runs": sum(record["memories"] for record in chosen),
        "configurations": len(configs),
        "macs_per_cycle": [macs[0], macs[-1]] if macs else [],
        "activations": sum(record["activations"] for record in chosen),
        "bit_differences": sum(record["bit_differences"] for record in chosen),
        "judged_values": sum(record["judged_values"] for record in chosen),
        "judged_differences": sum(record["judged_differences"] for record in chosen),
        "descriptors": sum(record["descriptors"] for record in chosen),
        "timing_differences": sum(record["timing_differences"] for record in chosen),
        "streams": sum(record["stream_images"] > 0 for record in chosen),
        "stream_images": sum(record["stream_images"] for record in chosen),
        "failures": sum(bool(record["failure"]) for record in chosen),
    }


def _ran_in_synthesis_view(record: Mapping[str, Any]) -> bool:
    return bool(record["view"] == View.SYNTHESIS and record["descriptors"])


def _mappings(records: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """Pairs by what their mapping does, without the numbers."""
    return Counter(
        name
        for record in records
        for name in {trait.lstrip("0123456789 ") for trait in record["traits"]}
    )


def _verdicts(records: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """Pairs drawn for their realizability by what the check says, and how many of them ran."""
    verdicts: Counter[str] = Counter()
    for record in records:
        if record["verdict"]:
            verdicts[record["verdict"]] += 1
            verdicts["ran"] += bool(record["descriptors"])
    return verdicts


def _right(record: Mapping[str, Any]) -> bool:
    differences = ("bit_differences", "judged_differences", "timing_differences")
    return not (record["failure"] or any(record[name] for name in differences))


def _text(summary: Mapping[str, Any]) -> str:
    campaign = summary["campaign"]
    drawn = campaign["behind_drawn"] and not campaign["pairs"]
    lines = [
        *(_drawn_introduction(summary) if drawn else _introduction(summary)),
        "",
        "| part | memory | " + " | ".join(_COLUMNS.values()) + " |",
        "|---|---|" + "---:|" * len(_COLUMNS),
    ]
    for name, figures in [*summary["parts"].items(), ("total", summary["total"])]:
        cells = [_cell(figures[column]) for column in _COLUMNS]
        lines.append(f"| {name} | {figures.get('memory', '')} | " + " | ".join(cells) + " |")
    total = summary["total"]
    if total["judged_values"]:
        judged, unlike = _cell(total["judged_values"]), _cell(total["judged_differences"])
        lines += [
            "",
            f"Of the imported networks {judged} activations and outputs in RTL were also compared "
            f"with TensorFlow Lite Micro's: {unlike} differ.",
        ]
    if total.get("streams"):  # results of before there were streams have none
        lines += [
            "",
            f"{_cell(total['streams'])} pairs ran as a stream of images as well, behind the same memories: "
            f"{_cell(total['stream_images'])} images, each computed while the next one's input came. What is compared "
            "above counts theirs.",
        ]
    for title, key in (("Layers", "layers"), ("Corners", "corners"), ("Mappings", "mappings")):
        lines += ["", f"{title}: " + ", ".join(f"{k} {v}" for k, v in summary[key].items()) + "."]
    if summary["verdicts"]:
        counts = ", ".join(f"{count:,} {name}" for name, count in summary["verdicts"].items())
        lines += [
            "",
            "Pairs drawn for their realizability, by what the check says, and how many of the "
            f"realizable ones ran: {counts}. Generator and compiler did the same on every pair that "
            "is not listed as wrong.",
        ]
    if summary["wrong"]:
        lines += ["", "Wrong: " + ", ".join(summary["wrong"]) + "."]
    return "\n".join(lines) + "\n"


def _introduction(summary: Mapping[str, Any]) -> list[str]:
    """Title, and what was compared in a full validation."""
    campaign = summary["campaign"]
    return [
        "# Validation",
        "",
        f"`cosilico validate --full --seed {campaign['seed']}`{_other_counts(campaign)}, {campaign['view']} "
        f"view of the datapath, gateware `{summary['gateware_hash'][:12]}`. {_share(campaign['view'])}On T1 every "
        "descriptor's start, end "
        "of issue and end, every image's total and every counter is compared with the prediction; "
        "under random stalls (T2) the duration of every EXECUTE descriptor. Random pairs run behind other "
        "memories as well: "
        + ", ".join((*LATENCIES, DRAM_NAME))
        + ", and, with bits and durations of EXECUTE compared, "
        + "; ".join(FREEDOMS)
        + ".",
    ]


def _other_counts(campaign: Mapping[str, Any]) -> str:
    """Counts of a campaign that are not those of the command, so that a part is not taken for the whole."""
    names = ("pairs", "stalled", "layers", "imported", "graphs", "tables", "states", "points")
    counts = {
        name: campaign.get(name, 0) for name in names
    }  # some parts are younger than some results
    others = [
        f"{name} {count}" for name, count in counts.items() if count != getattr(Campaign(), name)
    ]
    return f" with {', '.join(others)}" if others else ""


def _drawn_introduction(summary: Mapping[str, Any]) -> list[str]:
    """Title, and what was compared behind random memories."""
    campaign = summary["campaign"]
    latency, outstanding = (" … ".join(map(str, x)) for x in (DRAWN_LATENCIES, OUTSTANDING))
    return [
        "# Random deterministic memories",
        "",
        f"`cosilico validate --random {campaign['behind_drawn']} --memories random --seed "
        f"{campaign['seed']}{_limit(campaign)}`, {campaign['view']} view of the datapath, gateware "
        f"`{summary['gateware_hash'][:12]}`. Each random pair runs behind the memory of the calibration and "
        f"behind {DRAWN} memories that are drawn for it: a latency of {latency} cycles, another for "
        f"writes or the same, {outstanding} outstanding bursts or any number, a width of "
        f"{', '.join(map(str, WIDTHS))} bytes or the port's, a clock of "
        f"{', '.join(map(str, CLOCKS_MHZ))} MHz, a multiple or a part of the accelerator's or the "
        "accelerator's own, and gaps between bursts or none. Every descriptor's start, end of issue and end, "
        "every image's total, every counter and every activation is compared.",
    ]


def _limit(campaign: Mapping[str, Any]) -> str:
    """Option that passes over large accelerators, where it was given."""
    return "" if campaign["max_macs"] is None else f" --max-macs {campaign['max_macs']}"


def _share(view: str) -> str:
    """Sentence on the random pairs that run in the synthesis view, where not all do."""
    if view == View.SYNTHESIS:
        return ""
    return (
        f"Of the random pairs behind all memories, {CASES_PER_CONFIG} of which share an accelerator, and of those "
        f"with activation tables, {TABLED_PER_CONFIG} of which do, every {SYNTHESIS_SHARE}th accelerator runs its "
        f"pairs in the synthesis view, if it has at most {SYNTHESIS_MACS:,} MACs per cycle. "
    )


def _cell(value: int | list[int]) -> str:
    return f"{value:,}" if isinstance(value, int) else " … ".join(f"{x:,}" for x in value)

"""Layer by layer: where cycles, bytes and energy go on both accelerators, on one axis."""

from collections.abc import Iterator
from html import escape
from typing import Any

from cosilico.layer_times import STATES
from cosilico.profile import CAUSES, LayerProfile, Profile
from cosilico.report.axes import LinearAxis, compact
from cosilico.report.plot import Legend
from cosilico.report.records import RunRecords
from cosilico.report.table import DataColumn, DataTable

__all__ = [
    "LAYER_LIMIT",
    "layer_chart",
    "layer_legend",
    "layer_table",
    "loss_table",
    "rest_text",
    "short",
    "total_table",
    "worst_text",
]

LAYER_LIMIT = 40
"""Most layers in the chart; of more those with the most cycles, and the others in one row."""

_ROW_PX, _BAR_PX, _TOP_PX, _LABEL_LENGTH = 30, 10, 30, 19

_PANELS = (("cycles", 0.0, 56.0), ("external bytes", 63.0, 80.0), ("energy, µJ", 86.0, 99.0))

_BY = {
    "unfilled": "because not all multipliers have work",
    "without_macs": "computing what has no multiplications",
    "waits_load": "waiting for LOAD",
    "waits_store": "waiting for STORE",
    "other": "fetching and draining",
}
"""Causes of lost cycles in a sentence."""

_TOTALS = {"other": "fetching, draining, end of the run"}
"""Causes of lost cycles of a whole run, where they say more than those of a layer."""

_STATE_TEXTS = ("computing", "waiting for LOAD", "waiting for STORE", "fetching, draining")


def _rows(profiles: list[Profile]) -> list[tuple[str, list[list[LayerProfile]]]]:
    """Rows of the chart: a name, and the layers of each profile that it stands for."""
    count = len(profiles[0].layers)
    order = sorted(range(count), key=lambda i: -max(p.layers[i].cycles for p in profiles))
    chosen = set(order if count <= LAYER_LIMIT else order[: LAYER_LIMIT - 1])
    rows = [
        (profiles[0].layers[i].name, [[p.layers[i]] for p in profiles])
        for i in range(count)
        if i in chosen
    ]
    others = [i for i in range(count) if i not in chosen]
    if others:
        rows.append(
            (f"{len(others)} other layers", [[p.layers[i] for i in others] for p in profiles])
        )
    return rows


def layer_chart(profiles: dict[str, Profile]) -> str:
    """Return the chart as SVG: for each layer a bar for the default, and below it a bar for the searched accelerator."""
    sides = [profiles[role] for role in ("default", "found")]
    rows = _rows(sides)
    sums = [
        [
            (
                sum(max(0, layer.cycles) for layer in layers),
                sum(layer.read_bytes + layer.write_bytes for layer in layers),
                sum(layer.energy_pj for layer in layers) * 1e-6,
            )
            for layers in groups
        ]
        for _, groups in rows
    ]
    axes = [
        LinearAxis.over(title, [value[i] for pair in sums for value in pair], from_zero=True)
        for i, (title, *_) in enumerate(_PANELS)
    ]
    height = _TOP_PX + _ROW_PX * len(rows) + 24
    parts = [*_grid(axes, height)]
    for index, ((name, groups), values) in enumerate(zip(rows, sums, strict=True)):
        top = _TOP_PX + index * _ROW_PX
        parts.append(
            f'<text class="beside" x="0" y="{top + 16}" dx="-8">{escape(short(name))}'
            f"<title>{escape(name)}</title></text>"
        )
        for bar, (role, layers, value) in enumerate(
            zip(("default", "found"), groups, values, strict=True)
        ):
            y = top + 3 + bar * (_BAR_PX + 2)
            parts += _stack(axes[0], layers, y, f"{name}, {role}")
            for panel in (1, 2):
                _, low, high = _PANELS[panel]
                width = axes[panel].place(value[panel]) / 100 * (high - low)
                text = f"{name}, {role}: {value[panel]:,.6g} {_PANELS[panel][0]}"
                parts.append(_bar(role, low, width, y, text))
    return (
        f'<svg role="img" aria-labelledby="layers-title" width="100%" height="{height}">'
        '<title id="layers-title">Cycles by what EXECUTE does, external bytes and energy of each '
        f"layer, on the default and on the accelerator that was found</title>{''.join(parts)}</svg>"
    )


def _grid(axes: list[LinearAxis], height: int) -> Iterator[str]:
    for axis, (title, low, high) in zip(axes, _PANELS, strict=True):
        yield f'<text class="panel" x="{low}%" y="12">{title}</text>'
        ticks = axis.ticks()
        if high - low < 50:
            ticks = ticks[:: max(1, len(ticks) // 2)]
        for value in ticks:
            at = low + axis.place(value) / 100 * (high - low)
            yield (
                f'<line class="gridline" x1="{at:.2f}%" x2="{at:.2f}%" y1="{_TOP_PX - 8}" '
                f'y2="{height - 20}"/><text class="below" x="{at:.2f}%" y="{height - 5}">'
                f"{compact(value)}</text>"
            )


def _stack(axis: LinearAxis, layers: list[LayerProfile], y: int, what: str) -> Iterator[str]:
    _, low, high = _PANELS[0]
    at = 0
    for state, text in zip(STATES, _STATE_TEXTS, strict=True):
        cycles = sum(max(0, getattr(layer, state)) for layer in layers)
        if cycles:
            left = low + axis.place(at) / 100 * (high - low)
            width = (axis.place(at + cycles) - axis.place(at)) / 100 * (high - low)
            yield _bar(state, left, width, y, f"{what}: {cycles:,} cycles {text}")
        at += cycles


def _bar(css: str, left: float, width: float, y: int, text: str) -> str:
    return (
        f'<rect class="{css}" x="{left:.3f}%" width="{width:.3f}%" y="{y}" height="{_BAR_PX}">'
        f"<title>{escape(text)}</title></rect>"
    )


def short(name: str) -> str:
    """Return a name, with its middle left out where it is long: its end tells the layers of a block apart."""
    if len(name) <= _LABEL_LENGTH:
        return name
    head = (_LABEL_LENGTH - 1) // 2
    return f"{name[:head]}…{name[-(_LABEL_LENGTH - 1 - head) :]}"


def layer_legend() -> list[Legend]:
    """Return the legend of the chart."""
    states = [Legend(state, "box", text) for state, text in zip(STATES, _STATE_TEXTS, strict=True)]
    return [
        *states,
        Legend("default", "box", "default (upper bar)"),
        Legend("found", "box", "found (lower bar)"),
    ]


def layer_table(records: RunRecords, role: str) -> DataTable:
    """Return all figures of the layers on one of the accelerators."""
    side, profile = records.sides[role], records.profiles[role]
    columns = [
        DataColumn("layer", "layer"),
        DataColumn("kind", "kind"),
        DataColumn("macs", "MACs", "{:,}"),
        DataColumn("predicted_cycles", "predicted", "{:,}"),
        DataColumn("measured_cycles", "measured", "{:,}"),
        DataColumn("utilization", "utilization, %", "{:.1f}", 100),
    ]
    names = {"layer": "name"}
    rows: list[list[Any]] = [
        [layer[names.get(c.key, c.key)] for c in columns] for layer in side["layers"]
    ]
    if profile is not None:
        more = (
            DataColumn("computing", "computing", "{:,}"),
            DataColumn("waits_load", "waits for LOAD", "{:,}"),
            DataColumn("waits_store", "waits for STORE", "{:,}"),
            DataColumn("other", "other", "{:,}"),
            DataColumn("read_bytes", "bytes read", "{:,}"),
            DataColumn("write_bytes", "bytes written", "{:,}"),
            DataColumn("store_read_bytes", "from weight store", "{:,}"),
            DataColumn("energy_pj", "energy, µJ", "{:.4f}", 1e-6),
            DataColumn("local_bytes", "local memory, bytes", "{:,}"),
        )
        columns += more
        for row, layer in zip(rows, profile.layers, strict=True):
            row += [getattr(layer, column.key) for column in more]
    return DataTable(
        name=f"layers-{role}",
        caption=f"Layers on the {role} accelerator; columns without a unit are in cycles",
        columns=columns,
        rows=rows,
        total=["all layers", "", *(_summed(columns, rows, i) for i in range(2, len(columns)))],
    )


_NO_SUMS = ("utilization", "local_bytes")
"""Columns whose sum says nothing."""


def _summed(columns: list[DataColumn], rows: list[list[Any]], i: int) -> Any:
    return None if columns[i].key in _NO_SUMS else sum(row[i] for row in rows)


def rest_text(profiles: dict[str, Profile]) -> str:
    """Return by how much runs are longer than their layers together, and when those cycles are."""
    rests = {
        role: profile.total_cycles - sum(layer.cycles for layer in profile.layers)
        for role, profile in profiles.items()
    }
    counts = " and ".join(f"{rest:,} ({role})" for role, rest in rests.items())
    if len(set(rests.values())) == 1:
        counts = f"{next(iter(rests.values())):,}"
    return f"A run takes {counts} cycles more than its layers together: from the end of the last descriptor until the run is done. Clock and leakage in them, and the program's header, take the energy that no layer has"


def total_table(profiles: dict[str, Profile]) -> DataTable:
    """Return where all cycles of both runs go."""
    rows: list[list[Any]] = []
    for role in ("found", "default"):
        profile = profiles[role]
        losses = {name: sum(layer.losses[name] for layer in profile.layers) for name in CAUSES}
        useful = sum(layer.ideal_cycles for layer in profile.layers)
        losses["other"] += profile.total_cycles - useful - sum(losses.values())
        counts = [useful, *losses.values()]
        rows.append([role, "cycles", profile.total_cycles, *counts])
        shares = [100 * count / profile.total_cycles for count in counts]
        rows.append([role, "%", 100.0, *shares])
    return DataTable(
        name="losses-total",
        caption="Where the cycles of the whole run go",
        columns=[
            DataColumn("accelerator", "accelerator"),
            DataColumn("unit", "unit"),
            DataColumn("total", "run", "{:,.0f}"),
            DataColumn("useful", "MACs with all multipliers busy", "{:,.0f}"),
            *(DataColumn(key, _TOTALS.get(key, text), "{:,.0f}") for key, text in CAUSES.items()),
        ],
        rows=rows,
        sortable=False,
    )


def loss_table(profiles: dict[str, Profile], count: int = 5) -> DataTable:
    """Return the layers that lose the most cycles, with the causes."""
    rows: list[list[Any]] = []
    for role in ("found", "default"):
        profile = profiles[role]
        for layer in profile.worst(count):
            rows.append(
                [
                    layer.name,
                    role,
                    layer.lost_cycles,
                    layer.lost_cycles / profile.total_cycles,
                    _cause_text(layer),
                    *layer.losses.values(),
                ]
            )
    return DataTable(
        name="losses",
        caption="Layers that lose the most cycles, beyond those that their MACs take with all multipliers busy",
        columns=[
            DataColumn("layer", "layer"),
            DataColumn("accelerator", "accelerator"),
            DataColumn("lost_cycles", "lost cycles", "{:,.0f}"),
            DataColumn("share", "of the run, %", "{:.1f}", 100),
            DataColumn("cause", "mostly to"),
            *(DataColumn(key, text, "{:,.0f}") for key, text in CAUSES.items()),
        ],
        rows=rows,
    )


def _cause_text(layer: LayerProfile) -> str:
    """Return what a layer loses most to; for LOAD, with the memories that it reads."""
    text = CAUSES[layer.cause]
    known = layer.cause == "waits_load" and layer.loads_from
    return f"{text} ({layer.loads_from})" if known else text


def worst_text(profile: Profile) -> str:
    """Return a sentence on the layer that loses most."""
    layer = profile.worst(1)[0]
    share = layer.losses[layer.cause] / layer.lost_cycles if layer.lost_cycles else 0.0
    source = f", which reads {layer.loads_from}" if layer.loads_from else ""
    return (
        f"{layer.name} loses most: {layer.lost_cycles:,.0f} of the run's {profile.total_cycles:,} "
        f"cycles, {100 * share:.0f} % of them {_BY[layer.cause]}"
        f"{source if layer.cause == 'waits_load' else ''}"
    )

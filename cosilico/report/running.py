"""A run over time: the three queues descriptor by descriptor, and what is in the memories meanwhile."""

import math
from collections.abc import Iterator
from html import escape

from cosilico.layer_times import layer_turns
from cosilico.profile import Profile
from cosilico.report.axes import LinearAxis, compact
from cosilico.report.plot import INNER, Legend, inner_svg
from cosilico.report.table import DataColumn, DataTable
from cosilico.timeline import Timeline
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import Queue

__all__ = ["memory_table", "memory_text", "running_legend", "running_svg", "timeline_table"]

_QUEUE_PX, _LAYERS_PX, _MEMORY_PX, _GAP_PX = 24, 18, 64, 8
_TOP_PX = 4
_REGIONS = (
    ("local_input_bytes", "input"),
    ("local_output_bytes", "output"),
    ("local_kept_bytes", "kept"),
)


def running_svg(role: str, timeline: Timeline, profile: Profile, span_cycles: int) -> str:
    """Return the run as SVG: layers, queues, then the shares of three memories that are taken.

    Parameters
    ----------
    role : str
    timeline : Timeline
    profile : Profile
    span_cycles : int
        Length of the axis, the same for runs that are to be compared by eye.
    """
    turns = layer_turns(timeline)
    rows: list[tuple[str, str, int]] = [
        ("layer", inner_svg(_layers(timeline, turns), span_cycles, "zooms"), _LAYERS_PX)
    ]
    for queue in Queue:
        path = _queue(timeline, queue)
        css = queue.name.lower()
        rows.append(
            (
                queue.name,
                inner_svg([f'<path class="{css}" d="{path}"/>'], span_cycles, "zooms"),
                _QUEUE_PX,
            )
        )
    for title, parts in _memories(profile, turns):
        rows.append((title, inner_svg(parts, span_cycles, "zooms"), _MEMORY_PX))
    body, y = [], _TOP_PX
    for title, inner, height in rows:
        boxed = height == _MEMORY_PX
        frame = f'<rect class="frame" x="0" y="0" width="100%" height="{height}"/>' if boxed else ""
        body.append(
            f'<text class="beside" x="0" y="{y + height / 2 + 4:g}" dx="-8">{title}</text>'
            f'<svg x="0" y="{y}" width="100%" height="{height}">{frame}{inner}</svg>'
        )
        if boxed:
            body.append(f'<text class="after" x="100%" y="{y + 10}" dx="6">100 %</text>')
            body.append(f'<text class="after" x="100%" y="{y + height}" dx="6">0</text>')
        y += height + _GAP_PX
    axis = LinearAxis("cycles after the doorbell", 0, span_cycles)
    ticks = "".join(
        f'<text class="below" x="{axis.place(value):.2f}%" y="{y + 12}">{compact(value)}</text>'
        for value in axis.ticks()
    )
    name = f"running-{role}"
    return (
        f'<svg role="img" aria-labelledby="{name}-title" width="100%" height="{y + 20}" '
        f'data-span="{span_cycles}"><title id="{name}-title">Layers, the queues LOAD, EXECUTE and STORE, '
        f"and the memories on chip over the {timeline.total_cycles:,} cycles of a run on the {role} "
        f'accelerator</title>{"".join(body)}<g class="ticks">{ticks}</g></svg>'
    )


def _layers(timeline: Timeline, turns: list[tuple[int, int, int]]) -> Iterator[str]:
    for index, (layer, begin, end) in enumerate(turns):
        if end > begin:
            name = escape(timeline.layers[layer])
            yield (
                f'<rect class="{"even" if index % 2 else "odd"}" x="{begin}" y="0" '
                f'width="{end - begin}" height="{INNER}" data-name="{name}"><title>{name}: '
                f"cycles {begin:,} … {end:,}</title></rect>"
            )


def _queue(timeline: Timeline, queue: Queue) -> str:
    """Path of a rectangle for each descriptor, with places relative to the rectangle before."""
    path, at = [], 0
    for place in timeline.of_queue(queue).tolist():
        start, done = int(timeline.start[place]), int(timeline.done[place])
        path.append(f"m{start - at} 0v{INNER}h{done - start}v-{INNER}z")
        at = start
    return "M0 0" + "".join(path) if path else ""


def _memories(
    profile: Profile, turns: list[tuple[int, int, int]]
) -> Iterator[tuple[str, list[str]]]:
    """Stairs of what is taken of each memory, as shares of its height."""
    local = []
    for region, css in _REGIONS:
        below = [name for name, _ in _REGIONS[: [name for name, _ in _REGIONS].index(region)]]
        path = ""
        for layer, begin, end in turns:
            row = profile.layers[layer]
            low = sum(getattr(row, name) for name in below) / profile.local_memory_bytes
            share = getattr(row, region) / profile.local_memory_bytes
            path += _block(begin, end, low, share)
        local.append(f'<path class="{css}" d="{path}"/>')
    yield "local memory", local
    registers = "".join(
        _block(begin, end, 0, profile.layers[layer].register_bytes / profile.register_bytes)
        for layer, begin, end in turns
    )
    yield "register file", [f'<path class="weights" d="{registers}"/>']
    if profile.weight_store_bytes:
        whole = sum(row.store_bytes for row in profile.layers) / profile.weight_store_bytes
        end = max(end for *_, end in turns)
        own = "".join(
            _block(begin, end, 0, profile.layers[layer].store_bytes / profile.weight_store_bytes)
            for layer, begin, end in turns
        )
        yield (
            "weight store",
            [
                f'<path class="kept" d="{_block(0, end, 0, whole)}"/>',
                f'<path class="weights" d="{own}"/>',
            ],
        )


def _register_file(role: str, config: AcceleratorConfig) -> list[object]:
    """Return the row of a lane's whole register file: what is reserved in it, and why it has halves."""
    half = config.weight_rows * config.row_bytes
    size = config.register_file_rows * config.row_bytes
    saved = config.accumulator_rows * config.row_bytes
    return [
        "register file, of a lane",
        role,
        size,
        None,
        None,
        f"{saved:,} bytes for saved accumulators, {half:,} bytes for weights that compute, as many for those that LOAD "
        f"brings meanwhile",
    ]


def _block(begin: int, end: int, low: float, share: float) -> str:
    if end <= begin or share <= 0:
        return ""
    top, bottom = INNER * (1 - low - share), INNER * (1 - low)
    return f"M{begin} {top:.0f}H{end}V{bottom:.0f}H{begin}z"


def running_legend() -> list[Legend]:
    """Return the legend of the figures."""
    return [
        Legend("load", "box", "LOAD"),
        Legend("execute", "box", "EXECUTE"),
        Legend("store", "box", "STORE"),
        Legend("input", "box", "what the layer reads"),
        Legend("output", "box", "what it makes"),
        Legend("kept", "box", "kept for later layers or from run to run"),
        Legend("weights", "box", "the layer's weights"),
    ]


def timeline_table(role: str, timeline: Timeline) -> DataTable:
    """Return all descriptors, which only the CSV holds; layers by their number from 0."""
    names = {int(queue): queue.name.lower() for queue in Queue}
    columns = ("queue", "layer", "start", "issued", "done")
    rows = zip(
        (names[queue] for queue in timeline.queues.tolist()),
        timeline.layer_indices.tolist(),
        timeline.start.tolist(),
        timeline.issued.tolist(),
        timeline.done.tolist(),
        strict=True,
    )
    return DataTable(
        name=f"timeline-{role}",
        caption=f"Timeline on the {role} accelerator, descriptor by descriptor",
        columns=[DataColumn(name, name) for name in columns],
        rows=[list(row) for row in rows],
    )


def memory_text(profile: Profile, config: AcceleratorConfig) -> str:
    """Return a sentence on what the memories on chip hold at their fullest."""
    layer = max(profile.layers, key=lambda row: row.local_bytes)
    parts = [
        f"{getattr(layer, region):,} bytes of {what}"
        for region, what in (
            ("local_input_bytes", "its input"),
            ("local_output_bytes", "its output"),
            ("local_kept_bytes", "activations that later layers read"),
        )
        if getattr(layer, region)
    ]
    listed = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    share = 100 * layer.local_bytes / profile.local_memory_bytes
    data = math.prod(layer.output) // config.pes
    text = (
        f"the local memory of a PE is fullest, at {share:.0f} %, in {layer.name}: {listed} "
        f"(space taken, padding included: a PE's share of an image's output is {data:,} bytes of data)"
    )
    kept = sum(row.store_bytes for row in profile.layers)
    if kept:
        share = 100 * kept / profile.weight_store_bytes
        text += f"; {share:.0f} % of the weight store holds weights from run to run"
    return text


_REMARKS = {
    "local memory, of a PE": "; space taken, padding included",
    "external memory, descriptors": "; the header and the commands",
}


def memory_table(
    profiles: dict[str, Profile], accelerators: dict[str, AcceleratorConfig]
) -> DataTable:
    """Return what there is of each memory and how much of it a run uses."""
    rows: list[list[object]] = []
    for role, profile in profiles.items():
        for use in profile.memories():
            if use.memory.startswith("register file"):
                rows.append(_register_file(role, accelerators[role]))
            purpose = use.purpose + _REMARKS.get(use.memory, "")
            rows.append([use.memory, role, use.size_bytes, use.used_bytes, use.share, purpose])
    return DataTable(
        name="memories",
        caption="Memories: size and use in a run",
        columns=[
            DataColumn("memory", "memory"),
            DataColumn("accelerator", "accelerator"),
            DataColumn("size_bytes", "size, bytes", "{:,}"),
            DataColumn("used_bytes", "bytes used or moved", "{:,}"),
            DataColumn("share", "used, %", "{:.1f}", 100),
            DataColumn("purpose", "used for"),
        ],
        rows=rows,
    )

"""Roofline: what bandwidth and multipliers would allow each layer, and what it reached.

S. Williams, A. Waterman, D. Patterson, "Roofline", CACM 52(4), 2009. The bandwidth is that of a direction, so bytes are
those of the busier direction.
"""

from cosilico.profile import LayerProfile, Profile
from cosilico.report.axes import LogAxis
from cosilico.report.layers import short
from cosilico.report.plot import Plot
from cosilico.report.table import DataColumn, DataTable

__all__ = ["roofline_plot", "roofline_table"]


def _images(profile: Profile, peak: int) -> float:
    """Images of the program, from a layer with MACs."""
    layer = max(profile.layers, key=lambda row: row.macs)
    return layer.ideal_cycles * peak / layer.macs if layer.macs else 1.0


def _rate(layer: LayerProfile, images: float) -> float | None:
    """MACs per cycle that a layer reached; None where it has none."""
    return images * layer.macs / layer.cycles if layer.macs and layer.cycles > 0 else None


def _intensity(layer: LayerProfile, images: float) -> float | None:
    """MACs per external byte of the busier direction; None where there are none."""
    moved = max(layer.read_bytes, layer.write_bytes)
    return images * layer.macs / moved if moved else None


def roofline_plot(profiles: dict[str, Profile], peaks: dict[str, int]) -> Plot:
    """Return layers of both accelerators under their roofs.

    Parameters
    ----------
    profiles : dict of Profile
        By "default" and "found".
    peaks : dict of int
        MACs per cycle of each.
    """
    places: dict[str, list[tuple[LayerProfile, float | None, float]]] = {}
    for role, profile in profiles.items():
        images = _images(profile, peaks[role])
        known = [
            (layer, _intensity(layer, images), _rate(layer, images)) for layer in profile.layers
        ]
        places[role] = [(layer, x, y) for layer, x, y in known if y is not None]
    xs = [x for rows in places.values() for _, x, _ in rows if x is not None]
    ridges = [peaks[role] / profiles[role].bytes_per_cycle for role in profiles]
    ys = [y for rows in places.values() for *_, y in rows]
    plot = Plot(
        name="roofline",
        title="MACs per cycle of each layer against its MACs per external byte, with the roofs of both accelerators",
        x=LogAxis.over("MACs per external byte, logarithmic", [*xs, *ridges]),
        y=LogAxis.over("MACs per cycle, logarithmic", [*ys, *peaks.values()]),
        height_px=360,
    )
    end = plot.x.high
    for role, profile in profiles.items():
        ridge = peaks[role] / profile.bytes_per_cycle
        low = plot.x.low
        plot.line(
            [low, ridge, end],
            [low * profile.bytes_per_cycle, peaks[role], peaks[role]],
            role,
            f"roof, {role}",
        )
        plot.points(
            [(end if x is None else x, y, _tip(layer, role, x, y)) for layer, x, y in places[role]],
            role,
            f"layers, {role}",
            hollow=role == "default",
            radius=5 if role == "default" else 4,
        )
        worst = profile.worst(1)[0]
        noted = [(x, y) for layer, x, y in places[role] if layer is worst]
        for x, y in noted:
            at = end if x is None else x
            plot.note(at, y, f"{short(worst.name)}, {role}", below=role == "default")
    return plot


def _tip(layer: LayerProfile, role: str, intensity: float | None, rate: float) -> str:
    bytes_text = "no external bytes" if intensity is None else f"{intensity:,.3g} MACs per byte"
    return f"{layer.name}, {role}: {rate:,.1f} MACs per cycle, {bytes_text}"


def roofline_table(profiles: dict[str, Profile], peaks: dict[str, int]) -> DataTable:
    """Return the points of the plot, with the lower roof of each layer."""
    rows = []
    for role, profile in profiles.items():
        images = _images(profile, peaks[role])
        for layer in profile.layers:
            rate, intensity = _rate(layer, images), _intensity(layer, images)
            if rate is None:
                continue
            roof = peaks[role] if intensity is None else min(
                peaks[role], intensity * profile.bytes_per_cycle
            )  # fmt: skip
            limit = "multipliers" if roof == peaks[role] else "bandwidth"
            rows.append([layer.name, role, intensity, rate, roof, rate / roof, limit])
    return DataTable(
        name="roofline-points",
        caption="Layers with MACs and the lower of their roofs",
        columns=[
            DataColumn("layer", "layer"),
            DataColumn("accelerator", "accelerator"),
            DataColumn("macs_per_byte", "MACs per byte", "{:,.2f}"),
            DataColumn("macs_per_cycle", "MACs per cycle", "{:,.1f}"),
            DataColumn("roof_macs_per_cycle", "roof", "{:,.1f}"),
            DataColumn("share_of_roof", "of the roof, %", "{:.1f}", 100),
            DataColumn("limit", "lower roof"),
        ],
        rows=rows,
    )

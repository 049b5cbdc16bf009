"""Why multipliers have no work: extents of a layer that do not divide by the accelerator's."""

from cosilico.profile import LayerProfile, Profile
from cosilico.report.table import DataColumn, DataTable
from sim.spec.accelerator import AcceleratorConfig

__all__ = ["fill_table"]


def fill_table(
    profiles: dict[str, Profile], accelerators: dict[str, AcceleratorConfig], count: int = 5
) -> DataTable:
    """Return the layers that lose the most cycles to multipliers without work, and what of their output does not divide."""
    rows: list[list[object]] = []
    for role in ("found", "default"):
        layers = sorted(profiles[role].layers, key=lambda layer: -layer.losses["unfilled"])
        for layer in layers[:count]:
            if layer.losses["unfilled"] > 0:
                share = layer.ideal_cycles / layer.computing if layer.computing > 0 else None
                rows.append(
                    [
                        layer.name,
                        role,
                        layer.kind.replace("_", " "),
                        layer.losses["unfilled"],
                        share,
                        *_extents(layer, accelerators[role]),
                    ]
                )
    return DataTable(
        name="fill",
        caption="Layers that lose the most cycles to multipliers not filled, and the extents of their output",
        columns=[
            DataColumn("layer", "layer"),
            DataColumn("accelerator", "accelerator"),
            DataColumn("kind", "kind"),
            DataColumn("unfilled", "cycles lost", "{:,.0f}"),
            DataColumn("filled", "filled while computing, %", "{:.1f}", 100),
            DataColumn("rows", "rows on rows of PEs"),
            DataColumn("columns", "columns on columns of PEs"),
            DataColumn("channels", "channels on SIMD units of a lane"),
        ],
        rows=rows,
    )


def _extents(layer: LayerProfile, config: AcceleratorConfig) -> list[str]:
    height, width, channels = layer.output
    if height * width == 1:  # Its channels lie on several PEs, as the mapper chooses.
        return ["", "", ""]
    pairs = ((height, config.pes_y), (width, config.pes_x), (channels, config.simd_units))
    return [_division(extent, units) for extent, units in pairs]


def _division(extent: int, units: int) -> str:
    """Say how an extent fills units, each of which takes as much as the fullest."""
    room = -(-extent // units) * units
    if room == extent:
        return f"{extent} on {units}: all filled"
    return f"{extent} on {units}: {100 * extent / room:.0f} % filled"

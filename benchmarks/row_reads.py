"""Register-file rows that the lanes read for an image, and what they would if each lane read its own.

``python benchmarks/row_reads.py`` prints a Markdown table (decision 28).
"""

from layer_limits import Row, steps_of_set
from sim.arrays.geometry import set_shape
from sim.arrays.tables import COLUMNS
from sim.networks.named import named_network
from sim.plan import map_network
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.descriptor import ExecuteOp, Queue
from sim.spec.spaces import EDGE, TINY

CASES = (
    (EDGE.default, "edge", ("mobilenet_v2", "efficientnet_lite0", "resnet8")),
    (TINY.default, "tiny", ("mobilenet_v1_025", "ds_cnn", "resnet8")),
)
"""Accelerators, their names and the networks that are run on them."""


def row_reads(config: AcceleratorConfig, network: str) -> tuple[int, int]:
    """Rows that all register files give for an image: a row for each lane, and a row for all pixels."""
    alone = shared = 0
    for values in map_network(config, named_network(network, 0)).rows:
        row: Row = dict(zip(COLUMNS, values.tolist(), strict=True))
        if row["queue"] != Queue.EXECUTE:
            continue
        down, across = set_shape(row["op"], row["pixels"])
        sets = -(-row["window_rows"] // down) * -(-row["window_columns"] // across)
        steps = sets * steps_of_set(row, config) * config.pes * config.compute_lanes
        alone += steps
        shared += steps if row["op"] == ExecuteOp.POOL else steps // row["pixels"]
    return alone, shared


def main() -> None:
    """Print the table."""
    print("| network | accelerator | each lane its own | a row for all pixels | share |")
    print("|---|---|---:|---:|---:|")
    for config, name, networks in CASES:
        for network in networks:
            alone, shared = row_reads(config, network)
            print(f"| {network} | {name} | {alone:,} | {shared:,} | {shared / alone:.1%} |")


if __name__ == "__main__":
    main()

"""Refusals and their reasons: rules of realizability that designs broke."""

from collections import Counter

from cosilico.report.records import RunRecords
from cosilico.report.table import DataColumn, DataTable

__all__ = ["RULES", "refused_table"]

RULES = {
    "GEN_GRID": "the PE grid is larger than the generator builds",
    "GEN_WIDTH": "a width is none that the generator builds",
    "GEN_BANK_DEPTH": "a bank of local memory has too few vectors, or too many",
    "GEN_REGISTER_FILE": "a register file has too few rows, or too many",
    "GEN_BUS": "the bus would be wider than a vector allows",
    "GEN_STORE": "the weight store has too many rows",
    "GEN_MEMORY": "there is more memory in all than the generator builds",
    "GEN_CLOCK": "the clock is faster than any that is modelled",
    "MAP_SHIFT": "a requantization shifts further than the hardware does",
    "MAP_COUNT": "a pool sums more pixels than the hardware counts",
    "MAP_WEIGHTS": "the weights of a layer do not fit a half of the register file",
    "MAP_TILE": "the smallest tile of a layer does not fit local memory",
    "MAP_CHANNELS": "a concatenation has too many values",
    "MAP_BUS": "products of activations need a bus that is no wider than a vector",
    "MAP_FIELD": "a descriptor's field cannot hold its value",
    "MAP_TABLE": "layers have activation tables, which the accelerator has no memory for",
    "MAP_STATE": "images of a network with states are computed one by one",
    "MAP_PROGRAM": "the program has too many descriptors",
    "PHYS_CLOCK": "a module does not reach the clock in 45 nm",
    "PHYS_AREA": "the area is above the budget",
    "PHYS_POWER": "the highest power is above the budget",
    "PHYS_LUT": "the FPGA has too few look-up tables",
    "PHYS_FF": "the FPGA has too few flip-flops",
    "PHYS_DSP": "the FPGA has too few multipliers",
    "PHYS_BRAM": "the FPGA has too few RAM blocks",
}
"""Rules by their codes, in words."""


def refused_table(records: RunRecords) -> DataTable:
    """Return how many designs broke each rule, in the search and in the space."""
    evaluated: Counter[str] = Counter()
    for row in records.evaluations:
        evaluated.update(set(row["violations"]))
    space = records.search.get("space_refused")
    codes = sorted({*evaluated, *(space or {})}, key=lambda code: (-evaluated[code], code))
    return DataTable(
        name="refused",
        caption="Rules that designs broke; a design may break several",
        columns=[
            DataColumn("rule", "rule"),
            DataColumn("evaluations", "evaluations of the search", "{:,}"),
            DataColumn("accelerators", "accelerators of the space", "{:,}"),
            DataColumn("meaning", "meaning"),
        ],
        rows=[
            [
                code,
                evaluated[code],
                None if space is None else space.get(code, 0),
                RULES.get(code, "see the documentation"),
            ]
            for code in codes
        ],
    )

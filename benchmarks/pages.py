"""Tables of the pages, written from the results files beside this script.

    python benchmarks/pages.py [--check]

A block of a page lies between `<!-- from benchmarks/FILE.json: NAME -->` and `<!-- end -->`; the file may
also be in `sim/cost`, `sim/timing` or `cosilico/joint`. `make pages` rewrites all of them, and a test compares them. With ``--check`` nothing is written, and the
exit status is 1 if a page is behind its file.
"""

import argparse
import io
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from claim_pages import (
    accelerator_regrets,
    claims,
    default_gains,
    joint_front,
    joint_in_rtl,
    joint_problems,
    joint_reading,
    joint_regrets,
    joint_searches,
    learned_proposals,
    shared_accelerators,
    shared_front,
    tuned_strategies,
)
from clock_pages import bitstream, clock_reach, module_paths, routed_modules
from cosilico.console import Column, fitted_table
from cosilico.summary import accelerator_text, agreement_lines, summary_rows
from cost_pages import (
    default_memories,
    fakeram45,
    hyperbus_figures,
    interface_prices,
    interface_sources,
    interpolation,
    lpddr4_figures,
    macro_cells,
    other_macros,
)
from dram_pages import dram_judge, dram_parameters, drams
from import_pages import model_collections
from page_tables import table_lines
from published_pages import published_areas, published_energies
from scaling_pages import campaign, cluster_overhead
from search_pages import (
    amortized,
    certified,
    co_searches,
    compared_co_searches,
    fashion,
    learned_costs,
    regret,
)
from silicon_pages import SILICON
from speed_pages import speed
from trade_pages import (
    bandwidth_memories,
    edge_limits,
    edge_optima,
    edge_trade,
    edge_utilization,
    headline,
    layer_losses,
    memory_pairs,
    small_optima,
    spilled_layers,
    tiny_limits,
)
from trained_space_pages import trained_space

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "docs/**/*.md", "benchmarks/*.md")

Results = Mapping[str, Any]

_BLOCK = re.compile(
    r"(<!-- from ((?:benchmarks|sim/cost|sim/timing|cosilico/joint)/\w+\.jsonl?): (\w+) -->\n)(.*?)(<!-- end -->)",
    re.DOTALL,
)


class PageError(ValueError):
    """A page asks for a block that there is not."""


def main() -> int:
    """Rewrite the pages, or say which of them are behind their results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    behind = []
    for page in sorted(path for pattern in PAGES for path in ROOT.glob(pattern)):
        text = page.read_text(encoding="utf-8")
        current = rendered(text, ROOT)
        if current != text:
            behind.append(str(page.relative_to(ROOT)))
            if not arguments.check:
                page.write_text(current, encoding="utf-8")
    print(
        f"{'behind their files' if arguments.check else 'written'}: {', '.join(behind) or 'none'}"
    )
    return int(arguments.check and bool(behind))


def rendered(text: str, root: Path) -> str:
    """Return a page with every block made from its results file.

    Raises
    ------
    PageError
        If there is no block of a name.
    """

    def fresh(match: re.Match[str]) -> str:
        begin, file, name, _, end = match.groups()
        if name not in BLOCKS:
            raise PageError(f"block must be one of {', '.join(BLOCKS)}, not {name!r}")
        content = (root / file).read_text(encoding="utf-8")
        records = content.splitlines() if file.endswith("l") else [content]
        results = [json.loads(record) for record in records]
        block = BLOCKS[name](results if file.endswith("l") else results[0])
        return f"{begin}{block.rstrip()}\n{end}"

    return _BLOCK.sub(fresh, text)


def without_blocks(text: str) -> str:
    """Return a page's text outside of its blocks."""
    return _BLOCK.sub("", text)


def demo(results: Results) -> str:
    """Table and lines that ``cosilico run`` ends with."""
    stream = io.StringIO()
    console = Console(file=stream, width=90, markup=False, emoji=False, highlight=False)
    columns = (
        Column("per image"),
        Column("default hardware", right=True),
        Column("searched hardware", right=True),
    )
    title = f"{results['name']}: the same network on both"
    rows = summary_rows(dict(results))
    console.print(fitted_table(console.width, columns, rows, title=title))
    table = "\n".join(line.rstrip() for line in stream.getvalue().splitlines())
    return "\n".join(["```", table, *agreement_lines(dict(results)), "```"])


_VALIDATION_COLUMNS = {
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


def validation(results: Results) -> str:
    """Parts of the long validation, and what judged them beside the reference."""
    campaign, total = results["campaign"], results["total"]
    columns = {name: title for name, title in _VALIDATION_COLUMNS.items() if name in total}
    rows = [
        [name, part.get("memory", ""), *(_cell(part[column]) for column in columns)]
        for name, part in (*results["parts"].items(), ("total", total))
    ]
    verdicts = results["verdicts"]
    asked = sum(count for name, count in verdicts.items() if name != "ran")
    refused = ", ".join(f"{name} {count}" for name, count in verdicts.items() if name.isupper())
    return "\n".join(
        [
            f"Seed {campaign['seed']}, {campaign['view']} view of the PE grid except where a column "
            f"says otherwise, gateware `{results['gateware_hash'][:12]}`; {len(results['wrong'])} "
            "pairs are wrong.",
            "",
            *table_lines(["part", "memory", *columns.values()], rows, text=2),
            "",
            f"Of the imported networks {total['judged_values']:,} values were compared with the "
            f"interpreter's, and {total['judged_differences']:,} differ. Of the {asked:,} pairs "
            f"drawn for their realizability {verdicts['realizable']:,} are realizable and "
            f"{verdicts['ran']:,} of them ran; the check refuses the others ({refused}), and so did "
            "generator or compiler, with the same line.",
        ]
    )


def random_memories(results: Results) -> str:
    """Random pairs behind random deterministic memories."""
    campaign, total = results["campaign"], results["total"]
    columns = {
        "pairs": "pairs",
        "runs": "runs",
        "configurations": "configurations",
        "activations": "activations",
        "bit_differences": "differ",
        "descriptors": "descriptors",
        "timing_differences": "differ",
        "failures": "failed",
    }
    rows = [
        [name, *(_cell(part[column]) for column in columns)]
        for name, part in (*results["parts"].items(), ("total", total))
    ]
    return "\n".join(
        [
            f"Seed {campaign['seed']}, gateware `{results['gateware_hash'][:12]}`; "
            f"{len(results['wrong'])} pairs are wrong.",
            "",
            *table_lines(["part", *columns.values()], rows, text=1),
        ]
    )


def imported_models(results: Results) -> str:
    """Random TensorFlow Lite models that the interpreter judged."""
    columns = {
        "pairs": "models",
        "configurations": "accelerators",
        "judged_values": "activations compared with the interpreter",
        "judged_differences": "differ",
        "timing_differences": "cycle counts that differ",
    }
    rows = [
        [name.rpartition(", ")[2], *(_cell(part[column]) for column in columns)]
        for name, part in results["parts"].items()
        if name.startswith("imported networks")
    ]
    return "\n".join(table_lines(["space", *columns.values()], rows, text=1))


def census(results: Results) -> str:
    """Realizable accelerators of the networks' spaces, and the rules that the others break."""
    codes = sorted({code for row in results.values() for code in row["census"]} - {"realizable"})
    rows = []
    for name, row in results.items():
        counts = [row["census"].get(code, 0) for code in ("realizable", *codes)]
        shares = [
            f"{count:,} ({100 * count / row['points']:.1f} %)" if count else "0" for count in counts
        ]
        rows.append([name, row["space"], f"{row['points']:,}", *shares])
    titles = ["network", "space", "points", "realizable", *codes]
    return "\n".join(table_lines(titles, rows, text=2))


def optima(results: Results) -> str:
    """Fastest accelerators within the default's area, with bandwidth free and pinned."""
    rows = []
    for name, row in results.items():
        for label, key in (("free", "optimum"), ("pinned", "pinned_optimum")):
            best = row["latency"][key]
            rows.append(
                [
                    name,
                    label,
                    f"{best['predicted_cycles']:,}",
                    accelerator_text(best["accelerator"]),
                ]
            )
    return "\n".join(
        table_lines(["network", "bandwidth", "cycles, predicted", "accelerator"], rows, text=4)
    )


def gains(results: Results) -> str:
    """How many times less the best accelerator of a space costs than its default."""
    columns = {"optimum": "free", "widened_default": "bandwidth alone", "pinned_optimum": "pinned"}
    titles = [
        "network",
        "space",
        "default, cycles",
        *(f"{metric}: {title}" for metric in ("latency", "EDP") for title in columns.values()),
    ]
    rows = []
    for name, row in results.items():
        ratios = [
            f"{_cost(row['default'], metric) / _cost(row[metric][key], metric):.2f}"
            for metric in ("latency", "edp")
            for key in columns
        ]
        rows.append([name, row["space"], f"{row['default']['predicted_cycles']:,}", *ratios])
    return "\n".join(table_lines(titles, rows, text=2))


def _cost(row: Mapping[str, Any], metric: str) -> float:
    cycles, energy = float(row["predicted_cycles"]), float(row["energy"])
    return cycles * energy if metric == "edp" else cycles


def mlperf_tiny(results: Sequence[Results]) -> str:
    """MLPerf Tiny's networks on the fastest accelerators for three budgets of area."""
    titles = (
        *("network", "area budget", "accelerator", "cycles, predicted = measured"),
        *("ms at 200 MHz", "utilization", "area, mm²", "energy, µJ"),
    )
    rows = [
        [
            row["network"],
            f"{row['budget']:g} × ({row['budget_mm2']:.3f} mm²)",
            accelerator_text(row["accelerator"]),
            f"{row['cycles']:,}",
            f"{row['ms']:.3f}",
            f"{100 * row['utilization']:.1f} %",
            f"{row['area_mm2']:.3f}",
            f"{row['energy_pj'] * 1e-6:.2f}",
        ]
        for row in results
    ]
    return "\n".join(table_lines(titles, rows, text=3))


def imagenet_classes(results: Results) -> str:
    """First classes of the photographs by the networks in floating point and in int8."""
    titles = ["photograph"]
    titles += [f"{network}, {form}" for network in results for form in ("float", "int8")]
    photographs = next(iter(results.values()))["classes"]["int8"]
    rows = [
        [name, *(", ".join(run["classes"][form][name][:3]) for run in results.values() for form in ("float", "int8"))]
        for name in photographs
    ]  # fmt: skip
    return "\n".join(table_lines(titles, rows, text=len(titles)))


def imagenet_right(results: Results) -> str:
    """Calibration images whose first class is right, of 20."""
    rows = [
        [network, *(str(run["calibration_right"][form]) for form in ("float", "int8"))]
        for network, run in results.items()
    ]
    return "\n".join(table_lines(["network", "float", "int8"], rows, text=1))


def imagenet_runs(results: Results) -> str:
    """Networks trained on ImageNet on the edge space's default and on a smaller accelerator."""
    sides = [run["rtl"][name] for run in results.values() for name in ("default", "small")]
    lines: dict[str, Callable[[Results], str]] = {
        "PE grid, lanes, SIMD units": lambda side: (
            "{pes_x}x{pes_y}, {compute_lanes}, {simd_units}".format(**side["accelerator"])
        ),
        "local memory, register file": lambda side: (
            "{local_memory_kb:,} KiB, {register_file_kb} KiB".format(**side["accelerator"])
        ),
        "weight store": lambda side: f"{side['accelerator'].get('weight_store_kb', 0):,} KiB",
        "external bandwidth": lambda side: f"{side['accelerator']['io_bandwidth_gbps']:g} GB/s",
        "MACs per cycle": lambda side: f"{side['macs_per_cycle']:,}",
        "area in 45 nm": lambda side: f"{side['area']:.1f} mm²",
        "warm cycles, measured": lambda side: f"{side['warm_cycles']:,}",
        "warm cycles, predicted": lambda side: f"{side['predicted_warm_cycles']:,}",
        "cold cycles, measured": lambda side: f"{side['cold_cycles']:,}",
        "cold cycles, predicted": lambda side: f"{side['predicted_cold_cycles']:,}",
        "time of a warm run": lambda side: (
            f"{side['warm_cycles'] / (side['accelerator']['clock_mhz'] * 1000):.3f} ms"
        ),
        "utilization": lambda side: f"{100 * side['utilization']:.1f} %",
        f"activations that differ, {sides[0]['images']} photographs": lambda side: (
            f"{side['mismatched_activations']:,}"
        ),
    }
    titles = ["", *(f"{network}, {name}" for network in results for name in ("default", "small"))]
    rows = [[title, *(cell(side) for side in sides)] for title, cell in lines.items()]
    return "\n".join(table_lines(titles, rows, text=len(titles)))


def mapper_distance(results: Results) -> str:
    """Mapper's choice against the best of all mappings, by kind of layer."""
    rows = [
        [kind, f"{row['layers']}", f"{100 * row['mean']:.2f} %", f"{100 * row['worst']:.1f} %"]
        for kind, row in results["kinds"].items()
    ]
    return "\n".join(table_lines(["kind", "layers", "mean distance", "worst"], rows, text=1))


def engines(results: Results) -> str:
    """Runs in both engines by kind of design, view and memory, and what differs."""
    counts: dict[tuple[str, str, str], list[int]] = {}
    for case in results["cases"]:
        for run in case["runs"]:
            memory = str(run["memory"]) if run["stall_seed"] is None else "random stalls"
            row = counts.setdefault((case["kind"], case["view"], memory), [0, 0, 0, 0, 0])
            differing = (
                len(run["fields_that_differ"]),
                run["mismatched_activations"],
                run["mismatched_cycles"],
            )
            row[:] = [a + b for a, b in zip(row, (1, run["descriptors"], *differing), strict=True)]
    titles = ["design", "view", "memory", "runs of each", "descriptors", "fields that differ"]
    titles += ["activations wrong", "cycles wrong"]
    rows = [[*names, *map(_cell, row)] for names, row in sorted(counts.items())]
    made = f"{results['date']}, Verilator {results['verilator']}, {results['processor']}"
    return "\n".join([*table_lines(titles, rows, text=3), "", f"({made}.)"])


def foreign_systems(results: Results) -> str:
    """Errors behind systems of others, before and after calibration by traces."""
    titles = [
        "system",
        *("effects", "before", "after, random networks", "worst", "after, named networks", "worst"),
    ]
    rows = []
    for system, row in results["systems"].items():
        random, named = row["random"], row["named"]["after"]
        after = random["after"]
        rows.append(
            [
                system,
                ", ".join(row["report"]["effects"]) or "none",
                f"{100 * random['before']['mean']:.1f} %",
                f"{100 * after['mean']:.2f} % ({100 * after['low']:.2f} … {100 * after['high']:.2f})",
                f"{100 * after['worst']:.2f} %",
                f"{100 * named['mean']:.2f} %",
                f"{100 * named['worst']:.2f} %",
            ]
        )
    return "\n".join(table_lines(titles, rows, text=2))


def earlier_prices(results: Results) -> str:
    """Sentence that names the results whose areas and energies are not those of the present fits."""
    if not results:
        return "All figures have the present prices."
    *names, last = results.values()
    named = f"{', '.join(names)} and {last}" if names else last
    return (
        f"With earlier prices: {named}. Their budgets are those of the proxy, which counted less for logic and nothing "
        "for bandwidth, or of an earlier fit; their cycles are those of the accelerators that they name."
    )


def _cell(value: int | list[int]) -> str:
    return f"{value:,}" if isinstance(value, int) else " … ".join(f"{x:,}" for x in value)


BLOCKS: dict[str, Callable[[Any], str]] = {
    block.__name__: block
    for block in (
        demo,
        clock_reach,
        module_paths,
        routed_modules,
        bitstream,
        validation,
        random_memories,
        imported_models,
        model_collections,
        census,
        optima,
        gains,
        mlperf_tiny,
        imagenet_classes,
        imagenet_right,
        imagenet_runs,
        mapper_distance,
        foreign_systems,
        earlier_prices,
        drams,
        dram_parameters,
        dram_judge,
        engines,
        cluster_overhead,
        campaign,
        macro_cells,
        other_macros,
        interpolation,
        default_memories,
        fakeram45,
        published_areas,
        published_energies,
        interface_prices,
        lpddr4_figures,
        hyperbus_figures,
        interface_sources,
        amortized,
        certified,
        compared_co_searches,
        fashion,
        regret,
        co_searches,
        learned_costs,
        edge_limits,
        tiny_limits,
        edge_optima,
        edge_trade,
        edge_utilization,
        headline,
        layer_losses,
        spilled_layers,
        small_optima,
        memory_pairs,
        bandwidth_memories,
        speed,
        accelerator_regrets,
        claims,
        default_gains,
        joint_front,
        joint_in_rtl,
        joint_problems,
        joint_reading,
        joint_regrets,
        joint_searches,
        learned_proposals,
        tuned_strategies,
        trained_space,
        shared_accelerators,
        shared_front,
        *SILICON,
    )
}
"""Blocks that a page can ask for: name to function of a results file's content."""

if __name__ == "__main__":
    sys.exit(main())

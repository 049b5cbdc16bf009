"""Figures on the pages: each comes from a results file, or is computed here again."""

import json
import math
import re
import runpy
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_digits

from cosilico.comparison_joint_summary import WITHIN as JOINT_WITHIN
from cosilico.enumeration_parts import MOST_POINTS
from cosilico.table_forms import JOINED_ROWS
from cost_figures import cost_figures
from project_root import ROOT
from search.strategies.certified_settings import MOST_BOUNDED
from sim.cost.area import area
from sim.cost.energy import energy
from sim.cost.sram import MACRO_ROWS
from sim.model import predict
from sim.networks.named import NAMED_NETWORKS, named_network
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.memories import DETERMINISTIC, DRAM
from sim.spec.network import LAYERS_LIMIT, LayerKind, Network
from sim.spec.spaces import EDGE, NAHAS, SPACE_NAMES, TINY

BENCHMARKS = ROOT / "benchmarks"
KINDS = ("tutorials", "howto", "reference", "explanation")
PAGES = [
    *(
        ROOT / name
        for name in ("README.md", "docs/index.md", "examples/README.md", "benchmarks/speed.md")
    ),
    *(page for kind in KINDS for page in sorted((ROOT / "docs" / kind).glob("*.md"))),
]

pages = runpy.run_path(str(BENCHMARKS / "pages.py"))
BLOCKS: dict[str, Callable[[Any], str]] = pages["BLOCKS"]

FIGURE = re.compile(
    r"(?<![\w.,])\d{1,3}(?:,\d{3})+(?!\d)"
    r"|\d+(?:\.\d+)? ?%"
    r"|\b\d+(?:\.\d+)?x\b(?! ?\d)"
    r"|\b\d+(?:\.\d+)? (?:ms|µs|s|min|h|mm²|µJ|hours|minutes|seconds)\b"
)
"""Large numbers, shares, factors and quantities with a unit."""


def results(name: str) -> Any:
    return json.loads((BENCHMARKS / f"{name}.json").read_text())


def page_text(name: str) -> str:
    return (ROOT / name).read_text()


@pytest.mark.parametrize(
    "page",
    [*PAGES, *sorted(BENCHMARKS.glob("*.md"))],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_blocks_are_as_their_files_say(page: Path) -> None:
    text = page.read_text()
    assert pages["rendered"](text, ROOT) == text, "run `python benchmarks/pages.py`"
    assert text.count("<!-- from ") == len(pages["_BLOCK"].findall(text)) == text.count("<!-- end")


def test_every_block_is_on_a_page() -> None:
    asked = {
        name
        for page in PAGES
        for _, _, name, _, _ in pages["_BLOCK"].findall(page.read_text())
    }  # fmt: skip
    assert asked == set(BLOCKS)


def test_a_block_is_replaced_and_the_rest_is_not(tmp_path: Path) -> None:
    (tmp_path / "benchmarks").mkdir()
    figures = {"layers": 3, "mean": 0.0125, "worst": 0.331}
    (tmp_path / "benchmarks" / "x.json").write_text(json.dumps({"kinds": {"add": figures}}))
    text = (
        "before\n<!-- from benchmarks/x.json: mapper_distance -->\nold\n<!-- end -->\nafter 7 %\n"
    )
    written = pages["rendered"](text, tmp_path)
    assert written.startswith("before\n<!-- from benchmarks/x.json: mapper_distance -->\n| kind |")
    assert written.endswith("| add | 3 | 1.25 % | 33.1 % |\n<!-- end -->\nafter 7 %\n")
    assert pages["rendered"](written, tmp_path) == written
    assert pages["without_blocks"](written) == "before\n\nafter 7 %\n"
    wrong = text.replace("mapper_distance", "mapper_distances")
    with pytest.raises(
        ValueError, match=r"^block must be one of demo, .*, not 'mapper_distances'$"
    ):
        pages["rendered"](wrong, tmp_path)


def known_figures() -> dict[str, set[str]]:
    """Figures outside of blocks, computed from what they are about, by page."""
    from cosilico.comparison import TABLE_POINTS
    from cosilico.flow import _NETLIST_MACS
    from foreign_systems import AIM, AIM_RANDOM_TRAFFIC
    from hwgen.soc.system_map import MOST_RATE_ERROR
    from sim.mapping.descriptor_counts import MAX_DESCRIPTORS
    from sim.realizability import MAX_BANK_DEPTH, MAX_CLOCK_MHZ, MAX_REGISTER_FILE_ROWS
    from sim.timing.calibration import DRAM_ERROR_LIMIT
    from testbench.calibration.dram import MEAN_LIMITS
    from testbench.traces.calibrate import LIMIT
    from testbench.traces.determination import CLOSE
    from testbench.traces.evidence import CONFIDENCE
    from testbench.traces.fit import GAIN
    from testbench.validation.campaign import SYNTHESIS_MACS

    regret = runpy.run_path(str(BENCHMARKS / "regret.py"))
    small = [config for config in EDGE if config.macs == 4096]
    return {
        "README.md": {
            f"{_NETLIST_MACS:,}",
            f"{len(load_digits().data):,}",
            f"{len(TINY):,}",
        },
        "docs/reference/accelerator.md": {f"{MAX_BANK_DEPTH:,}", f"{MAX_CLOCK_MHZ:,}"},
        "docs/reference/results.md": {f"{_NETLIST_MACS:,}"},
        "docs/reference/soc.md": {f"{100 * MOST_RATE_ERROR:g} %"},
        # The store's size is in tests/test_project/test_project_trade.py.
        "docs/explanation/trade.md": {f"{len(EDGE):,}", f"{2048:,}"},
        "docs/explanation/scaling.md": {f"{MOST_POINTS:,}"},
        "docs/explanation/architecture.md": {
            f"{LAYERS_LIMIT:,}",
            f"{MAX_CLOCK_MHZ:,}",
            f"{MAX_DESCRIPTORS:,}",
            f"{MAX_BANK_DEPTH:,}",
            f"{MAX_REGISTER_FILE_ROWS:,}",
        },
        "docs/explanation/calibration.md": {
            f"{SYNTHESIS_MACS:,}",
            *(f"{share:.0%}".replace("%", " %") for share in (LIMIT, CONFIDENCE, GAIN, CLOSE)),
            *(f"{share:.0%}".replace("%", " %") for share in (AIM, AIM_RANDOM_TRAFFIC)),
        },
        "docs/explanation/cost.md": cost_figures(),
        "docs/reference/dram.md": {
            *(f"{limit:.0%}".replace("%", " %") for limit in MEAN_LIMITS.values()),
            f"{DRAM_ERROR_LIMIT:.0%}".replace("%", " %"),
            *(f"{cycles:,}" for row in DRAM_ROWS for cycles in predicted_cycles(*row)),
        },
        "docs/explanation/imagenet.md": {f"{4096:,}", f"{len(small):,}", f"{affordable(small):,}"},
        "examples/README.md": {f"{4096:,}"},
        "docs/howto/space.md": {f"{MOST_POINTS:,}", f"{JOINED_ROWS:,}"},
        "docs/reference/experiments.md": {
            *(f"{len(space):,}" for space in SPACE_NAMES.values()),
            f"{MOST_BOUNDED:,}",
        },
        # The digits are counted; the others' sizes are those of the data's publications.
        "docs/reference/experiment_fields.md": {
            *(f"{len(load_digits().data):,}", f"{60_000:,}", f"{50_000:,}", f"{10_000:,}"),
        },
        "docs/reference/glossary.md": {f"{MACRO_ROWS:,}"},
        "docs/reference/joint.md": joint_figures(),
        "docs/explanation/hardware.md": image_figures(),
        "docs/reference/networks.md": {
            figure for name in NAMED_NETWORKS for figure in sizes(named_network(name))
        },
        "docs/explanation/search.md": {
            *(f"{len(space):,}" for space in SPACE_NAMES.values()),
            f"{len(TINY) // len(TINY.values['weight_store_kb']):,}",
            *(
                f"{TABLE_POINTS:,}",
                f"{MOST_BOUNDED:,}",
                f"{regret['WITHIN']:.0%}".replace("%", " %"),
                f"{JOINT_WITHIN:.0%}".replace("%", " %"),
            ),
            *fashion_figures(),
        },
        "docs/explanation/security.md": {"10 s"},  # tests/test_project_security.py
    }


def joint_figures() -> set[str]:
    """Counts of NAS-Bench-201 and of the space beside it; 6,466 is in tests/test_sim_nas_bench_201.py."""
    from search.space_settings import load_space_file
    from sim.networks.cell_graphs import all_cells, graphs

    cells, space = all_cells(), load_space_file(ROOT / "examples" / "joint_space.toml")
    networks = len(graphs(cells))
    macs = [config.macs for config in space]
    assert (min(macs), space.clock_mhz) == (64, 200)
    counts = (len(cells), networks, len(space), networks * len(space), max(macs), 6_466)
    return {f"{count:,}" for count in counts}


def image_figures() -> set[str]:
    """Bytes of MobileNetV2's image, and cycles of the `edge` default's bus for them."""
    size, accelerator = math.prod(named_network("mobilenet_v2").input.shape), EDGE.default
    cycles = size * accelerator.clock_mhz / (accelerator.io_bandwidth_gbps * 1000)
    return {f"{size:,}", f"{math.ceil(cycles):,}"}


def fashion_figures() -> set[str]:
    """Figures of Fashion-MNIST on the page on searches, outside of its table."""
    script, measured = runpy.run_path(str(BENCHMARKS / "fashion.py")), results("fashion")
    task = tomllib.loads(script["_BASE"].partition("[network]")[0])["task"]
    alone = [row for key, row in measured["runs"].items() if key.startswith("hardware:0")]
    small = [row["cycles"] for key, row in measured["runs"].items() if key[0] in "jn"]
    images = [row["trained_images"] for row in measured["spent"].values()]
    assert measured["rtl"]["mismatched_cycles"] == measured["rtl"]["mismatched_activations"] == 0
    counts = (
        *(
            task["train_limit"],
            task["test_limit"],
            measured["rtl"]["images"],
            min(small),
            max(small),
        ),
        *(measured["reference"]["cycles"], min(row["cycles"] for row in alone)),
        measured["rtl"]["measured_cycles"],
    )
    return {
        *(f"{count:,}" for count in counts),
        f"{max(images) / min(images) - 1:.0%}".replace("%", " %"),
    }


def affordable(configs: list[AcceleratorConfig]) -> int:
    budget = area(EDGE.default).total
    return sum(area(config).total <= budget for config in configs)


def parameters(network: Network) -> int:
    """Number of weights and biases of a network."""
    return sum(
        array.size
        for layer in network.layers
        for array in (layer.weights, layer.bias)
        if array is not None and layer.kind not in (LayerKind.ADD, LayerKind.MEAN)
    )


def normalized(network: Network) -> int:
    """Count Keras's parameters: four more values per channel that batch normalization scales.

    ResNet8's shortcuts and the autoencoder's output have none; classifiers neither.
    """
    if network.name == "autoencoder":
        layers = list(network.layers[:-1])
    else:
        kinds = (LayerKind.CONV, LayerKind.DEPTHWISE)
        layers = [layer for layer in network.layers if layer.kind in kinds]
    if network.name == "resnet8":
        layers = [layer for layer in layers if layer.kernel != (1, 1)]
    return parameters(network) + 4 * sum(layer.output.channels for layer in layers)


def sizes(network: Network) -> set[str]:
    return {f"{network.macs:,}", f"{parameters(network):,}", f"{normalized(network):,}"}


DRAM_ROWS = [
    (network, accelerator)
    for accelerator in ("nahas", "2x2")
    for network in ("mobilenet_v2", "efficientnet_lite0")
]


def predicted_cycles(network: str, accelerator: str) -> tuple[int, int]:
    """Predicted cycles on the DRAM and on the memory of tier T1."""
    config = NAHAS.default
    if accelerator != "nahas":
        config = AcceleratorConfig(
            pes_x=2,
            pes_y=2,
            compute_lanes=2,
            simd_units=32,
            local_memory_kb=1024,
            register_file_kb=16,
            io_bandwidth_gbps=10.0,
            clock_mhz=800,
        )
    on_dram, on_t1 = (
        predict(config, named_network(network), memory=memory).total_cycles
        for memory in (DRAM, DETERMINISTIC)
    )
    return on_dram, on_t1


def test_figures_are_noticed() -> None:
    text = "of 1,024 points 91.2 % take 0.25 ms, 2.5x in 19,200,000; 2x2 PEs, version 1.2"
    assert FIGURE.findall(text) == ["1,024", "91.2 %", "0.25 ms", "2.5x", "19,200,000"]


@pytest.mark.slow
def test_every_figure_outside_of_blocks_is_computed_again() -> None:
    known = known_figures()
    for page in PAGES:
        name = str(page.relative_to(ROOT))
        shown = set(FIGURE.findall(pages["without_blocks"](page.read_text())))
        assert shown <= known.get(name, set()), name


@pytest.mark.slow
def test_dram_page_has_the_networks_on_the_dram() -> None:
    text = page_text("docs/reference/dram.md")
    for network, accelerator in DRAM_ROWS:
        label = "`nahas` default" if accelerator == "nahas" else "2x2 PEs, 10 GB/s"
        on_dram, on_t1 = predicted_cycles(network, accelerator)
        assert f"| {network} | {label} | {on_dram:,} | {on_t1:,} |\n" in text


@pytest.mark.parametrize("name", NAMED_NETWORKS)
def test_networks_page_has_the_size_of_each(name: str) -> None:
    network = named_network(name)
    shape = network.input
    row = next(
        line
        for line in page_text("docs/reference/networks.md").splitlines()
        if line.startswith(f"| `{name}` |")
    )
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[2:5] == [
        f"{shape.height} × {shape.width} × {shape.channels}",
        f"{network.macs:,}",
        f"{parameters(network):,}",
    ]


def test_search_page_has_the_spaces() -> None:
    text = page_text("docs/explanation/search.md")
    for name, space in SPACE_NAMES.items():
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{name}` |")]
        assert row.endswith(f"| {len(space):,} | {space.clock_mhz} MHz |")


def test_the_fastest_accelerators_have_the_bandwidth_that_the_pages_say() -> None:
    for figures in results("gains").values():
        space = SPACE_NAMES[figures["space"]]
        pinned = figures["latency"]["pinned_optimum"]["accelerator"]
        assert pinned["io_bandwidth_gbps"] == space.default.io_bandwidth_gbps
    widest = max(TINY.values["io_bandwidth_gbps"])
    bandwidths = [row["accelerator"]["io_bandwidth_gbps"] for row in results("mlperf_tiny")]
    assert len(bandwidths) - bandwidths.count(widest) == 2
    networks = " ".join(page_text("docs/reference/networks.md").split())
    assert "All but two have the largest bandwidth of the space." in networks


def test_gains_are_those_of_the_model() -> None:
    """The enumeration's files are stale if any accelerator in them is predicted otherwise."""
    for name, figures in results("gains").items():
        network = named_network(name)
        rows = [figures["default"], *figures["latency"].values(), *figures["edp"].values()]
        for row in rows:
            config = AcceleratorConfig.from_json(row["accelerator"])
            assert predict(config, network).total_cycles == row["predicted_cycles"]
    for row in results("mlperf_tiny"):
        config = AcceleratorConfig.from_json(row["accelerator"])
        assert predict(config, named_network(row["network"])).total_cycles == row["cycles"]


def priced(network: str, row: dict[str, Any], names: tuple[str, str]) -> bool:
    """Whether a row has the area and the energy that the model gives its accelerator."""
    config = AcceleratorConfig.from_json(row["accelerator"])
    model = area(config).total, energy(config, predict(config, named_network(network))).total
    return all(
        math.isclose(row[name], value, rel_tol=1e-6)
        for name, value in zip(names, model, strict=True)
    )


def test_areas_and_energies_are_those_of_the_model_or_said_to_be_of_earlier_prices() -> None:
    """A file that is made again must be taken from the list, which the page on evidence shows."""
    current = {
        "gains": all(
            priced(name, row, ("area", "energy"))
            for name, figures in results("gains").items()
            for row in (figures["default"], *figures["latency"].values(), *figures["edp"].values())
        ),
        "mlperf_tiny": all(
            priced(row["network"], row, ("area_mm2", "energy_pj")) for row in results("mlperf_tiny")
        ),
    }
    listed = results("earlier_prices")
    assert {name for name, is_current in current.items() if not is_current} == (
        listed.keys() & current.keys()
    )
    assert all((BENCHMARKS / f"{name}.json").is_file() for name in listed)


def test_demo_ran_as_the_readme_says() -> None:
    demo = results("demo")
    sides = (demo["rtl"], demo["rtl_default"])
    assert [side["view"] for side in sides] == ["synthesis", "synthesis"]
    assert [side["images"] for side in sides] == [360, 360]
    assert all(side["mismatched_activations"] == 0 for side in sides)
    assert all(side["predicted_cycles"] == side["measured_cycles"] for side in sides)
    text = page_text("README.md")
    assert "360 of them held out" in text
    assert demo["processor"] in text
    # "here it is better spent on the store"
    searched, default = (side["accelerator"] for side in sides)
    assert searched["weight_store_kb"] > default.get("weight_store_kb", 0) == 0
    assert searched["io_bandwidth_gbps"] == default["io_bandwidth_gbps"]
    assert demo["rtl"]["cold_cycles"] > 2 * demo["rtl"]["measured_cycles"]


def test_networks_of_imagenet_are_exact_and_nothing_is_broken_in_int8() -> None:
    figures = results("imagenet")
    assert list(figures) == ["efficientnet_lite0", "mobilenet_v2"]
    for network in figures.values():
        assert all(score >= 17 for score in network["calibration_right"].values())
        assert network["calibration_right"]["float"] == network["calibration_right"]["int8"]
        for side in network["rtl"].values():
            assert side["mismatched_activations"] == 0
            assert side["images"] == 7
            assert side["predicted_warm_cycles"] == side["warm_cycles"]
            assert side["predicted_cold_cycles"] == side["cold_cycles"]


def test_foreign_systems_are_foretold_as_the_calibration_page_says() -> None:
    """Three systems within 2 %, or 5 % where traffic is random; the fourth shows where it ends."""
    from foreign_systems import NAMED
    from testbench.traces.foreign_systems import FOREIGN_SYSTEMS

    document = results("foreign_systems")
    figures = document["systems"]
    assert f"come from seed {document['seed']}," in page_text("docs/explanation/calibration.md")
    assert list(figures) == list(FOREIGN_SYSTEMS)
    for system, limit in zip(figures, (0.02, 0.05, 0.02), strict=False):
        for kind in ("random", "named"):
            assert figures[system][kind]["after"]["mean"] <= limit
            assert figures[system][kind]["after"]["mean"] < figures[system][kind]["before"]["mean"]
        assert len(figures[system]["runs"]) == 12
        assert figures[system]["random"]["after"]["count"] == 12
    # "The fourth does not on named networks"
    fourth = figures[list(FOREIGN_SYSTEMS)[3]]
    assert fourth["random"]["after"]["mean"] <= 0.02 < fourth["named"]["after"]["mean"]
    assert ", ".join(NAMED) in page_text("docs/explanation/calibration.md")


def power(number: int) -> str:
    """Return a power of two as the pages write it."""
    exponent = number.bit_length() - 1
    assert number == 1 << exponent
    return "2" + str(exponent).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def limits() -> list[tuple[str, str]]:
    """Return sentences that name limits of the code, by page."""
    from hwgen.gateware.transfer.load import LoadUnit
    from sim import realizability as rules
    from sim.mapping.descriptor_counts import MAX_DESCRIPTORS
    from sim.spec import archives, documents, network

    mib = 1 << 20
    return [
        (
            "docs/explanation/architecture.md",
            f"files and archives of more than {archives.ARCHIVE_LIMIT_BYTES // mib} MiB",
        ),
        (
            "docs/explanation/architecture.md",
            f"JSON of more than {documents.DOCUMENT_LIMIT_BYTES // mib} MiB, more than "
            f"{documents.MAX_DEPTH} deep, of more than {power(documents.MAX_CONTAINERS)} objects and "
            f"lists or {power(documents.MAX_VALUES)} values",
        ),
        (
            "docs/explanation/architecture.md",
            f"integers of more than {documents.MAX_DIGITS} digits",
        ),
        (
            "docs/explanation/architecture.md",
            f"at most {network.LAYERS_LIMIT:,} layers, {power(network.VALUES_LIMIT)} values in a "
            f"tensor, {power(network.NETWORK_VALUES_LIMIT)} in all of them, "
            f"{power(network.WEIGHTS_LIMIT)} weights and {power(network.MACS_LIMIT)} MACs",
        ),
        (
            "docs/explanation/architecture.md",
            f"| GEN_GRID | `pes_x` and `pes_y` at most {rules.MAX_PES} |",
        ),
        (
            "docs/explanation/architecture.md",
            f"| GEN_BANK_DEPTH | banks of {rules.MIN_BANK_DEPTH} … {rules.MAX_BANK_DEPTH:,} vectors |",
        ),
        ("docs/explanation/architecture.md", f"have {rules.MAX_MEMORY_KB // 1024} MiB at most"),
        ("docs/explanation/architecture.md", f"(4·S) and {rules.MAX_BUS_BYTES} bytes at most"),
        (
            "docs/explanation/architecture.md",
            f"| GEN_CLOCK | `clock_mhz` at most {rules.MAX_CLOCK_MHZ:,} |",
        ),
        (
            "docs/explanation/architecture.md",
            f"a program of {MAX_DESCRIPTORS:,} descriptors at most",
        ),
        (
            "docs/explanation/security.md",
            f"{power(network.VALUES_LIMIT)} values of an activation, {power(network.WEIGHTS_LIMIT)} "
            f"weights, {power(network.MACS_LIMIT)} MACs of one inference, "
            f"{archives.ARCHIVE_LIMIT_BYTES // mib} MiB of a file",
        ),
        (
            "docs/explanation/protocol.md",
            f"at most {LoadUnit.OUTSTANDING} bursts are outstanding on a port",
        ),
    ]


def test_pages_name_the_limits_of_the_code() -> None:
    for page, sentence in limits():
        assert sentence in " ".join(page_text(page).split())


def test_results_page_names_what_a_simulation_writes() -> None:
    from testbench.validation.simulation_result import _ARRAYS, SimulationResult

    text = page_text("docs/reference/results.md")
    names = {*SimulationResult.__slots__} - {*_ARRAYS}
    assert {name for name in names if f"`{name}`" not in text} == set()


def test_every_path_on_a_page_exists() -> None:
    """Backticks around a path of the sources: a file, a folder, or a folder with a slash."""
    stages = ("cosilico", "search", "hwgen", "sim", "testbench", "tests", "docs", "benchmarks")
    path = re.compile(rf"`((?:{'|'.join(stages)}|examples)/[\w./-]*)`")
    texts = [*PAGES, ROOT / "CONTRIBUTING.md", BENCHMARKS / "results.md"]
    missing = {
        f"{page.name}: {name}"
        for page in texts
        for name in path.findall(page.read_text())
        if not (ROOT / name).exists()
    }
    assert missing == set()


def test_architecture_shows_every_room() -> None:
    text = page_text("docs/explanation/architecture.md")
    rooms = {
        f"{folder}/{init.parent.name}"
        for folder in ("sim", "hwgen/gateware", "testbench", "sim/importers")
        for init in (ROOT / folder).glob("*/__init__.py")
    }
    assert {room for room in rooms if f"`{room}`" not in text} == set()


def test_licence_is_the_whole_apache_licence() -> None:
    text = page_text("LICENSE")
    assert len(text) == 11358
    assert "Version 2.0, January 2004" in text
    for number in range(1, 10):
        assert re.search(rf"^   {number}\. ", text, re.MULTILINE)
    assert text.rstrip().endswith("limitations under the License.")


def test_citation_has_the_version() -> None:
    from cosilico import __version__

    text = page_text("CITATION.cff")
    assert f"\nversion: {__version__}\n" in text
    assert "\nlicense: Apache-2.0\n" in text


@pytest.mark.parametrize(
    "name",
    [
        *("validation", "headline", "timing_tiny"),
        *("ecp5_routes", "bitstream", "silicon_samples", "synthesized"),
    ],
)
def test_results_are_of_the_present_gateware(name: str) -> None:
    from sim.timing.calibration import default

    assert results(name)["gateware_hash"] == default().gateware_hash


def test_long_validation_found_no_wrong_verdict() -> None:
    assert results("validation")["wrong"] == {}


def test_every_module_of_the_small_default_is_routed_for_100_mhz() -> None:
    for module in results("ecp5_routes")["modules"]:
        clocks = [route["clock_mhz"] for route in module["routes"].values()]
        assert max(clocks) >= 100, module["module"]


def test_random_memories_are_exact_on_the_present_gateware() -> None:
    from sim.timing.calibration import default
    from testbench.validation.campaign import DRAWN

    memories = results("memories")
    total = memories["total"]
    assert memories["gateware_hash"] == default().gateware_hash
    assert memories["wrong"] == {}
    assert total["timing_differences"] == total["bit_differences"] == total["failures"] == 0
    assert total["runs"] == total["pairs"] * (1 + DRAWN)
    assert total["pairs"] * DRAWN >= 500

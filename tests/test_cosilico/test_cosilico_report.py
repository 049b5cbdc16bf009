"""The report: one file that needs no other, from the results of a run."""

import html
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosilico.cli import main
from cosilico.images import save_arrays
from cosilico.report.chain import choices
from cosilico.report.floorplan import PARTS, floorplan
from cosilico.report.page import COUNTS, write_report
from cosilico.report.terms import STRATEGIES
from cosilico.summary import agreement_lines, print_summary, summary_rows
from project_root import ROOT
from search.strategies import CO_SEARCHES
from sim.cost.area import area
from sim.spec.errors import DesignFileError
from sim.spec.spaces import TINY


def side(measured_cycles: int) -> dict[str, Any]:
    layers = [
        {"name": "stem", "kind": "conv", "macs": 9, "predicted_cycles": 60, "measured_cycles": 60},
        {"name": "pool", "kind": "global_average_pool", "macs": 0, "predicted_cycles": 30,
         "measured_cycles": 31},
    ]  # fmt: skip
    return {
        "accelerator": TINY.default.to_json(),
        "macs_per_cycle": 256,
        "macs": 9,
        "utilization": 0.5,
        "area": 0.9,
        "energy": 2.5e6,
        "simulator": "verilator",
        "simulator_version": "5.48.0",
        "view": "synthesis",
        "images": 360,
        "accuracy": 0.975,
        "golden_accuracy": 0.975,
        "mismatched_activations": 0,
        "predicted_cycles": measured_cycles,
        "measured_cycles": measured_cycles,
        "layers": [layer | {"utilization": 0.1} for layer in layers],
    }


@pytest.fixture
def results() -> dict[str, Any]:
    optimum = {"accelerator": TINY.default.to_json(), "predicted_cycles": 80, "area": 0.8}
    return {
        "schema": 1,
        "name": "digits <b>",
        "space": "tiny",
        "search": {
            "strategy": "rhnas",
            "seed": 3,
            "evaluations": 4,
            "wall_s": 1.5,
            "area_budget": 0.9,
            "best": {"float_accuracy": 0.98},
            "optimum": optimum,
            "pinned_optimum": optimum | {"predicted_cycles": 200},
            "widened_default": optimum | {"predicted_cycles": 125},
            "space_points": 3,
            "space_realizable": 2,
        },
        "rtl": side(100),
        "rtl_default": side(250),
        "violations": {"sampled": 4, "non_realizable": 1},
        "calibration": {"gateware_hash": "a" * 64, "constants": {"memory_latency": 24}},
    }


@pytest.fixture
def run(tmp_path: Path, results: dict[str, Any]) -> Path:
    history = [
        {"index": 0, "cycles": 300, "area": 0.5, "violations": []},
        {"index": 1, "cycles": 0, "area": 0.5, "violations": ["MAP_TILE"]},
        {"index": 2, "cycles": 90, "area": 2.0, "violations": []},
        {"index": 3, "cycles": 100, "area": 0.9, "violations": []},
    ]
    (tmp_path / "results.json").write_text(json.dumps(results))
    lines = [json.dumps(row) + "\n" for row in history]
    (tmp_path / "evaluations.jsonl").write_text("".join(lines))
    save_arrays(
        tmp_path / "enumeration.npz",
        area=np.array([0.5, 0.7, 0.9]),
        predicted_cycles=np.array([300, 0, 80]),
        realizable=np.array([True, False, True]),
        front=np.array([2, 0]),
    )
    return tmp_path


def test_shows_every_figure_the_run_measured(run: Path) -> None:
    text = page_of(run)
    assert "digits &lt;b&gt;" in text
    for value, what in (
        ("2.50×", "as fast as the default accelerator with the same network</span>"),
        (
            "25.00 %",
            "more cycles than the best accelerator of the space within the area budget of 0.900 mm² "
            "(that of the default)",
        ),
        ("1.25×", "as fast as the default at best, with bandwidth pinned to the default's"),
        ("97.5 %", "of 360 test images right, in RTL"),
        ("2 / 4", "layers of both accelerators whose predicted cycles equal the measured ones"),
    ):
        assert re.search(rf"<b[^>]*>{re.escape(value)}</b><span>{re.escape(what)}", text), value
    gains = re.search(r"speed, warm, default = 1</th>(.*?)</tr>", text)
    assert gains is not None
    # Default, searched, optimum, optimum with the default's bandwidth, default with the searched bandwidth.
    assert re.findall(r"[\d.]+×", gains[1]) == ["1.00×", "2.50×", "3.12×", "1.25×", "2.00×"]
    assert "is <strong>2.50 times as fast</strong>" in text
    assert (
        "<strong>25.00&nbsp;% more cycles</strong> than the best accelerator of the space "
        "within the area budget of 0.900 mm² (that of the default)." in text
    )


def row_of(text: str, name: str) -> list[str]:
    """Cells of a row of the answer's table."""
    row = re.search(rf"{re.escape(name)}</th>(.*?)</tr>", text)
    assert row is not None, name
    return re.findall(r"<td[^>]*>(.*?)</td>", row[1])


def test_says_who_is_over_the_budget_and_what_the_answer_costs_beyond_the_optimum(
    run: Path, results: dict[str, Any]
) -> None:
    results["search"]["widened_default"]["area"] = 0.99
    (run / "results.json").write_text(json.dumps(results))
    text = page_of(run)
    within = ["within"] * 4
    assert row_of(text, "area budget of 0.900 mm²") == [*within, "10.0 % over the budget"]
    assert "It costs more than that optimum: 0.900 mm² instead of 0.800." in text
    assert "The search looked for the least latency within that budget." in text
    results["search"]["optimum"]["area"] = 0.9
    results["search"]["area_budget"] = 1.8
    results["search"]["objective"] = {"metric": "edp", "budgets": {"area": 1.8}}
    results["search"]["optimum"]["predicted_cycles"] = 100
    (run / "results.json").write_text(json.dumps(results))
    text = page_of(run)
    assert "It costs more" not in text
    assert "the area budget of 1.800 mm² (2.00 times the default's area)" in text
    assert "The search looked for the least edp" in text
    assert "<strong>exactly as many cycles as</strong> the best accelerator" in text


def test_the_gain_is_said_cold_and_with_bandwidth_free_and_pinned(
    run: Path, results: dict[str, Any]
) -> None:
    for name, cold in (("rtl", 500), ("rtl_default", 750)):
        results[name]["cold_cycles"] = cold
    results["search"]["widened_default"]["predicted_cold_cycles"] = 250
    path = run / "results.json"
    path.write_text(json.dumps(results))
    text = page_of(run)
    assert "in a cold run, 1.50 times)" in text
    assert "with the same network; 1.50× in a cold run</span>" in text
    assert row_of(text, "speed, cold, default = 1") == ["1.00×", "1.50×", "", "", "3.00×"]
    assert "optimum, bandwidth free</th>" in text
    assert "optimum, bandwidth pinned to the default's</th>" in text
    default = results["rtl_default"]["accelerator"]["io_bandwidth_gbps"]
    pinned = (
        f"With bandwidth pinned to the default's {default:g} GB/s, the best accelerator within the budget is 1.25 "
        f"times as fast as the default."
    )
    same = f"Found and default have the same bandwidth of {default:g} GB/s, so none of the gain is bandwidth."
    assert f"{pinned} {same}" in text
    results["rtl"]["accelerator"] = dict(results["rtl"]["accelerator"], io_bandwidth_gbps=3.2)
    path.write_text(json.dumps(results))
    text = page_of(run)
    assert pinned in text
    assert "the same bandwidth" not in text
    alone = "bandwidth alone gives 2.00 times: that is the default with found's 3.2 GB/s."
    assert f"Of the gain, {alone}" in text


def test_energies_are_told_cold_and_warm_with_their_products(
    run: Path, results: dict[str, Any]
) -> None:
    for name, cold in (("rtl", 5e6), ("rtl_default", 4e6)):
        side = results[name]
        side |= {"cold_cycles": 500, "predicted_cold_cycles": 500, "cold_energy": cold}
        side |= {"energy_by_part": {"control": 2.5e6}, "cold_energy_by_part": {"control": cold}}
        side |= {"edp": side["energy"] * side["measured_cycles"] / 200e6}
        side |= {"cold_edp": cold * 500 / 200e6}
    results["search"]["optimum"] |= {"energy": 1e6, "cold_energy": 2e6}
    (run / "results.json").write_text(json.dumps(results))
    text = page_of(run)
    assert row_of(text, "energy, warm, µJ")[:3] == ["2.500", "2.500", "1.000"]
    assert row_of(text, "energy, cold, µJ")[:3] == ["4.000", "5.000", "2.000"]
    # pJ · cycles at 200 MHz: 2.5 µJ for 250 cycles are 3.125 nJ · ms
    told = row_of(text, "energy-delay product, warm, µJ·ms")
    assert told[:3] == ["0.003125", "0.00125", "0.0004"]
    assert row_of(text, "energy-delay product, cold, µJ·ms")[:2] == ["0.01", "0.0125"]
    share = "of the default's energy, 40 % of its energy-delay product; 125 and 125 % in a cold run"
    assert f"<b>100 %</b><span>{share}</span>" in text
    assert "external memory and of the interface to it, for data and for descriptors." in text
    assert "prox" not in text


def test_a_version_that_left_descriptors_out_is_said_to_have(
    run: Path, results: dict[str, Any]
) -> None:
    assert "The version that made this run left descriptors out of the energy." in page_of(run)


def test_a_constant_that_is_a_count_says_of_what(run: Path, results: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "reference" / "timing_constants.md").read_text()
    counted = [line for line in page.splitlines() if "(a count)" in line]
    names = {name for line in counted for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    assert names == set(COUNTS)
    results["calibration"]["constants"] = {"memory_latency": 24, "queue_depth": 8}
    (run / "results.json").write_text(json.dumps(results))
    text = page_of(run)
    assert row_of(text, "queue_depth") == ["8", "descriptors"]
    assert row_of(text, "memory_latency") == ["24", "cycles"]


def test_the_page_explains_its_terms(run: Path) -> None:
    text = page_of(run)
    assert '<a href="#terms">Terms</a>' in text
    section = text.partition('<h2 id="terms">')[2].lower()
    for term in (
        "budget", "default", "mapper", "descriptor", "doorbell", "drain", "weight store", "local memory",
        "register file", "front", "view", "gateware", "strategy",
    ):  # fmt: skip
        assert re.search(rf"<dt>[^<]*{term}", section), term
    known = {name.strip() for names in STRATEGIES for name in names.split(",")}
    assert known >= {*CO_SEARCHES, "certified", "hardware", "exhaustive"}


def test_a_block_that_is_left_out_is_said_to_be(run: Path, results: dict[str, Any]) -> None:
    results["search"]["architecture"] = {"kernels": [3, 5], "expansions": [0, 2]}
    (run / "results.json").write_text(json.dumps(results))
    assert "<dd>0, 2 (0: the block is left out)</dd>" in page_of(run)
    assert choices({"expansions": [1, 2], "head": 8}) == [("expansions", "1, 2"), ("head", "8")]
    assert choices({"head": 0}) == [("head", "0 (left out)")]


def test_says_which_view_of_the_grid_ran(run: Path, results: dict[str, Any]) -> None:
    path = run / "results.json"
    assert "on each design, as the emitted netlist itself (synthesis view)." in page_of(run)
    results["rtl_default"]["view"] = "simulation"
    path.write_text(json.dumps(results))
    mixed = page_of(run)
    assert "(PE grid: synthesis and simulation)" in mixed
    assert (
        "on each design, the found one as the emitted netlist itself (synthesis view), the "
        "default with the PE grid's simulation view in the place of its netlist." in mixed
    )


def test_a_report_of_a_version_that_recorded_less(run: Path, results: dict[str, Any]) -> None:
    del results["rtl"]["view"], results["rtl_default"]["view"]
    del results["search"]["pinned_optimum"], results["search"]["widened_default"]
    (run / "results.json").write_text(json.dumps(results))
    text = page_of(run)
    assert "in a view that was not recorded." in text
    assert "is <strong>2.50 times as fast</strong>" in text
    assert "found's bandwidth" not in text
    # Neither had it profiles, timelines, provenance and accuracies.
    assert "did not record when descriptors started and ended" in text
    assert text.count("<svg role=") == 2


def page_of(run: Path) -> str:
    """Text of the report, with the entities of quotation marks resolved and lines joined."""
    return " ".join(write_report(run).read_text().replace("&#39;", "'").split())


def test_is_the_same_file_for_the_same_results(run: Path) -> None:
    first = write_report(run).read_bytes()
    assert write_report(run).read_bytes() == first


def test_a_folder_without_a_run_is_one_line(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "evaluations.jsonl").unlink()
    assert main(["report", str(run)]) == 2
    assert capsys.readouterr().err == (
        f"cosilico: evaluation log {run / 'evaluations.jsonl'} cannot be read: No such file or directory\n"
    )
    (run / "results.json").write_text("{}")
    assert main(["report", str(run)]) == 2
    assert capsys.readouterr().err.endswith("must have schema 1\n")


Change = tuple[tuple[str | int, ...], Any, str]

CHANGES: list[Change] = [
    (("rtl", "area"), "x", "rtl.area must be a number in 1e-30 … 1e+30, not 'x'"),
    (("rtl", "layers", 0, "macs"), -1, "rtl.layers[0].macs must be an integer in 0 … "
     "9223372036854775807, not -1"),
    (("rtl", "measured_cycles"), 0, "rtl.measured_cycles must be an integer in 1 … "
     "9223372036854775807, not 0"),
    (("rtl_default", "accuracy"), 2, "rtl_default.accuracy must be a number in 0 … 1 or null, not 2"),
    (("rtl", "layers"), {}, "rtl.layers must be a list, not {}"),
    (("search",), [], "search must be an object, not []"),
    (("search", "optimum", "predicted_cycles"), 0, "search.optimum.predicted_cycles must be an "
     "integer in 1 … 9223372036854775807, not 0"),
    (("search", "pinned_optimum", "area"), 0, "search.pinned_optimum.area must be a number in "
     "1e-30 … 1e+30, not 0"),
    (("search", "widened_default", "area"), 0, "search.widened_default.area must be a number in "
     "1e-30 … 1e+30, not 0"),
    (("rtl", "view"), "", "rtl.view must be a name of 1 … 200 printable characters or null, not ''"),
    (("calibration", "constants"), {}, "calibration.constants.memory_latency must be given"),
    (("name",), "a\0b", "name must be a name of 1 … 200 printable characters, not 'a\\x00b'"),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "value", "line"), CHANGES, ids=lambda x: str(x)[:40])
def test_every_field_of_the_results_has_a_rule(
    run: Path, results: dict[str, Any], keys: tuple[Any, ...], value: Any, line: str
) -> None:
    place = results
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path = run / "results.json"
    path.write_text(json.dumps(results))
    message = f"results file {path}: results.{line}"
    with pytest.raises(DesignFileError, match=f"^{re.escape(message)}$"):
        write_report(run)


def test_results_may_have_fields_of_a_later_version(run: Path, results: dict[str, Any]) -> None:
    results["later"] = results["rtl"]["later"] = results["search"]["later"] = {"x": 1}
    (run / "results.json").write_text(json.dumps(results))
    assert write_report(run).exists()


def test_every_section_of_the_results_must_be_there(run: Path, results: dict[str, Any]) -> None:
    path = run / "results.json"
    for name in ("name", "space", "search", "rtl", "rtl_default", "violations", "calibration"):
        path.write_text(json.dumps({key: value for key, value in results.items() if key != name}))
        message = f"results file {path}: results.{name} must be given"
        with pytest.raises(DesignFileError, match=f"^{re.escape(message)}$"):
            write_report(run)


def test_the_history_and_the_space_are_checked_too(run: Path) -> None:
    def refused(message: str) -> None:
        with pytest.raises(DesignFileError, match=f"^{re.escape(message)}$"):
            write_report(run)

    path = run / "enumeration.npz"
    arrays = {
        "area": np.array([0.5, 0.7]),
        "predicted_cycles": np.array([300, 0]),
        "realizable": np.array([True, False]),
        "front": np.array([0]),
    }
    for name, value, rule in (
        ("area", np.array([1, 2]), "a value for each accelerator"),
        ("predicted_cycles", np.array([1, 2, 3]), "a value for each accelerator"),
        ("realizable", np.array([1, 0]), "a value for each accelerator"),
    ):
        save_arrays(path, **arrays | {name: value})
        refused(f"array {name!r} of enumeration file {path} must have {rule}")
    for front in (np.array([1]), np.array([-1]), np.array([0.0]), np.array([[0]])):
        save_arrays(path, **arrays | {"front": front})
        refused(f"array 'front' of enumeration file {path} must hold realizable accelerators")
    path = run / "evaluations.jsonl"
    path.write_text('{"index": 0, "cycles": 1, "area": 1, "violations": [1]}\n')
    rule = "a name of 1 … 200 printable characters, not 1"
    refused(f"evaluation log {path}: log.evaluations[0].violations[0] must be {rule}")


def test_floorplan_areas_are_the_models(run: Path) -> None:
    scale = 100.0
    parts = area(TINY.default)
    drawn_plan = floorplan(TINY.default, asdict(parts), "default")
    assert drawn_plan.side_mm == pytest.approx(parts.total**0.5)
    rectangle = (
        r'<rect class="(\w+)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"><title>'
    )
    shapes = re.findall(rectangle, drawn_plan.svg)
    sizes = [(name, width, height) for name, _, _, width, height in shapes]
    drawn: dict[str, float] = {}
    for name, width, height in sizes:
        drawn[name] = drawn.get(name, 0.0) + float(width) * float(height) / scale**2
    system = parts.weight_store + parts.bus + parts.control + parts.external_interface
    assert drawn["system"] == pytest.approx(system, rel=1e-2)
    # The gaps between PEs come off all parts in a PE alike.
    ratio = drawn["local_memory"] / parts.local_memory
    assert 0.8 < ratio < 1
    assert 1 - drawn_plan.gaps == pytest.approx(ratio, rel=1e-3)
    assert f"too small by {100 * drawn_plan.gaps:.0f} % (default)" in page_of(run)
    lanes = parts.register_files + parts.window_rings
    assert drawn["register_files"] / lanes == pytest.approx(ratio, rel=1e-2)
    # A part's number lies on the part, and only where it has room.
    assert len({label.number for label in drawn_plan.labels}) == len(drawn_plan.labels) >= 4
    side = drawn_plan.side_mm * scale
    for label in drawn_plan.labels:
        x, y = label.left * side / 100, label.top * side / 100
        own = [
            (float(width), float(height))
            for name, left, top, width, height in shapes
            if name == list(PARTS)[label.number - 1]
            and float(left) < x < float(left) + float(width)
            and float(top) < y < float(top) + float(height)
        ]
        assert len(own) == 1, label
        assert own[0][0] / side * label.chip_px > 15
        assert own[0][1] / side * label.chip_px > 15


def test_summary_says_what_a_cold_run_takes_where_there_is_one(results: dict[str, Any]) -> None:
    assert not any("cold" in name for name, *_ in summary_rows(results))
    default, searched = results["rtl_default"], results["rtl"]
    for own, cycles in ((default, default["measured_cycles"]), (searched, 99_999)):
        own |= {"cold_cycles": cycles, "predicted_cold_cycles": cycles}
    cold = {name: values for name, *values in summary_rows(results) if "cold" in name}
    shown = [f"{default['measured_cycles']:,}", "99,999"]
    assert cold == {"measured cycles, cold": shown, "predicted cycles, cold": shown}


def test_summary_counts_the_layers_that_agree(
    run: Path, results: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = agreement_lines(results)
    assert lines[0] == (
        "predicted = measured cycles: 1 of 2 layers on the searched hardware, 1 of 2 on the default"
    )
    assert "2.50 times as fast in 100.0 % of the area" in lines[2]
    assert "1.250 times" in lines[-1]
    print_summary(results, run)
    printed = capsys.readouterr().out
    for text in (
        "accuracy in RTL",
        "measured cycles",
        "predicted cycles",
        "utilization",
        "2.50 µJ",
    ):
        assert text in printed


@pytest.mark.parametrize("name", ["$\\frac$", "漢字", "</svg><script>", "a" * 200])
def test_any_name_of_a_layer_can_be_shown(run: Path, results: dict[str, Any], name: str) -> None:
    for own in (results["rtl"], results["rtl_default"]):
        own["layers"][0]["name"] = name
    (run / "results.json").write_text(json.dumps(results))
    text = write_report(run).read_text()
    assert html.escape(name) in text
    assert text.count("<script>") == 1

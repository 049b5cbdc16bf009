"""The pages of runs: what they are made of, and that every figure is the records'."""

import itertools
import json
import os
import re
import shutil
import subprocess
import time
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosilico.cli import main
from cosilico.provenance import read_provenance, write_provenance
from cosilico.report.chosen import chosen_networks
from cosilico.report.compared import SideBySide, runs_of_folders
from cosilico.report.layers import LAYER_LIMIT
from cosilico.report.page import write_report
from cosilico.report.records import load_records
from cosilico.report.refused import RULES
from cosilico.report.side_by_side import best_text, write_side_by_side
from cosilico.report.templates import template
from project_root import ROOT
from report_reader import change, read, results_of, table
from run_records import write_run
from sim.networks.named import named_network
from sim.spec.accelerator import AcceleratorConfig
from sim.timing.clock_reach import slowest_module

PAGES = ("run", "side")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages")
    write_run(path / "run", "ds_cnn", points=80, seed=1)
    write_run(path / "other", "ds_cnn", points=80, seed=2)
    write_report(path / "run")
    (path / "side").mkdir()
    write_side_by_side([path / "run", path / "other"], path / "side" / "report.html")
    return path


@pytest.mark.parametrize("name", PAGES)
def test_needs_no_other_file(folder: Path, name: str) -> None:
    reader = read(folder, name)
    assert not {element.tag for element in reader.elements} & {
        "link", "iframe", "object", "embed", "base", "img",
    }  # fmt: skip
    anchors = {e.attributes["id"] for e in reader.elements if "id" in e.attributes}
    for element in reader.elements:
        for attribute in ("src", "href", "data"):
            reference = element.attributes.get(attribute, "#top")
            assert reference.startswith(("#", "data:text/csv")), reference
            assert not reference.startswith("#") or reference[1:] in anchors, reference
    text = (folder / name / "report.html").read_text()
    assert not re.search(r"url\((?!#)|@import|fetch\(|XMLHttpRequest", text)
    assert re.findall(r"https?://[^\"']*", text.replace("http://www.w3.org/2000/svg", "")) == []


@pytest.mark.parametrize("name", PAGES)
def test_figures_and_tables_say_what_they_are(folder: Path, name: str) -> None:
    reader = read(folder, name)
    identities = Counter(e.attributes["id"] for e in reader.elements if "id" in e.attributes)
    assert set(identities.values()) == {1}
    titles = {e.attributes["id"]: e.text for e in reader.of("title") if "id" in e.attributes}
    drawn = [e for e in reader.of("svg") if "svg" not in e.around]
    assert drawn
    for figure in drawn:
        if figure.attributes.get("aria-hidden") == "true":
            continue
        assert figure.attributes["role"] == "img"
        assert len(titles[figure.attributes["aria-labelledby"]]) > 20
    assert len(reader.of("table")) == len(reader.of("caption"))
    for head in reader.of("th"):
        assert head.attributes["scope"] == ("col" if "thead" in head.around else "row")
    rows = [e for e in reader.of("tr") if "tbody" in e.around]
    assert rows
    for region in (e for e in reader.elements if e.attributes.get("class") == "scroll"):
        assert region.attributes["tabindex"] == "0"
        assert region.attributes["role"] == "region"
        assert region.attributes["aria-label"]
    levels = [int(e.tag[1]) for e in reader.elements if re.fullmatch(r"h\d", e.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    assert reader.of("html")[0].attributes["lang"] == "en"
    # With scripts off, everything but the buttons of the zoom is there.
    hidden = [e.attributes.get("id") for e in reader.elements if "hidden" in e.attributes]
    assert set(hidden) <= {"zoom"}


def style() -> str:
    return template("style.css").render()


def palettes() -> dict[str, dict[str, str]]:
    light, dark = style().split("@media screen and (prefers-color-scheme: dark)", 1)
    colour = r"--([\w-]+):\s*(#[0-9a-f]{6})"
    known = dict(re.findall(colour, light))
    return {"light": known, "dark": known | dict(re.findall(colour, dark.split("* {", 1)[0]))}


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.1)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def contrast(colour: str, other: str) -> float:
    low, high = sorted((luminance(colour), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrasts_are_those_of_level_aa(scheme: str) -> None:
    colours = palettes()[scheme]
    assert colours["paper"] != palettes()["dark" if scheme == "light" else "light"]["paper"]
    texts = ("ink", "muted", "link", "good", "bad")
    for name, colour in colours.items():
        if name in ("paper", "card", "line"):  # line: grids and rules, which nothing depends on
            continue
        least = 4.5 if name in texts else 3.0
        grounds = (
            ("paper", "card")
            if name in (*texts, "input", "output", "kept", "weights")
            else ("paper",)
        )
        for ground in grounds:
            assert contrast(colour, colours[ground]) >= least, (name, ground)


def test_no_text_is_below_eleven_pixels() -> None:
    sizes = re.findall(r"font(?:-size)?:\s*([\d.]+)(px|rem|pt)", style())
    assert len(sizes) > 8
    for size, unit in sizes:
        assert float(size) * {"px": 1, "rem": 16, "pt": 96 / 72}[unit] >= 11, (size, unit)


def test_every_colour_of_a_class_is_defined() -> None:
    text = style()
    used = set(re.findall(r"var\(--([\w-]+)\)", text))
    assert used <= set(palettes()["light"])


def test_the_search_is_that_of_the_log(folder: Path) -> None:
    lines = (folder / "run" / "evaluations.jsonl").read_text().splitlines()
    log = [json.loads(line) for line in lines]
    rows = table(folder, "run", "evaluations")
    assert [int(row["cycles"]) for row in rows] == [entry["cycles"] for entry in log]
    assert [float(row["accuracy"]) for row in rows] == [entry["accuracy"] for entry in log]
    assert [row["broken"].split() for row in rows] == [entry["violations"] for entry in log]
    refused = table(folder, "run", "refused")
    for row in refused:
        assert int(row["evaluations"]) == sum(row["rule"] in entry["violations"] for entry in log)
    space = np.load(folder / "run" / "enumeration.npz")
    front = table(folder, "run", "space-front")
    points = [(float(row["area_mm2"]), int(row["predicted_cycles"])) for row in front]
    known = sorted(
        zip(space["area"][space["front"]], space["predicted_cycles"][space["front"]], strict=True)
    )
    assert points == known
    areas, cycles = space["area"], space["predicted_cycles"]
    for x, y in points:
        better = space["realizable"] & (areas <= x) & (cycles <= y)
        assert better.sum() == 1 or ((areas == x) & (cycles == y) & better).sum() == better.sum()


def test_the_best_so_far_is_of_the_chosen_network_alone(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(folder / "run", run)
    log = [json.loads(line) for line in (run / "evaluations.jsonl").read_text().splitlines()]
    small = [entry | {"network": "smaller", "cycles": 1, "index": i} for i, entry in enumerate(log)]
    both = small + [entry | {"index": len(small) + i} for i, entry in enumerate(log)]
    (run / "evaluations.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in both))
    text = write_report(run).read_text()
    assert "Only evaluations of the network that was found: 80 of 160." in text
    results = results_of(folder)
    budget = results["search"]["area_budget"]
    good = [e["cycles"] for e in log if not e["violations"] and e["area"] <= budget]
    least = results["search"]["optimum"]["predicted_cycles"]
    write_side_by_side([run, folder / "other"], tmp_path / "report.html")
    (tmp_path / "two").mkdir()
    shutil.copy(tmp_path / "report.html", tmp_path / "two" / "report.html")
    curve = [row for row in table(tmp_path, "two", "curves") if row["seed"] == "1"]
    assert [float(row["regret_percent"]) for row in curve] == pytest.approx(
        sorted({100 * (min(good[: i + 1]) / least - 1) for i in range(len(good))}, reverse=True)
    )
    assert all(int(row["evaluations"]) > len(small) for row in curve)


def test_the_chosen_network_is_known_by_the_name_that_it_had_while_searching(
    folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(folder / "run", run)
    log = [json.loads(line) for line in (run / "evaluations.jsonl").read_text().splitlines()]
    best = results_of(folder)["search"]["best"]
    last = next(row for row in log if row["accelerator"] == best["accelerator"])
    # The search ends with the trained network on the default and on the best accelerator. Another network costs the
    # same on the latter alone.
    other = [last | {"network": "other"}, log[0] | {"network": "other", "cycles": 1}]
    searched = [entry | {"network": "w16"} for entry in log]
    final = [row | {"network": "digits", "accuracy": None} for row in (log[0], last)]
    rows = [*searched, *other, *final]
    rows = [row | {"index": i} for i, row in enumerate(rows)]
    (run / "evaluations.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert chosen_networks(load_records(run)) == {"w16", "digits"}
    text = write_report(run).read_text()
    assert f"Only evaluations of the network that was found: {len(log) + 2} of {len(rows)}." in text


def test_the_front_shows_the_winner_and_what_is_known_of_the_true_front(
    folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(folder / "run", run)
    change(run / "results.json", ("rtl", "accuracy"), 0.975)
    change(run / "results.json", ("rtl", "golden_accuracy"), 0.975)
    change(run / "results.json", ("search", "best", "float_accuracy"), 0.98)
    text = write_report(run).read_text()
    results, space = results_of(folder), np.load(run / "enumeration.npz")
    inside = space["realizable"] & (space["area"] <= results["search"]["area_budget"])
    for name, unit, scale in (("predicted_cycles", "predicted cycles", 1), ("energy", "µJ", 1e-6)):
        winner, least = results["search"]["best"][name], space[name][inside].min()
        assert f"trained to the end, test images: {scale * winner:,.6g} {unit}, 97.50 %" in text
        assert f"network within the area budget: {scale * least:,.6g} {unit}, 97.50 %" in text
    # The search minimized cycles: the least of energy is no optimum, and has another sign.
    drawn = {
        name: text.partition(f'aria-labelledby="front-{name}-title"')[2]
        for name in ("cycles", "energy")
    }
    signs = {name: own.partition("</figure>")[0] for name, own in drawn.items()}
    assert "the accelerator of the fewest cycles for this network" in signs["cycles"]
    assert "hollow optimum" in signs["cycles"]
    assert "the accelerator of the least energy for this network" in signs["energy"]
    assert "hollow optimum" not in signs["energy"]
    assert "hollow s5" in signs["energy"]


def test_every_accelerator_of_the_answer_has_its_highest_clock_and_utilization(
    folder: Path,
) -> None:
    results = results_of(folder)
    rows = {row["figure"]: row for row in table(folder, "run", "answer")}
    optimum = results["search"]["optimum"]
    config = AcceleratorConfig.from_json(optimum["accelerator"])
    assert rows["Fmax in 45 nm, MHz"]["optimum"] == f"{slowest_module(config).reach_mhz:,}"
    share = results["rtl"]["macs"] / (optimum["predicted_cycles"] * config.macs)
    assert rows["MAC utilization, %"]["optimum"] == f"{100 * share:.1f}"


def test_every_rule_of_realizability_is_in_words() -> None:
    files = ("realizability.py", "spec/fpga_devices.py")
    sources = "".join((ROOT / "sim" / file).read_text() for file in files)
    assert set(re.findall(r"\"((?:GEN|MAP|PHYS)_[A-Z_]+)\"", sources)) == set(RULES)


def test_several_runs_stand_side_by_side(folder: Path) -> None:
    rows = table(folder, "side", "runs")
    assert [int(row["seed"]) for row in rows] == [1, 2]
    for row, name in zip(rows, ("run", "other"), strict=True):
        results = json.loads((folder / name / "results.json").read_text())
        assert int(row["cycles"]) == results["rtl"]["measured_cycles"]
        assert float(row["energy_pj"]) == results["rtl"]["energy"]
        assert float(row["area_mm2"]) == pytest.approx(results["rtl"]["area"])
        assert int(row["pes_x"]) == results["rtl"]["accelerator"]["pes_x"]
    text = (folder / "side" / "report.html").read_text()
    assert "2 runs: 2 searches side by side" in text
    assert 'aria-labelledby="parallel-title"' in text
    # An axis is labelled at both ends where runs differ in it, and once where they are alike.
    drawn = text.partition('aria-labelledby="parallel-title"')[2].partition("</svg></svg>")[0]
    labels = re.findall(
        r'y="12">lanes</text><text [^>]*>([^<]*)</text><text [^>]*>([^<]*)</text>', drawn
    )
    lanes = sorted(int(row["compute_lanes"]) for row in rows)
    assert labels == [(str(lanes[-1]) if lanes[-1] > lanes[0] else "", str(lanes[0]))]


def test_searches_that_end_alike_are_all_named(folder: Path) -> None:
    (run,) = runs_of_folders([folder / "run"]).runs
    runs = tuple(replace(run, group=name) for name in ("random", "evolution", "annealing"))
    page = best_text(SideBySide(title="", value="regret, %", falling=True, runs=runs))
    end = run.curve[-1][1]
    assert page == (
        f"random, evolution and annealing end best, with a median regret of {end:.4g} %"
    )


def test_the_command_asks_for_a_file_where_there_are_several(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, other = str(folder / "run"), str(folder / "other")
    page = tmp_path / "pages" / "both.html"
    assert main(["report", run, other, "--out", str(page)]) == 0
    assert capsys.readouterr().out == f"{page}\n"
    assert page.read_bytes() == (folder / "side" / "report.html").read_bytes()
    for words, line in (
        ([run, other], "--out must be given with several folders"),
        ([run, "--out", str(page)], "--out must be given with several folders only"),
        ([run, other, "--out", "x.pdf"], "--out must be an .html file, not 'x.pdf'"),
        ([run, run, "--out", str(page)], f"DIR must be given once, not twice as {run!r}"),
    ):
        assert main(["report", *words]) == 2
        assert capsys.readouterr().err == f"cosilico: {line}\n"


def test_a_digest_of_nothing_is_left_out_of_the_provenance(tmp_path: Path) -> None:
    path = tmp_path / "provenance.json"
    write_provenance(path, "cosilico run x.toml", {"data": "", "seed": "3"})
    known = read_provenance(path)
    assert known is not None
    assert known["identity"] == {"seed": "3"}
    write_provenance(path, "cosilico run other.toml", {})  # of a run that goes on
    assert read_provenance(path) == known
    assert read_provenance(tmp_path / "absent.json") is None


@pytest.mark.parametrize(
    ("name", "keys", "value", "line"),
    [
        ("results.json", ("rtl", "profile", "layers", 0, "computing"), "x",
         "results.rtl.profile.layers[0].computing must be an integer in "),
        ("results.json", ("rtl", "profile", "source"), "guessed",
         "results.rtl.profile.source must be "),
        ("results.json", ("search", "objective", "metric"), "speed",
         "results.search.objective.metric must be one of latency, edp, energy, area, not 'speed'"),
        ("provenance.json", ("machine", "cores"), 0,
         "provenance.machine.cores must be an integer in 1 … 1048576, not 0"),
        ("timeline.json", ("clock_mhz",), 0, "clock_mhz must be an integer in 1 … 10000, not 0"),
    ],
)  # fmt: skip
def test_a_damaged_record_is_one_line(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    keys: tuple[Any, ...],
    value: Any,
    line: str,
) -> None:
    run = tmp_path / "run"
    shutil.copytree(folder / "run", run)
    change(run / name, keys, value)
    before = (run / "report.html").read_bytes()
    (run / ".cosilico").mkdir()
    marker = {"schema": 2, "command": "run", "identity": {}, "files": ["report.html"]}
    (run / ".cosilico" / "contents.json").write_text(json.dumps(marker))
    assert main(["report", str(run)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert str(run / name) in error
    assert line in error
    assert (run / "report.html").read_bytes() == before


@pytest.mark.slow
def test_a_page_of_mobilenet_v2_is_small_and_soon_made(tmp_path: Path) -> None:
    write_run(tmp_path, "mobilenet_v2", points=12, accuracies=False)
    begun = time.process_time()
    path = write_report(tmp_path)
    assert time.process_time() - begun < 10
    assert path.stat().st_size < 3_000_000
    others = len(named_network("mobilenet_v2").layers) - (LAYER_LIMIT - 1)
    assert f"{others} other layers" in path.read_text()


@cache
def browser() -> tuple[str, str, str] | None:
    """Node.js, its folder of modules with axe-core and puppeteer-core, and Chromium; None if any is absent."""
    node = shutil.which("node")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    modules = Path(os.environ.get("NODE_MODULES", ROOT / "node_modules"))
    needed = all((modules / name).is_dir() for name in ("axe-core", "puppeteer-core"))
    return (node, str(modules), chromium) if node and chromium and needed else None


@pytest.mark.slow
@pytest.mark.skipif(
    browser() is None,
    reason="needs chromium, node, and axe-core and puppeteer-core in NODE_MODULES",
)
@pytest.mark.parametrize("name", PAGES)
def test_a_browser_and_axe_find_nothing(folder: Path, name: str) -> None:
    known = browser()
    assert known is not None
    node, modules, chromium = known
    environment = os.environ | {"NODE_MODULES": modules, "CHROMIUM": chromium}
    done = subprocess.run(
        [node, ROOT / "benchmarks" / "report_pages.mjs", folder / name / "report.html"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    findings = json.loads(done.stdout)
    assert {(f["width"], f["scheme"]) for f in findings} == {
        (width, scheme) for width in (400, 500, 1280, 2560) for scheme in ("light", "dark")
    }
    for finding in findings:
        for kind in ("errors", "violations", "small", "cut", "over"):
            assert finding[kind] == [], (finding["width"], finding["scheme"])
        assert finding["wider"] <= 0

"""The figures of a run's page: where cycles, bytes and energy go, against the records."""

import itertools
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from cosilico.report.page import write_report
from cosilico.report.records import load_records
from cosilico.report.searching import anytime
from idle_energy import idle_energy
from report_reader import change, read, results_of, table
from run_records import write_run
from sim.cost.area import area
from sim.spec.accelerator import AcceleratorConfig
from sim.spec.accelerator_record import accelerator_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("figures")
    write_run(path / "run", "ds_cnn", points=80, seed=1)
    write_report(path / "run")
    return path


def test_layers_are_those_of_the_records(folder: Path) -> None:
    results = results_of(folder)
    for role, section in (("found", "rtl"), ("default", "rtl_default")):
        side = results[section]
        *rows, total = table(folder, "run", f"layers-{role}")
        assert len(rows) == len(side["layers"]) == 11
        assert total["layer"] == "all layers"
        assert int(total["measured_cycles"]) == sum(int(row["measured_cycles"]) for row in rows)
        rest = side["measured_cycles"] - int(total["measured_cycles"])
        assert rest == results["calibration"]["constants"]["finish"]
        text = " ".join((folder / "run" / "report.html").read_text().split())
        assert f"A run takes {rest} cycles more than its layers together" in text
        for row, layer, profile in zip(
            rows, side["layers"], side["profile"]["layers"], strict=True
        ):
            assert row["layer"] == layer["name"] == profile["name"]
            for name in ("macs", "predicted_cycles", "measured_cycles"):
                assert int(row[name]) == layer[name]
            states = [int(row[n]) for n in ("computing", "waits_load", "waits_store", "other")]
            assert sum(states) == layer["measured_cycles"]
            for name in ("read_bytes", "write_bytes", "store_read_bytes"):
                assert int(row[name]) == profile[name]
            assert float(row["energy_pj"]) == profile["energy_pj"]
        assert sum(int(row["read_bytes"]) for row in rows) == side["read_bytes"]
        energy = sum(float(row["energy_pj"]) for row in rows)
        energy += idle_energy(accelerator_of(side["accelerator"]), rest)
        assert energy == pytest.approx(side["energy"], rel=1e-9)


def test_losses_are_cycles_beyond_the_ideal(folder: Path) -> None:
    results = results_of(folder)
    rows = table(folder, "run", "losses")
    assert [row["accelerator"] for row in rows] == ["found"] * 5 + ["default"] * 5
    for role, section in (("found", "rtl"), ("default", "rtl_default")):
        side = results[section]
        lost = {
            layer["name"]: layer["measured_cycles"] - layer["macs"] / side["macs_per_cycle"]
            for layer in side["layers"]
        }
        worst = sorted(lost.values(), reverse=True)[:5]
        own = [row for row in rows if row["accelerator"] == role]
        assert [float(row["lost_cycles"]) for row in own] == pytest.approx(worst)
        for row in own:
            assert float(row["lost_cycles"]) == pytest.approx(lost[row["layer"]])
            names = ("unfilled", "without_macs", "waits_load", "waits_store", "other")
            causes = {name: float(row[name]) for name in names}
            assert sum(causes.values()) == pytest.approx(lost[row["layer"]])
            words = {
                "unfilled": "filled",
                "without_macs": "without MACs",
                "waits_load": "LOAD",
                "waits_store": "STORE",
                "other": "drain",
            }
            assert words[max(causes, key=causes.__getitem__)] in row["cause"]
        best = max(lost, key=lost.__getitem__)
        assert f"{best} loses most: {lost[best]:,.0f} of the run" in (
            folder / "run" / "report.html"
        ).read_text().replace("&#39;", "'")


def test_the_whole_run_is_accounted_for(folder: Path) -> None:
    results = results_of(folder)
    rows = table(folder, "run", "losses-total")
    causes = ("useful", "unfilled", "without_macs", "waits_load", "waits_store", "other")
    for role, section in (("found", "rtl"), ("default", "rtl_default")):
        side = results[section]
        cycles, shares = (row for row in rows if row["accelerator"] == role)
        assert float(cycles["total"]) == side["measured_cycles"]
        assert sum(float(cycles[name]) for name in causes) == pytest.approx(float(cycles["total"]))
        assert float(cycles["useful"]) == pytest.approx(side["macs"] / side["macs_per_cycle"])
        for name in causes:
            share = 100 * float(cycles[name]) / side["measured_cycles"]
            assert float(shares[name]) == pytest.approx(share)
        layers = side["profile"]["layers"]
        assert float(cycles["waits_load"]) == sum(layer["waits_load"] for layer in layers)
        without = sum(layer["computing"] for layer in layers if not layer["macs"])
        assert float(cycles["without_macs"]) == without > 0


def test_a_layer_without_macs_loses_nothing_to_multipliers(folder: Path) -> None:
    for profile in load_records(folder / "run").profiles.values():
        assert profile is not None
        (pool,) = (layer for layer in profile.layers if not layer.macs)
        assert pool.losses["unfilled"] == 0
        assert pool.losses["without_macs"] == pool.computing > 0


def test_a_wait_for_load_names_the_memory(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(folder / "run", run)
    (run / "timeline.json").unlink()  # the profile's times are then those of the results
    layers = results_of(folder)["rtl"]["profile"]["layers"]
    for place, (loaded, stored) in enumerate(((64, 0), (0, 64), (64, 64), (0, 0))):
        values = {
            "read_bytes": loaded,
            "store_read_bytes": stored,
            "waits_load": 10**6 * (4 - place),
        }
        values["cycles"] = layers[place]["cycles"] + values["waits_load"]
        for name, value in values.items():
            change(run / "results.json", ("rtl", "profile", "layers", place, name), value)
    write_report(run)
    causes = [row["cause"] for row in table(tmp_path, "run", "losses")[:4]]
    assert causes == [
        "waiting for LOAD (external memory)",
        "waiting for LOAD (the weight store)",
        "waiting for LOAD (external memory and the weight store)",
        "waiting for LOAD",
    ]


def test_times_are_those_of_the_timeline_by_this_versions_rules(
    folder: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(folder / "run", run)
    place = ("rtl", "profile", "layers", 0)
    first = results_of(folder)["rtl"]["profile"]["layers"][0]
    change(run / "results.json", (*place, "waits_load"), first["waits_load"] - 1)
    change(run / "results.json", (*place, "waits_store"), first["waits_store"] + 1)
    assert load_records(run).profiles == load_records(folder / "run").profiles


def test_extents_that_do_not_divide_are_said(folder: Path) -> None:
    results = results_of(folder)
    rows = table(folder, "run", "fill")
    assert {row["accelerator"] for row in rows} == {"found", "default"}
    for row in rows:
        side = results["rtl" if row["accelerator"] == "found" else "rtl_default"]
        config = AcceleratorConfig.from_json(side["accelerator"])
        (layer,) = (own for own in side["profile"]["layers"] if own["name"] == row["layer"])
        assert float(row["unfilled"]) == pytest.approx(layer["computing"] - layer["ideal_cycles"])
        assert float(row["filled"]) == pytest.approx(layer["ideal_cycles"] / layer["computing"])
        height, width, channels = layer["output"]
        units = (config.pes_y, config.pes_x, config.simd_units)
        pairs = zip(("rows", "columns", "channels"), (height, width, channels), units, strict=True)
        for name, extent, count in pairs:
            if height * width == 1:
                assert row[name] == ""
                continue
            most = max(len(part) for part in np.array_split(np.arange(extent), count))
            filled = extent / (count * most) if name != "channels" else None
            if filled == 1:
                assert row[name] == f"{extent} on {count}: all filled"
            elif filled is not None:
                assert row[name] == f"{extent} on {count}: {100 * filled:.0f} % filled"
            else:
                padded = next(n for n in itertools.count(count, count) if n >= extent)
                word = "all" if padded == extent else f"{100 * extent / padded:.0f} %"
                assert row[name] == f"{extent} on {count}: {word} filled"


def test_the_curve_falls_where_its_evaluation_is_drawn(folder: Path) -> None:
    known = anytime(load_records(folder / "run"))
    dots = known.plot.svg().partition('class="cloud muted" d="')[2].partition('"')[0]
    drawn = {int(float(x)) for x in re.findall(r"M([\d.]+) ", dots)}
    assert known.spent
    for spent in known.spent:
        # A dot lies in the nearest of 600 columns of a plot that is 1,000 wide.
        assert any(abs(known.plot.x.place(spent) * 10 - x) <= 1000 / 600 for x in drawn), spent


def test_the_sentences_are_those_of_the_profile(folder: Path) -> None:
    text = " ".join((folder / "run" / "report.html").read_text().split())
    for section in ("rtl", "rtl_default"):
        profile = results_of(folder)[section]["profile"]
        parts = ("local_input_bytes", "local_output_bytes", "local_kept_bytes")
        fullest = max(profile["layers"], key=lambda layer: sum(layer[part] for part in parts))
        share = 100 * sum(fullest[part] for part in parts) / profile["local_memory_bytes"]
        assert f"is fullest, at {share:.0f} %, in {fullest['name']}:" in text
        assert f"{fullest['local_output_bytes']:,} bytes of its output" in text
        most = max(profile["energy_pj"].values()) / sum(profile["energy_pj"].values())
        assert f"{100 * most:.0f} % of the energy goes to" in text


def test_times_memories_and_splits_are_the_records(folder: Path) -> None:
    results = results_of(folder)
    for role, section, place in (("found", "rtl", ""), ("default", "rtl_default", "default/")):
        timeline = json.loads((folder / "run" / f"{place}timeline.json").read_text())
        rows = table(folder, "run", f"timeline-{role}")
        for name in ("start", "issued", "done", "layer"):
            assert [int(row[name]) for row in rows] == timeline[name]
        assert [row["queue"] for row in rows] == timeline["queue"]
        profile = results[section]["profile"]
        memories = {
            row["memory"]: row
            for row in table(folder, "run", "memories")
            if row["accelerator"] == role
        }
        local = memories["local memory, of a PE"]
        config = AcceleratorConfig.from_json(results[section]["accelerator"])
        assert int(local["size_bytes"]) == config.local_memory_kb * 1024
        assert int(local["used_bytes"]) == max(
            layer["local_input_bytes"] + layer["local_output_bytes"] + layer["local_kept_bytes"]
            for layer in profile["layers"]
        )
        assert "padding included" in local["purpose"]
        registers = memories["register file, of a lane"]
        assert int(registers["size_bytes"]) == config.register_file_kb * 1024
        sizes = [
            int(n.replace(",", "")) for n in re.findall(r"([\d,]+) bytes", registers["purpose"])
        ]
        half = int(memories["register file, half of a lane"]["size_bytes"])
        assert sizes == [config.accumulator_rows * config.row_bytes, half]
        assert sizes[0] + 2 * half <= int(registers["size_bytes"])
        fetched = profile["descriptor_bytes"]
        assert int(memories["external memory, descriptors"]["used_bytes"]) == fetched
        text = " ".join((folder / "run" / "report.html").read_text().split())
        unit = {"found": " bytes on the found accelerator", "default": " on the default"}
        assert f"{fetched:,}{unit[role]}" in text
        side = results[section]
        assert f"The energy-delay product is {side['edp'] * 1e-3:.4g} µJ·ms on the {role}" in text
        assert sum(side["energy_by_part"].values()) == pytest.approx(side["energy"])
        assert side["energy_by_part"] == profile["energy_pj"]
        assert sum(side["cold_energy_by_part"].values()) == pytest.approx(side["cold_energy"])
        clock = config.clock_mhz * 1e6
        assert side["edp"] == pytest.approx(side["energy"] * side["predicted_cycles"] / clock)
        assert side["cold_edp"] == pytest.approx(
            side["cold_energy"] * side["predicted_cold_cycles"] / clock
        )
        read = memories["external memory, read"]
        assert int(read["used_bytes"]) == results[section]["read_bytes"]
        energy = table(folder, "run", "energy")
        assert float(energy[-1][f"{role}_pj"]) == pytest.approx(results[section]["energy"])
        parts = table(folder, "run", "area")
        assert float(parts[-1][f"{role}_mm2"]) == pytest.approx(area(config).total)
        assert sum(float(row[f"{role}_mm2"]) for row in parts[:-1]) == pytest.approx(
            results[section]["area"]
        )


def test_a_table_shows_what_its_csv_holds(folder: Path) -> None:
    reader = read(folder, "run")
    shown = [e.text for e in reader.elements if e.tag in ("td", "th") and "tbody" in e.around]
    for row in table(folder, "run", "layers-found")[:-1]:
        assert f"{int(row['measured_cycles']):,}" in shown
        assert f"{int(row['read_bytes']):,}" in shown
    for row in table(folder, "run", "roofline-points"):
        assert f"{float(row['macs_per_cycle']):,.1f}" in shown
        roof = float(row["roof_macs_per_cycle"])
        side = results_of(folder)["rtl" if row["accelerator"] == "found" else "rtl_default"]
        assert max(roof, float(row["macs_per_cycle"])) <= side["macs_per_cycle"]
        assert row["limit"] == ("multipliers" if roof == side["macs_per_cycle"] else "bandwidth")
        assert float(row["share_of_roof"]) == pytest.approx(float(row["macs_per_cycle"]) / roof)


def test_the_chain_marks_what_leaves_the_chip(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(folder / "run", run)
    change(run / "results.json", ("rtl", "spilled"), ["block2.depthwise"])
    change(run / "results.json", ("rtl_default", "spilled"), ["block3.depthwise"])
    layers = results_of(folder)["rtl"]["profile"]["layers"]
    names = [layer["name"] for layer in layers]
    assert "block2.depthwise" in names
    text = " ".join(write_report(run).read_text().split())
    marked = re.findall(r'<li class="spilled"><b>([^<]*)</b>.*?external memory', text)
    written = {layer["name"] for layer in layers if layer["write_bytes"]} | {"block2.depthwise"}
    assert marked == [name for name in names if name in written]
    assert names[-1] in marked
    assert text.count("<br>through external memory") == 1
    assert text.count("<br>to external memory") == len(marked) - 1
    assert "On the default, the output of block3.depthwise goes through external memory." in text

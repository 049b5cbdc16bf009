"""Timelines, the time of each layer, occupancy of the memories, and what traces and views show of them."""

import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from accelerators import WAVES
from cosilico.api.prediction import PredictedRun, predict
from cosilico.cli import main
from cosilico.layer_times import STATES, layer_times, layer_turns, segments
from cosilico.occupancy import occupancy
from cosilico.profile import CAUSES, profile_of
from cosilico.timeline import NOBODY, Timeline, read_timeline, write_timeline
from cosilico.trace_events import trace_events
from cosilico.trace_files import TracedProgram, predicted_run
from cosilico.wave_views import check_views, ports, write_views
from idle_energy import idle_energy
from sim.networks.named import NAMED_NETWORKS
from sim.spec.descriptor import Queue
from sim.spec.errors import CosilicoError, DesignFileError

PAIRS = [
    (network, space, images)
    for network in ("resnet8", "ds_cnn", "mobilenet_v1_025", "autoencoder")
    for space in ("tiny", "edge")
    for images in (1, 3)
]
assert {network for network, *_ in PAIRS} < set(NAMED_NETWORKS)


def traced(run: PredictedRun) -> TracedProgram:
    return predicted_run(run.mapped, run.prediction)


def timeline_of_pair(network: str, space: str, images: int) -> Timeline:
    return traced(predict(network, space, images=images)).timeline


@pytest.mark.parametrize(("network", "space", "images"), PAIRS)
def test_every_cycle_of_a_layer_has_one_state(network: str, space: str, images: int) -> None:
    run = predict(network, space, images=images)
    timeline = traced(run).timeline
    times = layer_times(timeline)
    assert [sum(states.values()) for states in times] == [
        layer.cycles for layer in run.prediction.layers
    ]
    cut = segments(timeline)
    assert cut.bounds[0] == 0
    assert cut.bounds[-1] == run.cycles
    assert (np.diff(cut.bounds) > 0).all()
    busy = np.diff(cut.bounds)[cut.states == STATES.index("computing")].sum()
    assert busy == run.prediction.execute_busy
    turns = layer_turns(timeline)
    assert [begin for _, begin, _ in turns[1:]] == [end for *_, end in turns[:-1]]
    assert turns[-1][2] == timeline.done[timeline.queues != Queue.LOAD].max()


def waits_itself(timeline: Timeline, load: int, cycle: int) -> bool:
    """Whether in a cycle a LOAD, or an earlier LOAD, waits for a STORE whose token then lets it begin at once."""
    for place in range(load + 1):
        giver = int(timeline.after_store[place])
        if timeline.queues[place] == Queue.LOAD and giver != NOBODY:
            token = int(timeline.done[giver]) + timeline.token_cycles
            if cycle < token == timeline.start[place]:
                return True
    return False


def naive_states(timeline: Timeline) -> dict[str, int]:
    """States cycle by cycle, from what is in flight in it."""
    executes = timeline.of_queue(Queue.EXECUTE)
    counts = dict.fromkeys(STATES, 0)
    for cycle in range(timeline.total_cycles):
        running = (timeline.start[executes] <= cycle) & (cycle < timeline.done[executes] - 1)
        if running.any():
            counts["computing"] += 1
            continue
        coming = executes[timeline.start[executes] > cycle]
        # The cycle of done itself counts as draining, whatever comes next.
        if (timeline.done[executes] - 1 == cycle).any():
            counts["other"] += 1
            continue
        if not len(coming):
            stores = timeline.done[timeline.of_queue(Queue.STORE)]
            counts["waits_store" if len(stores) and cycle < stores.max() else "other"] += 1
            continue
        state = "other"
        for name, after in (("load", timeline.after_load), ("store", timeline.after_store)):
            giver = after[coming[0]]
            if giver != NOBODY and cycle < timeline.done[giver] + timeline.token_cycles:
                state = (
                    "waits_store"
                    if name == "load" and waits_itself(timeline, giver, cycle)
                    else f"waits_{name}"
                )
                break
        counts[state] += 1
    return counts


@pytest.mark.parametrize("space", ["tiny", "edge"])
def test_states_are_those_of_a_walk_cycle_by_cycle(space: str) -> None:
    timeline = timeline_of_pair("ds_cnn", space, 1)
    cut = segments(timeline)
    lengths = np.diff(cut.bounds)
    assert {
        name: int(lengths[cut.states == state].sum()) for state, name in enumerate(STATES)
    } == naive_states(timeline)


@pytest.mark.parametrize(("network", "space"), [("ds_cnn", "tiny"), ("mobilenet_v1_025", "edge")])
def test_a_wait_for_a_load_that_a_store_holds_is_a_wait_for_the_store(
    network: str, space: str
) -> None:
    timeline = timeline_of_pair(network, space, 1)
    held = [
        place
        for place in timeline.of_queue(Queue.LOAD).tolist()
        if timeline.after_store[place] != NOBODY
    ]
    assert held
    cut, seen = segments(timeline), 0
    for place in held:
        token = int(timeline.done[timeline.after_store[place]]) + timeline.token_cycles
        assert timeline.start[place] == token
        executes = timeline.of_queue(Queue.EXECUTE)
        idle = (timeline.done[executes] - 1 < token - 1) | (timeline.start[executes] >= token)
        if idle.all():
            state = cut.states[np.searchsorted(cut.bounds, token - 1, side="right") - 1]
            assert STATES[state] == "waits_store"
            seen += 1
    assert seen


@pytest.mark.parametrize(("network", "space", "images"), PAIRS)
def test_what_is_in_local_memory_lies_apart_and_fits(network: str, space: str, images: int) -> None:
    mapped = traced(predict(network, space, images=images)).mapped
    config = mapped.config
    for place in occupancy(mapped):
        regions = sorted(place.regions, key=lambda region: region.address)
        assert {region.role for region in regions} >= {"input", "output"}
        for before, after in itertools.pairwise(regions):
            assert before.address + before.vectors <= after.address
        assert regions[0].address >= 0
        last = regions[-1]
        assert last.address + last.vectors <= config.bank_depth // place.images
        assert 0 <= place.register_bytes <= config.weight_rows * config.row_bytes
    stored = sum(place.store_bytes for place in occupancy(mapped))
    assert stored <= config.store_rows * config.row_bytes


def test_a_profile_adds_up_to_the_prediction() -> None:
    run = predict("mobilenet_v1_025", "edge")
    program = traced(run)
    profile = profile_of(program.mapped, run.prediction, program.timeline)
    assert sum(layer.read_bytes for layer in profile.layers) == run.read_bytes == profile.read_bytes
    own = [
        sum(getattr(layer, name) for layer in profile.layers) for name in ("energy_pj", "cycles")
    ]
    rest = idle_energy(run.accelerator, run.cycles - int(own[1]))
    assert own[0] + rest == pytest.approx(run.energy_pj, rel=1e-9)
    assert sum(profile.energy_pj.values()) == pytest.approx(run.energy_pj)
    assert sum(profile.area_mm2.values()) == pytest.approx(run.area_mm2)
    for layer in profile.layers:
        assert set(layer.losses) == set(CAUSES)
        assert sum(layer.losses.values()) == pytest.approx(layer.lost_cycles)
        assert layer.losses[layer.cause] == max(layer.losses.values())
    worst = profile.worst(3)
    assert [layer.lost_cycles for layer in worst] == sorted(
        (layer.lost_cycles for layer in profile.layers), reverse=True
    )[:3]
    assert type(profile).from_json(json.loads(json.dumps(profile.to_json()))) == profile


def test_a_timeline_survives_its_file(tmp_path: Path) -> None:
    timeline = timeline_of_pair("ds_cnn", "tiny", 1)
    write_timeline(tmp_path / "timeline.json", timeline)
    again = read_timeline(tmp_path / "timeline.json")
    assert again.to_json() == timeline.to_json()


@pytest.mark.parametrize(
    ("field", "value", "line"),
    [
        (
            "layer",
            lambda n: [99],
            "layer must have an entry for each of the {n} descriptors, not 1",
        ),
        ("layer", lambda n: [99] * n, "layer must be in 0 … 10, not 99"),
        ("after_load", lambda n: [n] * n, "after_load must be in -1 … {last}, not {n}"),
        ("done", lambda n: [0] * n, "done must be no less than start, for every descriptor"),
        ("source", lambda n: "guessed", "source must be .*, not 'guessed'"),
        ("clock_mhz", lambda n: 0, "clock_mhz must be an integer in 1 … 10000, not 0"),
    ],
    ids=["short layer", "layer", "after_load", "done", "source", "clock_mhz"],
)
def test_a_damaged_timeline_is_one_line(
    tmp_path: Path, field: str, value: Callable[[int], Any], line: str
) -> None:
    path = tmp_path / "timeline.json"
    document = timeline_of_pair("ds_cnn", "tiny", 1).to_json()
    n = len(document["layer"])
    path.write_text(json.dumps(document | {field: value(n)}))
    line = line.format(n=n, last=n - 1)
    with pytest.raises(DesignFileError, match=f"^timeline {re.escape(str(path))}.{line}$"):
        read_timeline(path)


def test_trace_events_hold_every_descriptor_and_token() -> None:
    timeline = timeline_of_pair("resnet8", "tiny", 1)
    events = trace_events(timeline, "resnet8")["traceEvents"]
    slices = [event for event in events if "descriptor" in event.get("args", {})]
    assert [event["args"]["descriptor"] for event in slices] == list(range(len(timeline)))
    assert [event["args"]["start"] for event in slices] == timeline.start.tolist()
    assert [event["args"]["done"] for event in slices] == timeline.done.tolist()
    assert [event["name"] for event in slices] == [
        timeline.layers[layer] for layer in timeline.layer_indices
    ]
    assert all(event["ts"] == event["args"]["start"] / timeline.clock_mhz for event in slices)
    waits = (timeline.after_load, timeline.after_execute, timeline.after_store)
    tokens = sum(int((after != NOBODY).sum()) for after in waits)
    begun = [event for event in events if event["ph"] == "s"]
    ended = [event for event in events if event["ph"] == "f"]
    assert len(begun) == len(ended) == tokens
    assert {event["id"] for event in begun} == {event["id"] for event in ended}
    # Every flow begins and ends within a slice of its thread, which is what binds it.
    for event in begun + ended:
        assert any(
            s["tid"] == event["tid"] and s["ts"] <= event["ts"] <= s["ts"] + s["dur"]
            for s in slices
        )


def test_slices_of_a_thread_never_overlap() -> None:
    events = trace_events(timeline_of_pair("resnet8", "edge", 3), "resnet8")["traceEvents"]
    threads: dict[int, list[tuple[int, int]]] = {}
    for event in events:
        if event["ph"] == "X":
            args = event["args"]
            threads.setdefault(event["tid"], []).append((args["start"], args["done"]))
    named = {e["tid"] for e in events if e["ph"] == "M" and e["name"] == "thread_name"}
    assert set(threads) == named
    for spans in threads.values():
        for before, after in itertools.pairwise(spans):
            assert before[1] <= after[0]


def test_predict_writes_both_forms_of_a_trace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, events = tmp_path / "run.json", tmp_path / "events.json"
    words = ["predict", "ds_cnn", "--accelerator", "tiny", "--trace"]
    assert main([*words, str(plain)]) == 0
    assert main([*words, str(events), "--trace-format", "perfetto"]) == 0
    run = predict("ds_cnn", "tiny")
    assert json.loads(plain.read_text())["total_cycles"] == run.cycles
    document = json.loads(events.read_text())
    assert document["otherData"] == {
        "source": "predicted",
        "clock_mhz": 200,
        "total_cycles": run.cycles,
    }
    capsys.readouterr()
    assert main([*words, str(plain), "--json", str(plain)]) == 2
    error = capsys.readouterr().err
    assert error == f"cosilico: --json must be another file than --trace {str(plain)!r}\n"
    assert main([*words, str(plain), "--trace-format", "chrome"]) == 2
    assert "'descriptors', 'perfetto'" in capsys.readouterr().err


VCD = """$version Generated by Verilated $end
 $scope module TOP $end
  $var wire 1 b@ clk $end
  $var wire 32 c@ m_axi_awaddr [31:0] $end
  $var wire 1 d@ m_axi_desc_rvalid $end
  $var wire 1 e@ trace_load_start $end
  $scope module inner $end
   $var wire 1 b@ clk $end
   $var wire 1 f@ secret $end
  $upscope $end
 $upscope $end
$enddefinitions $end
#0
"""


def test_views_name_the_ports_by_what_they_belong_to(tmp_path: Path) -> None:
    waves = tmp_path / "waves.vcd"
    waves.write_text(VCD)
    gtkwave, surfer = write_views(waves)
    assert gtkwave.read_text().splitlines() == [
        "[*] View of cosilico: waves.vcd", '[dumpfile] "waves.vcd"', "[timestart] 0",
        "@200", "-Clock, reset and interrupt", "@28", "TOP.clk",
        "@200", "-Descriptors", "@28", "TOP.trace_load_start",
        "@200", "-Descriptor port", "@28", "TOP.m_axi_desc_rvalid",
        "@200", "-Data port", "@22", "TOP.m_axi_awaddr[31:0]",
        "@200", "-Registers",
    ]  # fmt: skip
    lines = surfer.read_text().splitlines()
    assert lines[:4] == [
        "divider_add cosilico: waves.vcd",
        "load_file waves.vcd",
        "divider_add Clock, reset and interrupt",
        "variable_add TOP.clk",
    ]
    assert {line.split()[1] for line in lines if line.startswith("variable_add")} == {
        signal.path for signal in ports(waves)
    }
    assert "secret" not in gtkwave.read_text() + surfer.read_text()
    write_views(waves)  # replaces its own
    check_views(waves)
    gtkwave.write_text("mine")
    with pytest.raises(CosilicoError, match=r"^.*waves\.gtkw must be absent or a view of an"):
        check_views(waves)


@pytest.mark.rtl
def test_simulate_writes_measured_events_and_views(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    events = tmp_path / "events.json"
    accelerator = tmp_path / "accelerator.json"
    accelerator.write_text(json.dumps(WAVES.to_json()))
    words = ["simulate", "autoencoder", "--accelerator", str(accelerator), "--images", "1"]
    words.append("--waves")
    assert main([*words, "--trace", str(events), "--trace-format", "perfetto"]) == 0
    document = json.loads(events.read_text())
    assert document["otherData"]["source"] == "measured"
    predicted = traced(predict("autoencoder", WAVES)).timeline
    own = [e["args"]["start"] for e in document["traceEvents"] if "issued" in e.get("args", {})]
    assert own == predicted.start.tolist()
    names = {signal.path for signal in ports(tmp_path / "waves.vcd")}
    listed = re.findall(r"^variable_add (.*)$", (tmp_path / "waves.sucl").read_text(), re.M)
    assert set(listed) == names
    assert {"TOP.clk", "TOP.trace_execute_start", "TOP.m_axi_rvalid"} <= names

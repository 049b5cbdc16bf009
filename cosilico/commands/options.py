"""Arguments and options that several commands share."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sim.cost.objective import METRICS, Metric
from sim.spec.engines import Engine
from sim.spec.errors import CosilicoError
from sim.spec.views import View

__all__ = [
    "Accelerator",
    "Batch",
    "DesignFile",
    "EngineName",
    "ExperimentFile",
    "Force",
    "Jobs",
    "MemoryName",
    "MemorySet",
    "NetworkName",
    "OutFile",
    "OutFolder",
    "Resume",
    "Scheduler",
    "SearchSeed",
    "SpaceName",
    "TraceFormat",
    "TraceFormatName",
    "ViewName",
    "WeightSeed",
    "chosen_metric",
    "memory_names",
    "network_names",
    "space_names",
]


class MemorySet(StrEnum):
    """Memories behind which validated pairs run."""

    SINGLE = "one"
    ALL = "all"
    RANDOM = "random"


class TraceFormat(StrEnum):
    """Forms of a trace: what ``calibrate --trace`` reads, or what Perfetto and Chrome show."""

    DESCRIPTORS = "descriptors"
    PERFETTO = "perfetto"


def network_names(incomplete: str) -> list[str]:
    """Complete the name of a network, for the shell."""
    from sim.networks.named import NAMED_NETWORKS

    return [name for name in NAMED_NETWORKS if name.startswith(incomplete)]


def space_names(incomplete: str) -> list[str]:
    """Complete the name of a hardware space, for the shell."""
    from sim.spec.spaces import SPACE_NAMES

    return [name for name in SPACE_NAMES if name.startswith(incomplete)]


def memory_names(incomplete: str) -> list[str]:
    """Complete the name of a memory, for the shell."""
    from sim.spec.memory_record import MEMORY_NAMES

    return [name for name in MEMORY_NAMES if name.startswith(incomplete)]


def chosen_metric(text: str) -> Metric:
    """Metric of an option's text.

    Raises
    ------
    CosilicoError
        If there is none of that name.
    """
    for metric in METRICS:
        if metric == text:
            return metric
    raise CosilicoError(f"--metric must be one of {', '.join(METRICS)}, not {text!r}")


DesignFile = Annotated[Path, typer.Argument(metavar="DESIGN", help="a design.json")]
ExperimentFile = Annotated[
    Path, typer.Argument(metavar="EXPERIMENT", help="experiment that describes the search (TOML)")
]
NetworkName = Annotated[
    str,
    typer.Argument(
        metavar="NETWORK",
        help="a named network, a design.json, an imported folder or a network alone as JSON",
        autocompletion=network_names,
    ),
]
Accelerator = Annotated[
    str | None,
    typer.Option(
        metavar="A",
        help="tiny, edge, nahas or a JSON file",
        show_default="the design's own",
        autocompletion=space_names,
    ),
]
OutFolder = Annotated[Path, typer.Option("--out", metavar="DIR", help="folder for the results")]
OutFile = Annotated[Path, typer.Option("--out", metavar="FILE", help="file to write")]
Resume = Annotated[bool, typer.Option("--resume", help="continue an earlier run")]
Force = Annotated[
    bool, typer.Option("--force", help="replace what an earlier command made there, nothing else")
]
SearchSeed = Annotated[
    int, typer.Option("--seed", min=0, max=2**31 - 1, help="decides every random choice")
]
WeightSeed = Annotated[
    int, typer.Option("--seed", min=0, max=2**31 - 1, help="weights of a named network")
]
MemoryName = Annotated[
    str,
    typer.Option(
        "--memory",
        metavar="M",
        help="deterministic, a DRAM's name, a TOML file, or values as latency=40,outstanding=4",
        autocompletion=memory_names,
    ),
]
TraceFormatName = Annotated[
    TraceFormat,
    typer.Option(
        "--trace-format",
        help="with --trace: JSON that calibrate --trace reads, or trace events for Perfetto and Chrome",
    ),
]
ViewName = Annotated[View, typer.Option("--view", help="form of the PE grid")]
EngineName = Annotated[
    Engine, typer.Option("--engine", help="bench around the accelerator: C++, or cocotb")
]
Batch = Annotated[
    int, typer.Option("--batch", metavar="B", min=1, help="images that one program computes")
]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", min=1, help="processes", show_default="one per core"),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="a Dask scheduler, as tcp://HOST:8786, whose workers take the place of processes; "
        "they must see the folder of the results",
        show_default="processes of this machine",
    ),
]
SpaceName = Annotated[
    str,
    typer.Option(
        "--space",
        help="hardware space: tiny, edge, nahas or a TOML file",
        autocompletion=space_names,
    ),
]

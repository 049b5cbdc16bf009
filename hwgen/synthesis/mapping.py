"""Mapping of an accelerator's modules, each on its own and only once; what is done stays in the cache."""

import gzip
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from hwgen import yosys
from hwgen.synthesis.netlist import Instance, Netlist, read_netlist
from hwgen.synthesis.sources import ModuleSource
from hwgen.synthesis.targets import Flow
from sim.spec.files import cache_root, temporary_folder, write_atomic

__all__ = ["CACHE_FOLDER", "MappedModule", "map_modules"]

CACHE_FOLDER = "synthesis"
"""Folder of the cache with a folder for every mapped module."""

_SUMMARY, _NETLIST = "module.json", "netlist.json.gz"
_VERSION = "1"
"""Changes with what is kept."""

_SOURCE, _BOXES, _MAPPED = "module.v", "boxes.v", "mapped.json"
_CHECK = re.compile(r"^Warning: (.*(?:\n {4}.*)*)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedModule:
    """A mapped module, without the modules below it.

    Parameters
    ----------
    source : ModuleSource
    cells : mapping of str to int
        Cells of the target by their kind.
    problems : tuple of str
        What Yosys's check says: combinational loops, nets with several drivers or none, latches.
    folder : Path
        Entry of the cache.
    """

    source: ModuleSource
    cells: Mapping[str, int]
    problems: tuple[str, ...]
    folder: Path

    @property
    def name(self) -> str:
        """Name of the module; a memory's ends with its size."""
        return self.source.name

    def netlist(self) -> Netlist:
        """Read the netlist from the cache."""
        record = json.loads(gzip.decompress((self.folder / _NETLIST).read_bytes()))
        names = {int(net): name for net, name in record["names"].items()}
        instances = [
            Instance(name, kind, pins, frozenset(outputs), parameters)
            for name, kind, pins, outputs, parameters in record["instances"]
        ]
        return Netlist(self.name, record["inputs"], record["outputs"], instances, names)


def map_modules(
    sources: Sequence[ModuleSource],
    flow: Flow,
    *,
    jobs: int | None = None,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> list[MappedModule]:
    """Map modules, those with the longest text first, in processes side by side.

    A module that was mapped before, for any accelerator, is taken from the cache: what was killed goes
    on where it stopped.

    Parameters
    ----------
    sources : sequence of ModuleSource
    flow : Flow
    jobs : int, optional
        Processes; without it as many as there are processors.
    progress : callable
        Called with the name of a step, how much of it is done and how much there is.

    Returns
    -------
    list of MappedModule
        In the order of the sources.
    """
    identity = flow.identity
    folders = {source.name: _folder(source, identity) for source in sources}
    waiting = [source for source in sources if not (folders[source.name] / _SUMMARY).is_file()]
    waiting.sort(key=lambda source: (-_size(source), source.name))
    done = len(sources) - len(waiting)
    progress("synthesis", done, len(sources))
    with ThreadPoolExecutor(jobs or len(os.sched_getaffinity(0))) as pool:
        running = [pool.submit(_map, source, flow, folders[source.name]) for source in waiting]
        try:
            for future in as_completed(running):
                future.result()
                done += 1
                progress("synthesis", done, len(sources))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [_mapped(source, folders[source.name]) for source in sources]


def _size(source: ModuleSource) -> int:
    """Guess of the work on a module: bits of a memory, or characters of the text."""
    bits = source.parameters.get("WIDTH", 0) * source.parameters.get("DEPTH", 0)
    return bits * 4 or len(source.text)


def _folder(source: ModuleSource, identity: str) -> Path:
    """Entry of the cache for a module that is mapped by a flow."""
    parts = (_VERSION, identity, source.module, source.text, source.boxes)
    texts = (*parts, json.dumps(source.parameters, sort_keys=True))
    digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()
    return cache_root() / CACHE_FOLDER / digest[:24]


def _mapped(source: ModuleSource, folder: Path) -> MappedModule:
    record = json.loads((folder / _SUMMARY).read_text(encoding="utf-8"))
    return MappedModule(
        source=source, cells=record["cells"], problems=tuple(record["problems"]), folder=folder
    )


def _map(source: ModuleSource, flow: Flow, entry: Path) -> None:
    """Map a module and keep its netlist and then its summary."""
    with temporary_folder() as folder:
        (folder / _SOURCE).write_text(source.text, encoding="utf-8")
        (folder / _BOXES).write_text(source.boxes, encoding="utf-8")
        for name, text in flow.files.items():
            (folder / name).write_text(text, encoding="utf-8")
        checks = [folder / "elaborated.txt", folder / "mapped.txt"]
        parameters = " ".join(f"-set {key} {value}" for key, value in source.parameters.items())
        yosys.run(
            [
                *([f"read_verilog -lib {folder / _BOXES}"] if source.boxes else []),
                f"read_verilog {folder / _SOURCE}",
                *([f"chparam {parameters} {source.module}"] if parameters else []),
                f"hierarchy -check -top {source.module}",
                "proc",
                "flatten -noscopeinfo",
                f"tee -q -o {checks[0]} check -nolatches",
                *flow.commands(source.module, folder),
                f"tee -q -o {checks[1]} check -mapped",
                f"write_json {folder / _MAPPED}",
            ]
        )
        module = json.loads((folder / _MAPPED).read_text(encoding="utf-8"))["modules"]
        problems = [
            problem for file in checks for problem in _CHECK.findall(file.read_text("utf-8"))
        ]
    netlist = read_netlist(source.name, module[source.module])
    instances = [_instance(instance, source) for instance in netlist.instances]
    cells = Counter(
        instance.kind
        for instance in instances
        if not instance.parameters and instance.kind not in source.children
    )
    record = {
        "inputs": netlist.inputs,
        "outputs": netlist.outputs,
        "names": netlist.names,
        "instances": [(i.name, i.kind, i.pins, sorted(i.outputs), i.parameters) for i in instances],
    }
    entry.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, separators=(",", ":"))
    write_atomic(entry / _NETLIST, gzip.compress(text.encode(), 1, mtime=0))
    summary = {"cells": dict(sorted(cells.items())), "problems": list(dict.fromkeys(problems))}
    write_atomic(entry / _SUMMARY, json.dumps(summary) + "\n")


def _instance(instance: Instance, source: ModuleSource) -> Instance:
    """Return an instance with the name of its module: a memory that is mapped is a module by its size."""
    if not instance.parameters:
        return instance
    width, depth = instance.parameters["WIDTH"], instance.parameters["DEPTH"]
    kind = f"{instance.kind}_{depth}x{width}"
    if kind not in source.children:
        return instance
    return Instance(instance.name, kind, instance.pins, instance.outputs, {})

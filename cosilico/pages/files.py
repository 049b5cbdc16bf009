"""The page of the files that the commands read and write, made from the schemas that check them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from cosilico.pages.table import anchor, markdown_table
from sim.spec.documents import Record
from sim.spec.queued_memory import CHOICES, LIMITS

__all__ = ["DOCUMENTS", "FILES_PAGE", "Document", "document_schema", "files_page"]

FILES_PAGE = "docs/reference/files.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A kind of file, or of an object within, that a schema checks.

    Parameters
    ----------
    title : str
    text : str
        Where there is such a file, who writes it and who reads it.
    schema : str
        ``module:name`` of the class.
    links : mapping of str to str
        Fields that another schema checks, and what to say of them.
    """

    title: str
    text: str
    schema: str
    links: Mapping[str, str] = field(default_factory=dict)


_ACCELERATOR = "an [accelerator](#accelerator)"
_NETWORK = "a [network](#network)"

DOCUMENTS = (
    Document(
        title="Accelerator",
        text="A JSON file for `--accelerator`, and a field of other files. [Its fields](accelerator.md) are explained on a page of their own; "
        "`cosilico check` says which values can be built.",
        schema="sim.spec.accelerator_record:_AcceleratorRecord",
    ),
    Document(
        title="Network",
        text="The field `network` of designs and imported networks. Version 1 has neither `outputs` nor `concatenations` nor `states`, and only version 3 has `further_inputs`. The arrays of layer `NAME` are "
        "`NAME.weights`, `NAME.bias`, `NAME.multiplier`, `NAME.shift` and `NAME.table` in the npz file beside it ([arithmetic](../explanation/arithmetic.md)); of state "
        "`NAME` `NAME.initial`, without which it begins with its zero point.",
        schema="sim.spec.network_record:NetworkRecord",
    ),
    Document(
        title="Design",
        text="`design.json`: a network and the accelerator that runs it. `search` and `run` write it; every command that takes NETWORK reads it. "
        "`weights.sha256` may be left out in a file written by hand.",
        schema="sim.spec.design:_DesignDocument",
        links={"accelerator": _ACCELERATOR, "network": _NETWORK},
    ),
    Document(
        title="Imported network",
        text="`network.json` in the folder that `import` writes ([its folder](importing.md#the-folder)). `source` names its origin, for information only.",
        schema="sim.importers.folder:_FolderDocument",
        links={"network": _NETWORK, "host": "the [host's steps](#the-hosts-steps)"},
    ),
    Document(
        title="The host's steps",
        text="The field `host` of an imported network: the steps of the model before and after the accelerator. Each step is an object with its `kind` "
        "and the fields that it needs ([list of steps](importing.md#the-hosts-steps)).",
        schema="sim.importers.host:_HostRecord",
    ),
    Document(
        title="Memory of fixed latency",
        text="A TOML file for `--memory`, and the section `[memory]` of an experiment. [Memories](memories.md) has ranges and meaning.",
        schema="sim.spec.memory_record:_FixedLatencyRecord",
        links={"kind": "`fixed_latency`"},
    ),
    Document(
        title="DRAM",
        text="A TOML file for `--memory`. [DRAMs](dram.md#a-memory-of-your-own) explains every field.",
        schema="sim.spec.dram:_DramRecord",
        links={"timing": "intervals by the standards' names"},
    ),
    Document(
        title="Queued memory",
        text="A TOML file for `--memory`, as `calibrate --trace` writes it ([what is fitted](../explanation/calibration.md#what-is-fitted)).",
        schema="sim.spec.queued_memory_record:_QueuedRecord",
        links={
            "kind": "`queued`",
            **{name: f"one of {', '.join(kinds)}" for name, kinds in CHOICES.items()},
            **{name: f"an integer in {low} … {high}" for name, (low, high) in LIMITS.items()},
        },
    ),
    Document(
        title="Trace",
        text="The file that `simulate --trace` and `predict --trace` write and `calibrate --trace` reads; also as CSV ([the trace](../explanation/calibration.md#the-trace)). "
        "Lists have an entry for each descriptor, in program order; -1 marks an event that was not seen.",
        schema="testbench.traces.trace:TraceRecord",
        links={"accelerator": f"{_ACCELERATOR}, or what `--accelerator` takes"},
    ),
    Document(
        title="Calibration",
        text="`sim/timing/calibration.json`, and the file that `calibrate --out` writes and `--calibration` reads. It is refused with another gateware "
        "([timing constants](timing_constants.md)).",
        schema="sim.timing.calibration:_CalibrationRecord",
        links={
            "constants": "every [constant](timing_constants.md#the-constants)",
            "drams": "by name",
        },
    ),
    Document(
        title="Timeline",
        text="`timeline.json` in a run's folder, from which the report draws the timeline. Lists have an entry for each descriptor, in program order; `after_…` is the place of "
        "the descriptor that is waited for, -1 for none.",
        schema="cosilico.timeline:_TimelineRecord",
    ),
    Document(
        title="Provenance",
        text="`provenance.json` in a run's folder: the command, version and class of machine with which it was begun.",
        schema="cosilico.provenance:_Provenance",
    ),
)
"""Files by their schemas, in the order of the page."""

_HEAD = """\
# Files

Files are checked against these schemas when they are read. A fault gives one line, `<field> must be <rule>, not <value>`, and exit status 2; a field that
is not in a schema is refused. [Architecture](../explanation/architecture.md#files-from-outside) lists the limits on the size of JSON files.

Described elsewhere: [experiments](experiment_fields.md) (`cosilico init --schema` writes their JSON Schema), [`results.json`](results.md),
[descriptions](cocotb.md#the-description) of the cocotb bench, and the [folders](running.md#folders) of commands.

"""

_WRITTEN = """
## Files that are only written

`program.json`, beside `program.bin`, has everything that a host must know about a program. Addresses are in bytes from MEMORY_BASE on.

{program}
`manifest.json`, beside the Verilog:

{manifest}"""

PROGRAM_KEYS = (
    ("ownership", "that the files belong to whoever ran the generator"),
    ("fingerprint", "of the configuration, as register FINGERPRINT reads it"),
    ("images", "images that a run computes"),
    ("memory_bytes", "size of `program.bin`: the memory that the program needs"),
    ("header_address", "value of PROGRAM for a cold run"),
    (
        "warm_address",
        "value of PROGRAM for a warm run; `header_address` if nothing stays in the store",
    ),
    ("descriptors", "number of descriptors of a run"),
    ("input", "place and layout of the first image's input"),
    ("inputs", "the same for every input, by name"),
    ("output", "place and layout of the first image's first output"),
    ("outputs", "the same for every output, by name"),
    ("states", "the same for every state, by name; only of networks that have states"),
)
"""Fields of ``program.json``."""

MANIFEST_KEYS = (
    ("ownership", "that the files belong to whoever ran the generator"),
    ("version", "of Cosilico"),
    ("fingerprint", "of the configuration"),
    ("accelerator", f"{_ACCELERATOR}"),
    ("top", "name of the top module"),
    ("gateware_hash", "hash of the generators' sources"),
    ("files", "the Verilog files, instantiated modules first"),
    ("ports", "`name`, `direction`, `bits` and `meaning` of every [port](ports.md)"),
    ("memories", "`path` below the top, `module`, `width` in bits and `depth` of every memory"),
)
"""Fields of ``manifest.json``."""


def document_schema(document: Document) -> dict[str, Any]:
    """JSON Schema of a document."""
    module, name = document.schema.split(":")
    model: type[Record] = getattr(import_module(module), name)
    return model.model_json_schema()


def files_page() -> str:
    """Markdown of the page."""
    rows = [
        (f"[{document.title}](#{anchor(document.title)})", document.text) for document in DOCUMENTS
    ]
    parts = [_HEAD, markdown_table(["file or object", "where"], rows)]
    for document in DOCUMENTS:
        parts.append(f"\n## {document.title}\n\n{document.text}\n\n")
        schema = document_schema(document)
        parts.append(_table(schema, document.links))
        for name, inner in _inner(schema):
            parts.append(f"\n**{name}**\n\n{_table(inner, {})}")
    titles = ["field", "content"]
    parts.append(
        _WRITTEN.format(
            program=markdown_table(titles, [(f"`{key}`", text) for key, text in PROGRAM_KEYS]),
            manifest=markdown_table(titles, [(f"`{key}`", text) for key, text in MANIFEST_KEYS]),
        )
    )
    return "".join(parts)


def _inner(schema: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects within a document that have schemas of their own, with their titles."""
    for name, inner in schema.get("$defs", {}).items():
        if "properties" in inner:
            yield _title(name), inner


def _table(schema: Mapping[str, Any], links: Mapping[str, str]) -> str:
    needed = schema.get("required", ())
    rows = []
    for name, value in schema["properties"].items():
        default = "**required**" if name in needed else _default(value)
        rows.append([f"`{name}`", default, links.get(name) or _rule(value)])
    return markdown_table(["field", "if not given", "must be"], rows)


def _default(value: Mapping[str, Any]) -> str:
    given = value.get("default")
    return "" if given in (None, "") or isinstance(given, list | dict) else f"`{given}`"


def _rule(value: Mapping[str, Any]) -> str:
    """Rule of a schema's value in words."""
    if "description" in value:
        return str(value["description"])
    if "$ref" in value:
        return f"an object: {_title(value['$ref'].rpartition('/')[2])}"
    if "anyOf" in value:
        kinds = [_rule(kind) for kind in value["anyOf"] if kind.get("type") != "null"]
        return " or ".join(kinds)
    if "enum" in value:
        return f"one of {', '.join(map(str, value['enum']))}"
    if "const" in value:
        return f"`{value['const']}`"
    if value.get("type") == "array":
        return f"a list of: {_rule(value['items'])}" if "items" in value else "a list"
    words = {"integer": "an integer", "number": "a number", "string": "text", "object": "an object"}
    return words.get(value.get("type", ""), "any value")


def _title(name: str) -> str:
    """Words of a class's name: ``_PortRecord`` is "port"."""
    plain = name.strip("_").removesuffix("Record")
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in plain)
    return spaced.strip()

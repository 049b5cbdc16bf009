"""Pages from tables: each row is tried against what it tells of."""

import json
import re
import struct
import zlib
from typing import Any

import numpy as np
import pytest
import typer

from accelerators import SMALLEST
from cosilico.cli import app
from cosilico.pages.commands import command_options, commands, commands_page
from cosilico.pages.descriptors import descriptors_page
from cosilico.pages.files import (
    DOCUMENTS,
    MANIFEST_KEYS,
    PROGRAM_KEYS,
    document_schema,
    files_page,
)
from cosilico.pages.registers import registers_page
from cosilico.pages.table import anchor, markdown_table
from hwgen.gateware.host.csr import REGISTERS
from hwgen.package.program_manifest import program_manifest
from hwgen.program import compile_mapped
from hwgen.verilog_files import generate
from sim.realizability import map_realizable
from sim.spec.descriptor import DESCRIPTOR_BYTES, FIELDS, Queue, encode
from sim.spec.header import seal
from sim.spec.spaces import TINY
from standalone_folders import one_layer
from testbench.cases.stateful import stateful_graph


def section(page: str, title: str) -> list[list[str]]:
    """Cells of the first table below a heading."""
    lines = f"\n{page}".split(f"\n{title}\n", 1)[1].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|")) + 2
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\\\)\|", line.strip("|"))])
    return rows


def test_tables_keep_bars_out_of_columns() -> None:
    assert markdown_table(["a", "b"], [["x|y", "z"]]) == "| a | b |\n| --- | --- |\n| x\\|y | z |\n"


def test_anchors_are_those_of_headings() -> None:
    assert anchor("The host's steps") == "the-hosts-steps"
    assert anchor("cosilico import") == "cosilico-import"


def test_every_command_and_option_of_the_parser_is_on_the_page() -> None:
    group: Any = typer.main.get_command(app)
    assert list(commands()) == list(group.commands)
    for name, command in group.commands.items():
        parsed = {
            word
            for parameter in command.params
            if parameter.param_type_name == "option"
            for word in (*parameter.opts, *parameter.secondary_opts)
        }
        listed = {
            word
            for option in command_options(commands()[name])
            if not option.is_argument
            for word in option.names
        }
        assert listed == parsed - {"--help", "-h"}, name
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        shown = [option for option in command_options(commands()[name]) if option.is_argument]
        assert [p.required for p in arguments] == [option.required for option in shown], name
        rows = section(commands_page(), f"## `cosilico {name}`")
        assert len(rows) == len(shown) + len([p for p in command.params if p not in arguments])


@pytest.mark.parametrize("queue", Queue, ids=lambda queue: queue.name)
def test_fields_of_descriptors_lie_in_the_bits_of_the_page(queue: Queue) -> None:
    page = descriptors_page()
    rows = section(page, "### Every descriptor") + section(page, f"### {queue.name}")
    assert [row[0].strip("`") for row in rows] == [field.name for field in FIELDS[queue]]
    for row, field in zip(rows, FIELDS[queue], strict=True):
        high, _, low = row[1].partition(":")
        bits = range(int(low or high), int(high) + 1)
        if field.name == "queue":
            assert bits == range(2)
            continue
        value = -1 if field.signed else field.high
        word = int.from_bytes(encode(queue, {field.name: value}), "little")
        assert word >> 2 == sum(1 << bit for bit in bits) >> 2, field.name
        assert row[2] == f"{field.bits}{', signed' if field.signed else ''}"
        assert field.doc in row[3]


def test_words_of_the_header_are_those_of_the_page() -> None:
    descriptors = bytes(range(DESCRIPTOR_BYTES)) * 3
    program = seal(0xABCD1234, descriptors)
    words = struct.unpack_from("<16I", program)
    rows = dict(section(descriptors_page(), "## Header"))
    assert list(rows) == ["0", "1", "2", "3", "4", "5 … 14", "15"]
    assert rows["0"].startswith(f"0x{words[0]:08X},")
    assert words[1:3] == (0xABCD1234, 3)
    assert f", {words[3]}, " in rows["3"]
    assert words[4] == zlib.crc32(program[64:128])
    assert not any(words[5:15])
    assert words[15] == zlib.crc32(program[:60])


def test_every_register_is_on_the_page_with_its_offset() -> None:
    rows = section(registers_page(), "# Registers")
    named = [(row[0], row[1].strip("`")) for row in rows if row[0]]
    ordered = sorted(REGISTERS, key=lambda register: register.offset)
    assert named == [(f"0x{register.offset:02X}", register.name) for register in ordered]


def test_documents_are_whole() -> None:
    """Every field of every schema is on the page, with those of the objects within."""
    page = files_page()
    for document in DOCUMENTS:
        schema = document_schema(document)
        text = page.split(f"\n## {document.title}\n", 1)[1].partition("\n## ")[0]
        inner = [kind for kind in schema.get("$defs", {}).values() if "properties" in kind]
        for kind in (schema, *inner):
            for name in kind["properties"]:
                assert f"| `{name}` |" in text, (document.title, name)
        required = sum(len(kind.get("required", ())) for kind in (schema, *inner))
        assert text.count("**required**") == required, document.title


def test_files_that_are_only_written_have_the_listed_fields() -> None:
    stateful = stateful_graph(TINY.default, np.random.default_rng(0), "stateful")
    for network, without in ((one_layer(), {"states"}), (stateful, set())):
        program = program_manifest(
            compile_mapped(map_realizable(TINY.default, network)), TINY.default
        )
        assert list(program) == [key for key, _ in PROGRAM_KEYS if key not in without]
    manifest = json.loads(generate(SMALLEST, version="0").files["manifest.json"])
    assert list(manifest) == [key for key, _ in MANIFEST_KEYS]

"""The archive of a ``.pt2`` file: everything in it is read here before PyTorch sees any of it.

PyTorch's own reader unpickles sample inputs, weights and objects, calls whatever a graph names, and
evaluates the text of symbolic sizes. Here an archive is taken apart without PyTorch, and another is
written that holds the weights and a graph of known operators alone.
"""

import io
import json
import math
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Never

from sim.importers.pytorch.archived_graph import GraphReader
from sim.spec.archives import open_archive, open_file, read_member
from sim.spec.documents import parse_json
from sim.spec.errors import DesignFileError

__all__ = ["clean_archive"]

_MODEL = "models/model.json"
_FORMAT = "archive_format"
_ROOT = "program"
_WEIGHTS, _CONSTANTS = "data/weights", "data/constants"
_CONFIGS = {folder: f"{folder}/model_{folder[5:]}_config.json" for folder in (_WEIGHTS, _CONSTANTS)}
_LEGACY = tuple(f"{folder}/model.pt" for folder in (_WEIGHTS, _CONSTANTS))
_UNUSED = ("data/sample_inputs/", "extra/", ".data/", "byteorder", ".format_version")
"""Members that are left out; nothing in them changes what a module computes."""

_ITEM_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 2, 7: 4, 8: 8, 12: 1, 13: 2}
"""Bytes of an item by PyTorch's number of its type: integers, floating point and truth values."""

_JSON_LIMIT_BYTES = 1 << 23
"""Most bytes of all members that are parsed as JSON: enough for thousands of operators."""

_STRIDED, _CPU = 7, "cpu"


def clean_archive(
    path: Path, in_spec: Callable[[int], str], out_spec: Callable[[int], str]
) -> io.BytesIO:
    """An archive for ``torch.export.load`` with what is plain data in the archive at ``path``.

    Parameters
    ----------
    path : Path
    in_spec : callable
        Returns PyTorch's text for so many arguments.
    out_spec : callable
        Returns PyTorch's text for so many results.

    Raises
    ------
    DesignFileError
        One line that names the file, the member or field, and the rule.
    UnsupportedModuleError
        If the graph has an operator that no layer computes.
    """
    what = f"program file {path}"
    with open_file(path, "program file") as file, _opened(file, what) as archive:
        members = _members(archive, what)
        graph = GraphReader(parse_json(bytes(members[_MODEL]), f"member {_MODEL} of {what}"), what)
        configs = {folder: _tensors(members, folder, what) for folder in (_WEIGHTS, _CONSTANTS)}
    stored = {name: entry for config in configs.values() for name, entry in config.items()}
    model = graph.cleaned(stored, in_spec, out_spec)
    return _written(members, model, configs)


def _opened(file: Any, what: str) -> zipfile.ZipFile:
    try:
        return open_archive(file, what)
    except DesignFileError as error:
        if str(error) == f"{what} is truncated or not a zip archive":
            raise DesignFileError(f"{what} must be written by torch.export.save") from None
        raise


def _members(archive: zipfile.ZipFile, what: str) -> dict[str, bytearray]:
    """Members by their name without the folder that all of them are in."""
    roots = {info.filename.partition("/")[0] for info in archive.infolist()}
    names = {info.filename.partition("/")[2]: info for info in archive.infolist()}
    if len(roots) != 1 or _FORMAT not in names:
        raise DesignFileError(f"{what} must be written by torch.export.save")
    for name in (_MODEL, *_CONFIGS.values()):
        if name not in names:
            raise DesignFileError(f"{what} must have a member {name}")
    parsed = sum(names[name].file_size for name in (_MODEL, *_CONFIGS.values()))
    if parsed > _JSON_LIMIT_BYTES:
        rule = f"must have at most {_JSON_LIMIT_BYTES} bytes of JSON, not {parsed}"
        raise DesignFileError(f"{what} {rule}")
    members = {}
    for name, info in names.items():
        if name in _LEGACY:
            raise DesignFileError(
                f"{what} must not have pickled weights, {name}: save it with a present PyTorch"
            )
        known = name in (_MODEL, _FORMAT, "archive_version", *_CONFIGS.values())
        if not known and not name.startswith((*_UNUSED, f"{_WEIGHTS}/", f"{_CONSTANTS}/")):
            raise DesignFileError(f"{what} must not have a member {name!r}")
        if info.compress_type != zipfile.ZIP_STORED:
            raise DesignFileError(f"member {name!r} of {what} must be stored, not compressed")
        if not name.startswith(_UNUSED):
            members[name] = read_member(archive, info, what)
    return members


def _tensors(members: Mapping[str, bytearray], folder: str, what: str) -> dict[str, dict[str, Any]]:
    """Entries of a folder's tensors by name, each checked against its member."""
    member = _CONFIGS[folder]
    document = parse_json(bytes(members[member]), f"member {member} of {what}")
    config = document.get("config") if isinstance(document, dict) else None
    if not isinstance(config, dict):
        raise DesignFileError(f"member {member} of {what} must have an object config")
    allowed = 4 * sum(map(len, members.values())) + (1 << 20)
    entries = {}
    for name, entry in config.items():

        def refuse(rule: str, name: str = name) -> Never:
            raise DesignFileError(f"tensor {name[:80]!a} of {what} {rule}")

        entries[name] = _entry(members, folder, name, entry, refuse)
        meta = entries[name]["tensor_meta"]
        sizes = [size["as_int"] for size in meta["sizes"]]
        allowed -= math.prod(sizes) * _ITEM_BYTES[meta["dtype"]]
    if allowed < 0:  # many names may share a member
        raise DesignFileError(f"tensors of {what} must not be larger than its members by far")
    return entries


def _entry(
    members: Mapping[str, bytearray],
    folder: str,
    name: str,
    entry: Any,
    refuse: Callable[[str], Never],
) -> dict[str, Any]:
    parts = name.split(".")
    if not all(part.isascii() and part.isprintable() and part[:2] != "__" for part in parts):
        refuse("must have a plain name")
    if not isinstance(entry, dict) or entry.get("use_pickle") is not False:
        refuse("must be plain data, not pickled")
    file, meta = entry.get("path_name"), entry.get("tensor_meta")
    prefix = "weight_" if folder == _WEIGHTS else "tensor_"
    if not isinstance(file, str) or not file.startswith(prefix) or "/" in file:
        refuse(f"must be in a member called {prefix}…, not a custom or opaque object")
    if f"{folder}/{file}" not in members:
        refuse(f"must be in a member of the file, not {file[:40]!a}")
    if not isinstance(meta, dict) or meta.get("layout") != _STRIDED:
        refuse("must be strided")
    dtype = meta.get("dtype")
    if type(dtype) is not int or dtype not in _ITEM_BYTES:
        refuse("must hold integers or floating point")
    sizes, strides = (_numbers(meta.get(field), field, refuse) for field in ("sizes", "strides"))
    (offset,) = _numbers([meta.get("storage_offset")], "storage_offset", refuse)
    if len(sizes) != len(strides):
        refuse("must have a stride for each size")
    there = len(members[f"{folder}/{file}"])
    last = offset + sum((n - 1) * step for n, step in zip(sizes, strides, strict=True))
    if math.prod(sizes) > there or min(sizes, default=1) < 1 or last >= there // _ITEM_BYTES[dtype]:
        refuse(f"must be within the {there} bytes of its member, not of sizes {sizes}")
    return {
        "path_name": file,
        "is_param": entry.get("is_param") is True,
        "use_pickle": False,
        "tensor_meta": {
            "dtype": dtype,
            "sizes": [{"as_int": n} for n in sizes],
            "requires_grad": False,
            "device": {"type": _CPU, "index": None},
            "strides": [{"as_int": n} for n in strides],
            "storage_offset": {"as_int": offset},
            "layout": _STRIDED,
        },
    }


def _numbers(items: Any, field: str, refuse: Callable[[str], Never]) -> list[int]:
    """Sizes, which must be numbers: text of a symbolic size would be evaluated."""
    numbers = []
    for item in items if isinstance(items, list) else [items]:
        value = item.get("as_int") if isinstance(item, dict) and len(item) == 1 else None
        if type(value) is not int or not 0 <= value < 1 << 31:
            refuse(f"must have {field} that are numbers, not symbolic")
        numbers.append(value)
    return numbers


def _written(
    members: Mapping[str, bytearray],
    model: bytes,
    configs: Mapping[str, Mapping[str, Mapping[str, Any]]],
) -> io.BytesIO:
    contents: dict[str, bytes | bytearray] = {
        _FORMAT: b"pt2",
        "archive_version": b"0",
        "byteorder": b"little",
        ".data/version": b"6\n",
        "data/sample_inputs/model.pt": b"",
        _MODEL: model,
    }
    for folder, config in configs.items():
        contents[_CONFIGS[folder]] = json.dumps({"config": dict(config)}).encode()
        for entry in config.values():
            name = f"{folder}/{entry['path_name']}"
            contents[name] = members[name]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in contents.items():
            archive.writestr(f"{_ROOT}/{name}", bytes(content))
    buffer.seek(0)
    return buffer

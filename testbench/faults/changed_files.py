"""Changes to files that a stranger could have made: of bytes, of values in a document, of archives."""

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["changed_archive", "changed_bytes", "changed_document", "changed_json"]

_WORDS = (0, 1, 2, 127, 128, 255, 1 << 15, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
_MOST_CHANGES = 5
_CHUNK = 64

_STRANGE: tuple[Callable[[], Any], ...] = (
    lambda: None,
    lambda: True,
    lambda: -1,
    lambda: 0,
    lambda: 0.5,
    lambda: 1 << 20,
    lambda: 1 << 31,
    lambda: 10**28,
    lambda: -(10**28),
    lambda: 1e308,
    lambda: float("nan"),
    lambda: float("inf"),
    lambda: "",
    lambda: "x",
    lambda: "a\0b",
    lambda: "../../x",
    lambda: "\x1b[2J\n",
    lambda: "9" * 5000,
    list,
    dict,
    lambda: [[[[]]]],
    lambda: [0] * 1000,
)
"""Values that a field of another type, or of a smaller range, may be given."""


def changed_bytes(rng: np.random.Generator, content: bytes, others: Sequence[bytes] = ()) -> bytes:
    """The content with one to five changes; parts of ``others`` may be put in."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, _MOST_CHANGES + 1))):
        if not data:
            break
        place = int(rng.integers(len(data)))
        length = int(rng.integers(1, _CHUNK))
        match int(rng.integers(9)):
            case 0 | 1:
                data[place] ^= 1 << int(rng.integers(8))
            case 2:
                data[place] = int(rng.integers(256))
            case 3 | 4:
                word = _WORDS[int(rng.integers(len(_WORDS)))]
                place -= place % 4
                data[place : place + 4] = word.to_bytes(4, "little")
            case 5:
                del data[place : place + length]
            case 6:
                data[place:place] = data[place : place + length]
            case 7:
                other = others[int(rng.integers(len(others)))] if others else content
                start = int(rng.integers(len(other)))
                data[place : place + length] = other[start : start + length]
            case 8:
                if rng.random() < 0.3:
                    del data[place:]
    return bytes(data)


def changed_document(rng: np.random.Generator, value: Any) -> Any:
    """A copy of a document with one to three fields changed, left out, added or exchanged."""
    for _ in range(int(rng.integers(1, 4))):
        value = _changed(rng, value, float(rng.random()))
    return value


def _changed(rng: np.random.Generator, value: Any, depth: float) -> Any:
    """Change a field of a document; ``depth`` in 0 … 1: how likely it is far from the root."""
    inner = isinstance(value, dict | list) and len(value) > 0
    if not inner or rng.random() > 0.55 + 0.4 * depth:
        return _strange(rng, value)
    if isinstance(value, dict):
        keys = list(value)
        key = keys[int(rng.integers(len(keys)))]
        choice = rng.random()
        if choice < 0.1:
            return {name: value[name] for name in keys if name != key}
        if choice < 0.2:
            return value | {f"{key}_": value[key]}
        return value | {key: _changed(rng, value[key], depth)}
    place = int(rng.integers(len(value)))
    choice = rng.random()
    if choice < 0.1:
        return [entry for i, entry in enumerate(value) if i != place]
    if choice < 0.2:
        return [*value, value[place]]
    return [_changed(rng, entry, depth) if i == place else entry for i, entry in enumerate(value)]


def _strange(rng: np.random.Generator, value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and rng.random() < 0.5:
        return value + int(rng.integers(-2, 3)) if rng.random() < 0.5 else value * 2
    if isinstance(value, float) and rng.random() < 0.5:
        return value * float(rng.choice([-1.0, 1e-30, 1e30, 1.5]))
    return _STRANGE[int(rng.integers(len(_STRANGE)))]()


def changed_json(rng: np.random.Generator, content: bytes) -> bytes:
    """A JSON text with changes to its values, or to its bytes."""
    if rng.random() < 0.2:
        return changed_bytes(rng, content)
    if rng.random() < 0.03:
        return b"[" * 100_000
    return json.dumps(changed_document(rng, json.loads(content))).encode()


def changed_archive(
    rng: np.random.Generator,
    content: bytes,
    change: Callable[[np.random.Generator, str, bytes], bytes],
) -> bytes:
    """A zip archive with changes to one member, to its directory, or to its bytes."""
    if rng.random() < 0.25:
        return changed_bytes(rng, content)
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        infos = archive.infolist()
        place = int(rng.integers(len(infos)))
        with zipfile.ZipFile(buffer, "w") as result:
            for i, info in enumerate(infos):
                name, data = info.filename, archive.read(info)
                if i == place:
                    choice = rng.random()
                    if choice < 0.05:
                        continue
                    if choice < 0.1:
                        name = f"{name}_"
                    elif choice < 0.15:
                        result.writestr(f"{name}.again", data)
                    else:
                        data = change(rng, name, data)
                compressed = i == place and rng.random() < 0.2
                result.writestr(
                    name, data, zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
                )
    return buffer.getvalue()

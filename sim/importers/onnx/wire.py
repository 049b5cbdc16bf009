"""Counting what is in an ONNX file before it is parsed: a message of two bytes takes a hundred of memory."""

from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor

from sim.importers.errors import UnsupportedModelError

__all__ = ["require_bounded"]

MAX_FIELDS = 1 << 20
"""Most fields in all messages of a file; the largest networks have some 100,000."""

MAX_NUMBERS = 1 << 23
"""Most numbers that are not kept as raw data: each takes some 16 bytes."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {_FIXED64: 8, _FIXED32: 4}
_PACKED_BYTES = {
    FieldDescriptor.CPPTYPE_FLOAT: 4,
    FieldDescriptor.CPPTYPE_DOUBLE: 8,
    FieldDescriptor.CPPTYPE_INT32: 1,
    FieldDescriptor.CPPTYPE_INT64: 1,
    FieldDescriptor.CPPTYPE_UINT64: 1,
}
"""Least bytes of a number in a list, by the type of its field."""


def require_bounded(content: bytes) -> None:
    """Refuse a model of very many fields or numbers; a damaged model passes, for its parser.

    Raises
    ------
    UnsupportedModelError
    """
    try:
        _count(content)
    except IndexError:
        return


def _count(content: bytes) -> None:
    fields = numbers = 0
    messages: list[tuple[int, int, Any]] = [(0, len(content), onnx.ModelProto.DESCRIPTOR)]
    while messages:
        position, end, kind = messages.pop()
        known = kind.fields_by_number
        while position < end:
            fields += 1
            if fields > MAX_FIELDS:
                raise UnsupportedModelError(f"model must have at most {MAX_FIELDS} fields")
            key, position = _varint(content, position)
            form, field = key & 7, known.get(key >> 3)
            if form == _VARINT:
                _, position = _varint(content, position)
            elif form in _FIXED_BYTES:
                position += _FIXED_BYTES[form]
            elif form == _BYTES:
                size, position = _varint(content, position)
                if position + size > end:
                    raise IndexError
                if field is not None and field.message_type is not None:
                    messages.append((position, position + size, field.message_type))
                elif field is not None:
                    numbers += size // _PACKED_BYTES.get(field.cpp_type, size + 1)
                position += size
            else:  # groups, which the format does not have
                raise IndexError
            if numbers > MAX_NUMBERS:
                rule = f"must have at most {MAX_NUMBERS} numbers outside of raw data"
                raise UnsupportedModelError(f"model {rule}")


def _varint(content: bytes, position: int) -> tuple[int, int]:
    """A number and the position behind it."""
    value = shift = 0
    while True:
        byte = content[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
        shift += 7
        if shift > 63:
            raise IndexError

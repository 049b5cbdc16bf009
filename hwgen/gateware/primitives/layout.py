"""Bit layouts of the descriptors, built from the field table in ``sim.spec.descriptor``."""

from amaranth.hdl import Shape, signed, unsigned
from amaranth.lib import data

from sim.spec.descriptor import Queue, fields_of

__all__ = ["descriptor_layout", "execute_layout", "field_shapes", "load_layout", "store_layout"]


def descriptor_layout(queue: Queue, *, tables: bool = False) -> data.StructLayout:
    """Layout of one queue's descriptors: the fields from bit 0 up, with ``tables`` those of activation tables, too."""
    return data.StructLayout(
        {
            field.name: signed(field.bits) if field.signed else unsigned(field.bits)
            for field in fields_of(queue, tables=tables)
        }
    )


def field_shapes(queue: Queue, *names: str) -> dict[str, Shape]:
    """Shapes of some of a queue's fields by their names, for the layouts of parts that take no others."""
    members = descriptor_layout(queue).members
    return {name: Shape.cast(members[name]) for name in names}


def load_layout(*, tables: bool = False) -> data.StructLayout:
    """Layout of a LOAD descriptor."""
    return descriptor_layout(Queue.LOAD, tables=tables)


def execute_layout() -> data.StructLayout:
    """Layout of an EXECUTE descriptor."""
    return descriptor_layout(Queue.EXECUTE)


def store_layout() -> data.StructLayout:
    """Layout of a STORE descriptor."""
    return descriptor_layout(Queue.STORE)

"""DRAMs in files: the schema, what is made of it, and the DRAMs that have a name."""

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from importlib import resources
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import Field, create_model

from sim.spec.documents import Record, checked
from sim.spec.dram_system import DramController, DramPolicy, DramSystem
from sim.spec.dram_timing import SYMBOLS, DramTiming, Interval
from sim.spec.errors import DesignFileError
from sim.spec.rules import Choice, Integer, Name, Number, Text

__all__ = ["DRAM_PRESETS", "DramController", "DramPolicy", "DramSystem", "dram_of"]

_CLOCKS = Integer(0, 1 << 16)
_COUNT = Integer(0, 1 << 16)
_NS = Number(0, 100_000)

PRESET_ORDER = ("lpddr4-3200", "ddr4-2400", "ddr3-1600", "hbm2-2000")


class _IntervalRecord(Record):
    clocks: Annotated[int, _CLOCKS] = 0
    ns: Annotated[float, _NS] = 0.0


def _timing_record() -> type[Record]:
    """Schema of the intervals, a field for each of :class:`DramTiming` under the standards' name."""
    rules: dict[str, Any] = {}
    for item in fields(DramTiming):
        symbol = SYMBOLS[item.name]
        if item.default is MISSING:
            rules[item.name] = (_IntervalRecord, Field(alias=symbol))
        else:
            rules[item.name] = (_IntervalRecord | None, Field(alias=symbol, default=None))
    return create_model("_TimingRecord", __base__=Record, **rules)


_TIMING = _timing_record()


class _ControllerRecord(Record):
    policy: Annotated[str, Choice(tuple(DramPolicy))] = DramPolicy.IN_ORDER.value
    front: _IntervalRecord | None = None
    back: _IntervalRecord | None = None
    write_bursts: Annotated[int, _COUNT] | None = None
    queue: Annotated[int, _COUNT] | None = None
    write_high: Annotated[int, _COUNT] | None = None
    write_low: Annotated[int, _COUNT] | None = None
    starvation: Annotated[int, _CLOCKS] | None = None


class _DramRecord(Record):
    kind: Annotated[str, Choice(("dram",))]
    name: Annotated[str, Name(64)]
    standard: Annotated[str, Name(32)]
    source: Annotated[str, Text(1000)] = ""
    clock_mhz: Annotated[int, _COUNT]
    channel_bits: Annotated[int, _COUNT]
    most_channels: Annotated[int, _COUNT] = 16
    burst_length: Annotated[int, _COUNT]
    page_bytes: Annotated[int, _COUNT]
    banks: Annotated[int, _COUNT]
    bank_groups: Annotated[int, _COUNT] = 1
    timing: dict[str, Any]
    controller: _ControllerRecord = _ControllerRecord()


def dram_of(data: Any, where: str = "memory") -> DramSystem:
    """DRAM of a JSON or TOML object whose ``kind`` is ``dram``.

    Raises
    ------
    DesignFileError
        One line that names the field, the rule and the value.
    """
    record = checked(_DramRecord, data, where)
    intervals = checked(_TIMING, record.timing, f"{where}.timing")
    values = {name: getattr(record, name) for name in _DramRecord.model_fields if name != "kind"}
    values["timing"] = DramTiming(**_given(intervals))
    try:
        policy = DramPolicy(record.controller.policy)
        controller = _given(record.controller) | {"policy": policy}
        return DramSystem(**values | {"controller": DramController(**controller)})
    except ValueError as error:
        raise DesignFileError(f"{where}.{error}") from None


def _given(record: Record) -> dict[str, Any]:
    """Fields of a record that are not None, intervals as such."""
    return {
        name: Interval(clocks=value.clocks, ns=value.ns)
        if isinstance(value, _IntervalRecord)
        else value
        for name, value in record
        if value is not None
    }


def _presets() -> Mapping[str, DramSystem]:
    presets: dict[str, DramSystem] = {}
    for name in PRESET_ORDER:
        file = resources.files("sim.spec") / "drams" / f"{name}.toml"
        system = dram_of(tomllib.loads(file.read_text(encoding="utf-8")), f"{name}.toml")
        for policy in DramPolicy:
            own = replace(system, controller=replace(system.controller, policy=policy))
            presets[str(own)] = own
    return presets


DRAM_PRESETS: Mapping[str, DramSystem] = MappingProxyType(_presets())
"""DRAMs that have a name, each with either controller; ``dram`` stands for the first."""

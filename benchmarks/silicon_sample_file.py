"""Samples of silicon in a file, from which fits are made anew without synthesis."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from hwgen.synthesis.samples import DesignSample, ModuleSample, TargetSamples
from hwgen.synthesis.silicon_fitting import fit_samples
from sim.cost.silicon_fit import FIGURES, SiliconFits
from sim.cost.silicon_origin import (
    SCHEMA,
    OriginRecord,
    SiliconOrigin,
    TargetRecord,
    origin_fields,
    target_fields,
)
from sim.spec.accelerator_record import accelerator_of
from sim.spec.archives import read_bytes
from sim.spec.documents import DOCUMENT_LIMIT_BYTES, Record, checked, parse_json
from sim.spec.errors import DesignFileError
from sim.spec.files import write_atomic
from sim.spec.rules import Integer, Name, Number, shown

__all__ = ["SampleFile", "load_samples", "save_samples"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFile(SiliconOrigin):
    """Mapped accelerators of a gateware and where they are from.

    Parameters
    ----------
    gateware_hash, tool, spaces, seed
        As of :class:`~sim.cost.silicon_origin.SiliconOrigin`.
    targets : sequence of TargetSamples
    """

    targets: Sequence[TargetSamples]

    def fits(self) -> SiliconFits:
        """Fit every target."""
        fits = [fit_samples(samples) for samples in self.targets]
        return SiliconFits(**origin_fields(self), fits=fits)

    def to_json(self) -> dict[str, Any]:
        """Content of the file, as a JSON object; equal modules of a target stand there once."""
        return {
            "schema": SCHEMA,
            **origin_fields(self),
            "targets": [_target_json(samples) for samples in self.targets],
        }


def _target_json(samples: TargetSamples) -> dict[str, Any]:
    places: dict[tuple[Any, ...], int] = {}

    def design(sample: DesignSample) -> dict[str, Any]:
        modules = []
        for module in sample.modules:
            figures = tuple(float(f"{value:.9g}") for value in module.figures.values())
            key = (module.kind, module.size, tuple(module.figures), figures)
            modules.append([places.setdefault(key, len(places)), module.instances])
        return {"accelerator": sample.config.to_json(), "modules": modules}

    parts = {
        "fitted": [design(sample) for sample in samples.fitted],
        "held_out": [design(sample) for sample in samples.held_out],
    }
    return {
        **target_fields(samples),
        "modules": [
            {"kind": kind, "size": size, "figures": dict(zip(names, figures, strict=True))}
            for kind, size, names, figures in places
        ],
        **parts,
    }


class _ModuleRecord(Record):
    kind: Annotated[str, Name()]
    size: str
    figures: dict[str, Annotated[float, Number(0, 1e12)]]


class _DesignRecord(Record):
    accelerator: dict[str, Any]
    modules: list[list[Annotated[int, Integer(0, 1_000_000)]]]


class _TargetRecord(TargetRecord):
    modules: list[_ModuleRecord]
    fitted: list[_DesignRecord]
    held_out: list[_DesignRecord]


class _FileRecord(OriginRecord):
    targets: list[_TargetRecord]


def save_samples(file: SampleFile, path: Path) -> None:
    """Write a file of samples: a module or an accelerator a line."""
    write_atomic(path, _text(file.to_json()))


def _text(document: Mapping[str, Any]) -> str:
    """JSON with a line for every item of a target's lists."""
    targets = []
    for target in document["targets"]:
        fields = []
        for name, value in target.items():
            if isinstance(value, list):
                rows = ",\n   ".join(json.dumps(row) for row in value)
                fields.append(f'  "{name}": [\n   {rows}\n  ]' if value else f'  "{name}": []')
            else:
                fields.append(f'  "{name}": {json.dumps(value)}')
        targets.append(" {\n" + ",\n".join(fields) + "\n }")
    head = [f' "{name}": {json.dumps(document[name])}' for name in document if name != "targets"]
    return "{\n" + ",\n".join([*head, ' "targets": [\n' + ",\n".join(targets) + "\n ]"]) + "\n}\n"


def load_samples(path: Path) -> SampleFile:
    """Read a file of samples.

    Raises
    ------
    DesignFileError
        One line that names the file, the rule and the value.
    """
    what = f"silicon samples {path}"
    data = parse_json(read_bytes(path, "silicon samples", DOCUMENT_LIMIT_BYTES), what)
    record = checked(_FileRecord, data, what)
    return SampleFile(
        **origin_fields(record),
        targets=[
            _target(target, f"{what}.targets[{place}]")
            for place, target in enumerate(record.targets)
        ],
    )


def _target(record: _TargetRecord, where: str) -> TargetSamples:
    for place, module in enumerate(record.modules):
        for name in module.figures:
            if name not in FIGURES:
                rule = f"must have figures {', '.join(FIGURES)}"
                raise DesignFileError(f"{where}.modules[{place}] {rule}, not {shown(name)}")

    def design(row: _DesignRecord) -> DesignSample:
        modules = []
        for pair in row.modules:
            if len(pair) != 2 or pair[0] >= len(record.modules):
                rule = f"must be a place below {len(record.modules)} and a number of instances"
                raise DesignFileError(f"{where}: module {rule}, not {shown(pair)}")
            place, instances = pair
            module = record.modules[place]
            modules.append(
                ModuleSample(
                    kind=module.kind,
                    size=module.size,
                    instances=instances,
                    figures=module.figures,
                )
            )
        return DesignSample(config=accelerator_of(row.accelerator), modules=modules)

    return TargetSamples(
        **target_fields(record),
        fitted=[design(row) for row in record.fitted],
        held_out=[design(row) for row in record.held_out],
    )

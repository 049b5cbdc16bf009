"""Modules of an emitted accelerator as texts, each to be mapped on its own."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hwgen.emit import Emission
from hwgen.memory_modules import FLIP_FLOP_ROWS, MEMORY_PRIMITIVES, MemoryModule, MemoryStyle
from hwgen.verilog.module_text import InstanceText, ModuleText

__all__ = ["MacroShape", "ModuleSource", "macro_shapes", "module_sources"]

_SUFFIX = re.compile(r"_[0-9a-f]{8}$")
"""End of the names of one configuration's modules."""

_SHAPE = ("WIDTH", "DEPTH", "ADDRESS_BITS")


@dataclass(frozen=True, slots=True, kw_only=True)
class MacroShape:
    """Memory that a macro stands for: bits of a row, rows and ports."""

    width: int
    rows: int
    ports: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleSource:
    """Text of a module that is mapped on its own.

    Its names do not tell the configuration, so that accelerators share the modules that are alike.

    Parameters
    ----------
    name : str
        A memory's ends with its rows and bits.
    module : str
        Name in the text.
    text : str
        The module and those that only it has, Verilog-2005.
    boxes : str
        Modules and memories that it instantiates and that are mapped elsewhere, or are macros.
    parameters : mapping of str to int
        Of a memory.
    children : mapping of str to int
        Modules that are mapped elsewhere, by name, and how many of them the module has.
    macros : mapping of MacroShape to int
        Memories that are macros, and how many of them the module has.
    """

    name: str
    module: str
    text: str
    boxes: str
    parameters: Mapping[str, int]
    children: Mapping[str, int]
    macros: Mapping[MacroShape, int]


def module_sources(emission: Emission, style: MemoryStyle) -> list[ModuleSource]:
    """Modules of an accelerator, those below a module before it, memories first.

    A module that only its parent has is taken into it. A memory that is an array is a module by its size.

    Parameters
    ----------
    emission : Emission
        In the synthesis view.
    style : MemoryStyle
        That it was emitted with.
    """
    suffix = "".join(_SUFFIX.findall(emission.top))
    texts = {part.name: part for part in emission.modules}
    memories = {part.name: part for part in emission.memories}
    shared = _shared(emission.modules)
    arrays: dict[str, ModuleSource] = {}
    sources = []
    for name in shared:
        parts = [texts[part] for part in (name, *_private(name, texts, shared))]
        children: Counter[str] = Counter()
        macros: Counter[MacroShape] = Counter()
        boxes = []
        for instance in (instance for part in parts for instance in part.instances):
            if instance.module in memories:
                if style is MemoryStyle.MACRO and instance.parameters["DEPTH"] > FLIP_FLOP_ROWS:
                    macros[_macro_shape(instance)] += 1
                else:
                    array = _array(instance, memories[instance.module])
                    arrays[array.name] = array
                    children[array.name] += 1
                boxes.append(memories[instance.module].text)
            elif instance.module in shared:
                children[instance.module.removesuffix(suffix)] += 1
                boxes.append(texts[instance.module].text)
        sources.append(
            ModuleSource(
                name=name.removesuffix(suffix),
                module=name.removesuffix(suffix),
                text="\n".join(part.text for part in parts).replace(suffix, ""),
                boxes="\n".join(dict.fromkeys(boxes)).replace(suffix, ""),
                parameters={},
                children=children,
                macros=macros,
            )
        )
    return [*(arrays[name] for name in sorted(arrays)), *sources]


def macro_shapes(emission: Emission) -> Counter[MacroShape]:
    """Memories of an accelerator that are not flip-flops, and how many of them it has."""
    counts: Counter[str] = Counter({emission.top: 1})
    shapes: Counter[MacroShape] = Counter()
    for part in reversed(emission.modules):  # those around a module come before it
        for instance in part.instances:
            counts[instance.module] += counts[part.name]
            if _is_memory(instance) and instance.parameters["DEPTH"] > FLIP_FLOP_ROWS:
                shapes[_macro_shape(instance)] += counts[part.name]
    return shapes


def _is_memory(instance: InstanceText) -> bool:
    return instance.kind in MEMORY_PRIMITIVES


def _macro_shape(instance: InstanceText) -> MacroShape:
    ports = 1 if instance.kind == MEMORY_PRIMITIVES[1] else 2
    return MacroShape(
        width=instance.parameters["WIDTH"], rows=instance.parameters["DEPTH"], ports=ports
    )


def _array(instance: InstanceText, memory: MemoryModule) -> ModuleSource:
    """Memory that is mapped, of one size."""
    width, depth = instance.parameters["WIDTH"], instance.parameters["DEPTH"]
    return ModuleSource(
        name=f"{memory.name}_{depth}x{width}",
        module=memory.name,
        text=memory.text,
        boxes="",
        parameters={key: instance.parameters[key] for key in _SHAPE},
        children={},
        macros={},
    )


def _shared(modules: Sequence[ModuleText]) -> dict[str, None]:
    """Modules that stand for themselves: in the gateware's netlist not named after their only parent."""
    private = {
        instance.module for part in modules for instance in part.instances if "." in instance.kind
    }
    return dict.fromkeys(part.name for part in modules if part.name not in private)


def _private(
    name: str, texts: Mapping[str, ModuleText], shared: Mapping[str, None]
) -> Iterator[str]:
    """Modules below a module that no other has."""
    below = {instance.module for instance in texts[name].instances}
    for part in texts:
        if part in below and part not in shared:
            yield part
            yield from _private(part, texts, shared)

"""The page of the command line, made from the signatures of the commands."""

import inspect
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from typer.models import ArgumentInfo, OptionInfo

from cosilico.cli import app
from cosilico.pages.table import anchor, markdown_table

__all__ = ["COMMANDS_PAGE", "CommandOption", "command_options", "commands", "commands_page"]

COMMANDS_PAGE = "docs/reference/commands.md"

_HEAD = """\
# The command line

This page lists every command with all of its arguments and options. [Running commands](running.md) has the rules for all of them: folders,
files, exit status, interrupts, cache. `--debug` anywhere on the line prints the traceback of an error, `-h` or `--help` the help of a command, and `cosilico --version` the version. After `cosilico --install-completion`, the shell completes commands, options and names; `cosilico --show-completion` prints the script for this.

"""

_KINDS = {int: "integer", float: "number", str: "text", Path: "path"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOption:
    """An argument or option of a command.

    Parameters
    ----------
    names : tuple of str
        As on the command line; of an argument its metavariable.
    is_argument : bool
    values : str
        Metavariable, choices or kind with its range; empty for a flag.
    default : str
        In words; empty where it is nothing or off.
    required : bool
    meaning : str
    """

    names: tuple[str, ...]
    is_argument: bool
    values: str
    default: str
    required: bool
    meaning: str


def commands() -> dict[str, Callable[..., Any]]:
    """Functions of all commands by name, in the order of ``cosilico --help``."""
    functions = {}
    for command in app.registered_commands:
        callback = command.callback
        assert callback is not None
        functions[command.name or callback.__name__.replace("_", "-")] = callback
    return functions


def command_options(command: Callable[..., Any]) -> Iterator[CommandOption]:
    """Yield the arguments and options of a command, in the order of its signature."""
    hints = typing.get_type_hints(command, include_extras=True)
    for name, parameter in inspect.signature(command).parameters.items():
        kind, *extras = typing.get_args(hints[name])
        (info,) = (extra for extra in extras if isinstance(extra, ArgumentInfo | OptionInfo))
        yield _option(name, kind, info, parameter.default)


def commands_page() -> str:
    """Markdown of the page."""
    every = commands()
    rows = [(f"[`{name}`](#{anchor(f'cosilico {name}')})", _summary(every[name])) for name in every]
    parts = [_HEAD, markdown_table(["command", "does"], rows)]
    for name, command in every.items():
        parts.append(f"\n## `cosilico {name}`\n\n{inspect.getdoc(command)}\n\n")
        options = list(command_options(command))
        parts.append(f"```text\n{_usage(name, options)}\n```\n\n")
        cells = [
            (
                ", ".join(f"`{word}`" for word in option.names),
                option.values if not option.is_argument else "",
                "**required**" if option.required else option.default,
                option.meaning,
            )
            for option in options
        ]
        parts.append(markdown_table(["argument or option", "value", "default", "meaning"], cells))
    return "".join(parts)


def _option(name: str, hint: Any, info: ArgumentInfo | OptionInfo, default: Any) -> CommandOption:
    kind, several = _kind(hint)
    is_argument = isinstance(info, ArgumentInfo)
    required = default is inspect.Parameter.empty
    flag = kind is bool
    if is_argument:
        word = (info.metavar or name.upper()).strip("[]")
        names: tuple[str, ...] = (f"{word} …" if several else word,)
    else:
        plain = f"--{name.replace('_', '-')}"
        # A name that stands first in Option is its default to typer
        given = (info.default, *(info.param_decls or ()))
        declared = tuple(x for x in given if isinstance(x, str) and x.startswith("-"))
        names = declared or ((plain, f"--no-{plain[2:]}") if flag else (plain,))
        names = tuple(part for word in names for part in word.split("/"))
    return CommandOption(
        names=names,
        is_argument=is_argument,
        values="" if flag else _values(kind, info) + (", may be repeated" if several else ""),
        default="" if required else _default(info, default),
        required=required,
        meaning=info.help or "",
    )


def _kind(hint: Any) -> tuple[Any, bool]:
    """Type of a value without None, and whether there may be several of it."""
    if isinstance(hint, types.UnionType):
        (hint,) = (part for part in typing.get_args(hint) if part is not types.NoneType)
    if typing.get_origin(hint) is list:
        return typing.get_args(hint)[0], True
    return hint, False


def _values(kind: Any, info: ArgumentInfo | OptionInfo) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return ", ".join(f"`{member.value}`" for member in kind)
    least, most = info.min, info.max
    text = _KINDS[kind] if info.metavar is None else f"`{info.metavar}`"
    if least is None and most is None:
        return text
    bounds = f"{least if least is not None else ''} … {most if most is not None else ''}".strip()
    return f"{text}, {bounds}"


def _default(info: ArgumentInfo | OptionInfo, default: Any) -> str:
    if isinstance(info.show_default, str):
        return info.show_default
    if default is None or default is False:
        return ""
    if default is True:
        return "on"
    return f"`{default.value if isinstance(default, Enum) else default}`"


def _summary(command: Callable[..., Any]) -> str:
    return (inspect.getdoc(command) or "").partition("\n\n")[0].replace("\n", " ")


def _usage(name: str, options: list[CommandOption]) -> str:
    words = [f"cosilico {name}"]
    for option in options:
        if option.is_argument:
            (word,) = option.names
            words.append(word if option.required else f"[{word}]")
        elif option.required:
            words.append(f"{option.names[0]} {option.values.strip('`')}")
    return " ".join([*words, "[options]"])

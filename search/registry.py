"""Registries: names that an experiment can give, each with the settings that it takes."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Generic, TypeVar

from search.sections import Section

__all__ = ["Entry", "Registry"]

Settings = TypeVar("Settings", bound=Section)
Product = TypeVar("Product")


@dataclass(frozen=True, slots=True)
class Entry(Generic[Settings, Product]):
    """Settings and implementation that a name stands for.

    Parameters
    ----------
    settings : type of Section
        Fields that its section of an experiment may hold.
    implementation : callable or str
        Makes it, from its settings as the last argument. A text ``"module:name"`` is imported when
        it is first made, so that an experiment can be checked without torch.
    """

    settings: type[Settings]
    implementation: Callable[..., Product] | str

    def make(self, *arguments: Any) -> Product:
        """Call the implementation, which is imported first if need be."""
        if isinstance(self.implementation, str):
            module, name = self.implementation.split(":")
            product: Product = getattr(import_module(module), name)(*arguments)
            return product
        return self.implementation(*arguments)


class Registry(Mapping[str, Entry[Settings, Product]], Generic[Settings, Product]):
    """Entries by name, in the order of registration; the first is an experiment's default.

    Parameters
    ----------
    kind : str
        Word for an entry, for errors.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._entries: dict[str, Entry[Settings, Product]] = {}

    @property
    def default(self) -> Entry[Settings, Product]:
        """The entry that was registered first."""
        return next(iter(self._entries.values()))

    def register(
        self,
        name: str,
        settings: type[Settings],
        implementation: Callable[..., Product] | str,
    ) -> None:
        """Add an entry.

        Raises
        ------
        ValueError
            If the name is taken.
        """
        if name in self._entries:
            raise ValueError(f"name of a {self._kind} must not be taken, not {name!r}")
        self._entries[name] = Entry(settings, implementation)

    def __getitem__(self, name: str) -> Entry[Settings, Product]:
        """Return the entry of a name."""
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        """Names in order."""
        return iter(self._entries)

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self._entries)

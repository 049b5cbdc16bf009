"""Graphs of conjunctions and negations (AIGs): functions of named bits, for proofs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["FALSE", "TRUE", "AndGraph"]

FALSE, TRUE = 0, 1
"""Literals of the constants."""


class AndGraph:
    """Functions of named bits; equal conjunctions are there once.

    A literal is twice the number of its node, and odd if it is negated. Node 0 is false.
    """

    def __init__(self) -> None:
        self.bits: dict[str, int] = {}
        """Literals of the named bits."""
        self.operands: dict[int, tuple[int, int]] = {}
        """Literals that a node is the conjunction of, in an order in which operands come first."""
        self._known: dict[tuple[int, int], int] = {}
        self._size = 1

    def bit(self, name: str) -> int:
        """Literal of a named bit."""
        if name not in self.bits:
            self.bits[name] = self._node()
        return self.bits[name]

    def both(self, left: int, right: int) -> int:
        """Literal of a conjunction."""
        left, right = min(left, right), max(left, right)
        if left == FALSE or left ^ 1 == right:
            return FALSE
        if left in (TRUE, right):
            return right
        if (left, right) not in self._known:
            self._known[left, right] = self._node()
            self.operands[self._known[left, right] >> 1] = (left, right)
        return self._known[left, right]

    def choice(self, select: int, high: int, low: int) -> int:
        """Literal of ``high`` where ``select`` is true, and else of ``low``."""
        if high == low:
            return high
        return self.both(self.both(select, high) ^ 1, self.both(select ^ 1, low) ^ 1) ^ 1

    def function(self, table: int, inputs: Sequence[int]) -> int:
        """Literal of a truth table: its bit i is the value for the inputs that are the bits of i."""
        if not inputs:
            return table & 1
        half = 1 << (len(inputs) - 1)
        high, low = table >> half, table & ((1 << half) - 1)
        *lower, select = inputs
        if high == low:
            return self.function(low, lower)
        return self.choice(select, self.function(high, lower), self.function(low, lower))

    def with_values(self, literals: Sequence[int], values: Mapping[str, int]) -> list[int]:
        """Literals of functions in which some bits have a value."""
        places = {self.bits[name] >> 1: value for name, value in values.items()}
        for node in self._below(literals):
            left, right = (
                places.get(literal >> 1, literal & ~1) ^ (literal & 1)
                for literal in self.operands[node]
            )
            places[node] = self.both(left, right)
        return [places.get(literal >> 1, literal & ~1) ^ (literal & 1) for literal in literals]

    def support(self, literals: Sequence[int]) -> set[str]:
        """Named bits that functions are made of."""
        nodes = {literal >> 1 for literal in literals}
        for node in self._below(literals):
            nodes |= {literal >> 1 for literal in self.operands[node]}
        return {name for name, literal in self.bits.items() if literal >> 1 in nodes}

    def numbered(
        self, literals: Sequence[int], bits: Sequence[str]
    ) -> tuple[list[tuple[int, int]], list[int]]:
        """Conjunctions below some functions, numbered in turn behind some bits, which are numbered from 1 on.

        Returns
        -------
        conjunctions : list of (int, int)
        literals : list of int
            In the new numbers.
        """
        places = {0: 0} | {self.bits[name] >> 1: 1 + place for place, name in enumerate(bits)}

        def placed(literal: int) -> int:
            return 2 * places[literal >> 1] | literal & 1

        conjunctions: list[tuple[int, int]] = []
        for node in self._below(literals):
            left, right = map(placed, self.operands[node])
            places[node] = 1 + len(bits) + len(conjunctions)
            conjunctions.append((left, right))
        return conjunctions, [placed(literal) for literal in literals]

    def write(self, file: Path, literals: Sequence[int]) -> None:
        """Write functions as binary AIGER, with all named bits as inputs."""
        names = list(self.bits)
        conjunctions, outputs = self.numbered(literals, names)
        last = len(names) + len(conjunctions)
        head = f"aig {last} {len(names)} 0 {len(outputs)} {len(conjunctions)}\n"
        text = head + "".join(f"{literal}\n" for literal in outputs)
        coded = bytearray()
        for place, (left, right) in enumerate(conjunctions, 1 + len(names)):
            high, low = max(left, right), min(left, right)
            for delta in (2 * place - high, high - low):
                while delta >= 0x80:
                    coded.append(delta & 0x7F | 0x80)
                    delta >>= 7
                coded.append(delta)
        file.write_bytes(text.encode() + coded)

    def _node(self) -> int:
        self._size += 1
        return 2 * (self._size - 1)

    def _below(self, literals: Sequence[int]) -> list[int]:
        """Conjunctions that functions are made of, operands first."""
        seen: set[int] = set()
        waiting = [literal >> 1 for literal in literals]
        while waiting:
            node = waiting.pop()
            if node in self.operands and node not in seen:
                seen.add(node)
                waiting += [literal >> 1 for literal in self.operands[node]]
        return sorted(seen)

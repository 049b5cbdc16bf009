"""slang, a front end that shares nothing with Yosys, Verilator or Icarus, on emitted text."""

from collections.abc import Sequence
from dataclasses import dataclass

from pyslang import Bag, DiagnosticEngine
from pyslang.ast import Compilation, CompilationOptions
from pyslang.syntax import SyntaxTree

__all__ = ["Remark", "elaborate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Error or warning.

    Parameters
    ----------
    error : bool
    rule : str
        Name in slang, such as "width-trunc".
    line : str
        The text's line.
    """

    error: bool
    rule: str
    line: str


def elaborate(texts: Sequence[str], top: str) -> list[Remark]:
    """Elaborate texts as one design; return everything that slang has to say, hints included."""
    trees = [SyntaxTree.fromText(text) for text in texts]
    options = CompilationOptions()
    options.topModules = {top}
    compilation = Compilation(Bag([options]))
    for tree in trees:
        compilation.addSyntaxTree(tree)
    sources = compilation.sourceManager
    engine = DiagnosticEngine(sources)
    remarks = []
    for diagnostic in compilation.getAllDiagnostics():
        place = diagnostic.location
        number = sources.getLineNumber(place)
        text = sources.getSourceText(place.buffer).split("\n")[number - 1]
        remarks.append(
            Remark(
                error=diagnostic.isError(),
                rule=engine.getOptionName(diagnostic.code),
                line=text.strip(),
            )
        )
    return remarks

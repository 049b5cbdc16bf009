"""Checker of the house English in names, docstrings and comments.

Run as ``python tests/support/house_english.py [PATH …]``; ``make lint`` does so on all code. The rules:

``opening``
    The first line of a docstring stands alone. It does not open with "Of", "What", "The same", "As" or
    "Like", and it ends with a period. Test functions are left out: their names say what they show.
``name``
    A name that the code binds has none of ``BANNED_WORDS``, does not begin with "new" or "my", and has
    "one" only as a number: before another word. Test functions are left out, and ``STANDARD_NAMES``.
``prose``
    A docstring or comment does not say "found" or "ones", and says "one" only as a number: before a
    noun, or in the phrases of ``PHRASES``. Words in quotes and text in backquotes are left out.

If a rule has more violations in a package than ``house_english.json`` allows, all are printed as
``path:line: rule: text``, and the exit status is 1. With ``--record`` the present counts become what
is allowed, where they are smaller.
"""

import ast
import io
import json
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from project_root import ROOT

__all__ = [
    "BANNED_WORDS",
    "CODE",
    "PHRASES",
    "STANDARD_NAMES",
    "Violation",
    "allowed_counts",
    "check_paths",
    "check_source",
    "counts",
    "excess",
    "record",
]

Rule = Literal["opening", "name", "prose"]

CODE = ("search", "hwgen", "sim", "testbench", "cosilico", "benchmarks", "examples", "tests")
"""Folders that are checked."""

OPENINGS = re.compile(r"(Of|What|The same|As|Like)\b")

BANNED_WORDS = frozenset(
    [
        "found",
        "ones",
        "util",
        "utils",
        "helper",
        "helpers",
        "manager",
        "managers",
        "handle",
        "handles",
        "handler",
        "handlers",
    ]
)
"""Words that say nothing of the thing that a name is for."""

BANNED_FIRST_WORDS = frozenset(("new", "my"))

STANDARD_NAMES = frozenset(
    (
        "read_manager",
        "write_manager",
        "manager_constants",
        "handle_starttag",
        "handle_startendtag",
        "handle_endtag",
        "handle_data",
    )
)
"""Names with such a word that others have chosen: AXI's managers, ``html.parser``'s methods."""

PHRASES = (
    "one of",
    "one another",
    "one by one",
    "one after",
    "one at a time",
    "one or",
    "one to",
    "one-",
)
"""Phrases in which "one" counts."""

NOT_NOUNS = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "before",
        "behind",
        "below",
        "beside",
        "between",
        "but",
        "by",
        "can",
        "cannot",
        "comes",
        "did",
        "do",
        "does",
        "else",
        "ends",
        "for",
        "from",
        "gets",
        "goes",
        "had",
        "has",
        "have",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "like",
        "may",
        "might",
        "more",
        "must",
        "needs",
        "no",
        "nor",
        "not",
        "on",
        "only",
        "or",
        "runs",
        "shall",
        "should",
        "since",
        "so",
        "takes",
        "than",
        "that",
        "the",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "to",
        "too",
        "under",
        "until",
        "was",
        "were",
        "when",
        "where",
        "which",
        "while",
        "who",
        "whose",
        "will",
        "with",
        "within",
        "without",
        "would",
    ]
)
"""Words before which "one" is a pronoun."""

ALLOWED = Path(__file__).with_suffix(".json")

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_CODE = re.compile(r"``[^`]*``|`[^`]*`|\"\w+\"")
_PROSE_WORD = re.compile(r"\b(found|ones|one)\b(\s+(\w+))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """A place where the text breaks a rule.

    Parameters
    ----------
    path : str
        The file, from the project's root.
    line : int
    rule : str
        "opening", "name" or "prose".
    text : str
        The docstring's first line, the name, or the words around.
    """

    path: str
    line: int
    rule: Rule
    text: str

    @property
    def package(self) -> str:
        """The first folder of the path."""
        return self.path.partition("/")[0]

    def __str__(self) -> str:
        """Return ``path:line: rule: text``."""
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"


def check_source(source: str, path: str) -> list[Violation]:
    """Check the text of one Python file.

    Parameters
    ----------
    source : str
    path : str
        Only stands in the violations.
    """
    tree = ast.parse(source)
    texts = list(_docstrings(tree))
    violations = [
        Violation(path, line, "opening", text.splitlines()[0])
        for line, text, of_test in texts
        if not of_test and text and not _stands_alone(text.splitlines()[0])
    ]
    violations += [Violation(path, line, "name", name) for line, name in _bound_names(tree)]
    comments = (
        (token.start[0], token.string)
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    )
    for line, text in [*((line, text) for line, text, _ in texts), *comments]:
        violations += [
            Violation(path, line + offset, "prose", words) for offset, words in _pronouns(text)
        ]
    return sorted(violations)


def check_paths(paths: Sequence[Path]) -> list[Violation]:
    """Check Python files and all those below folders; violations in the order of their places."""
    files = {
        file.resolve()
        for path in paths
        for file in (path.rglob("*.py") if path.is_dir() else [path])
    }
    return [
        violation
        for file in sorted(files)
        for violation in check_source(file.read_text("utf-8"), file.relative_to(ROOT).as_posix())
    ]


def counts(violations: Sequence[Violation]) -> Counter[tuple[str, str]]:
    """Count the violations by (rule, package)."""
    return Counter((violation.rule, violation.package) for violation in violations)


def allowed_counts() -> dict[tuple[str, str], int]:
    """Read how many violations are still allowed by (rule, package); none where nothing is said."""
    table: Mapping[str, Mapping[str, int]] = json.loads(ALLOWED.read_text(encoding="utf-8"))
    return {(rule, package): n for rule, row in table.items() for package, n in row.items()}


def excess(violations: Sequence[Violation]) -> list[str]:
    """Return a line for every rule and package with more violations than are allowed."""
    allowed = allowed_counts()
    return [
        f"{rule} in {package} must be broken at most {allowed.get((rule, package), 0)} times, "
        f"not {number}"
        for (rule, package), number in sorted(counts(violations).items())
        if number > allowed.get((rule, package), 0)
    ]


def _stands_alone(line: str) -> bool:
    return not OPENINGS.match(line) and line.endswith(".")


def _pronouns(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line, words) for every "found", and every "one" that is no number, of a text."""
    plain = _CODE.sub(lambda match: "X" * len(match[0].replace("\n", "")), text)
    for match in _PROSE_WORD.finditer(plain):
        if match[1].lower() == "one":
            tail = " ".join(plain[match.start() :].lower().split())
            numeral = match[3] and match[3].lower() not in NOT_NOUNS
            if numeral or tail.startswith(PHRASES):
                continue
        begin, end = max(0, match.start() - 20), match.end() + 15
        yield text.count("\n", 0, match.start()), " ".join(plain[begin:end].split())


def _docstrings(tree: ast.Module) -> Iterator[tuple[int, str, bool]]:
    """Yield (line, text, whether it is a test's) of every docstring, those of attributes included."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        of_test = isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        documented = isinstance(
            node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        )
        for before, statement in zip([None, *body], body, strict=False):
            first = before is None and documented
            if (
                isinstance(statement, ast.Expr)
                and isinstance(statement.value, ast.Constant)
                and isinstance(statement.value.value, str)
                and (first or isinstance(before, ast.Assign | ast.AnnAssign))
            ):
                yield statement.lineno, statement.value.value.strip(), of_test


def _bound_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield (line, name) of every name that is bound and that the rule does not allow."""
    for node in ast.walk(tree):
        names: list[str] = []
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names = [] if name.startswith("test_") else [name]
            case ast.ClassDef(name=name):
                names = [name]
            case ast.arg(arg=name):
                names = [name]
            case ast.Name(id=name, ctx=ast.Store()):
                names = [name]
            case ast.Attribute(attr=name, ctx=ast.Store()):
                names = [name]
            case ast.alias(asname=str(name)):
                names = [name]
            case ast.ExceptHandler(name=str(name)):
                names = [name]
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                names = [name]
        for name in names:
            words = [word.lower() for word in _WORD.findall(name)]
            banned = (
                bool(BANNED_WORDS.intersection(words))
                or (len(words) > 1 and words[0] in BANNED_FIRST_WORDS)
                or words[-1:] == ["one"]
            )
            if banned and name not in STANDARD_NAMES:
                yield getattr(node, "lineno", 1), name


def record(violations: Sequence[Violation]) -> None:
    """Lower the allowed counts to the present counts of all code."""
    present, table = counts(violations), dict[str, dict[str, int]]()
    for (rule, package), allowed in sorted(allowed_counts().items()):
        if number := min(allowed, present[rule, package]):
            table.setdefault(rule, {})[package] = number
    ALLOWED.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Check the paths, or all code; print what the allowed counts do not cover."""
    if arguments == ["--record"]:
        record(check_paths([ROOT / name for name in CODE]))
        return 0
    violations = check_paths([Path(argument) for argument in arguments] or [ROOT / n for n in CODE])
    lines = excess(violations)
    if lines:
        for violation in violations:
            print(violation)
        print("\n".join(lines), file=sys.stderr)
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

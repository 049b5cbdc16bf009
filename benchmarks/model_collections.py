"""How many models of a collection import: a verdict for each file, and why others are refused.

    python benchmarks/model_collections.py NAME=FOLDER [NAME=FOLDER ...] [--out FILE.json] [--each]

Takes every .tflite and .onnx file below a folder, and of equal files the first. Each is imported in a process of its own, which may take two minutes. Models
of real numbers or of int16 are counted apart: they have to be quantized to int8 first. Writes ``benchmarks/model_collections.json``, from
which ``make pages`` makes the table of docs/reference/importing.md. ``--each`` prints a line for every file.
"""

import argparse
import datetime
import hashlib
import json
import multiprocessing
import re
from collections import Counter
from pathlib import Path
from typing import Any

from cosilico.imports import import_model
from sim.importers.errors import UnsupportedModelError
from sim.spec.errors import CosilicoError
from sim.spec.files import write_atomic

OUT = Path(__file__).parent / "model_collections.json"
SUFFIXES = (".tflite", ".onnx")
TIMEOUT_S = 120
_CONTEXT = multiprocessing.get_context("fork")
"""Each process begins with the importers loaded."""

IMPORTED, REFUSED, REAL, WIDE = "imported", "refused", "real", "int16"
DAMAGED, UNFINISHED = "damaged", "unfinished"
VERDICTS = (IMPORTED, REFUSED, REAL, WIDE, DAMAGED, UNFINISHED)

_OTHER = re.compile(r"must be int8, not (float32|float16|int16)$")
"""End of the line that refuses a model whose activations are of another type."""


def main() -> None:
    """Import all models of the folders, print a table, and write the results file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("collections", nargs="+", type=_collection, metavar="NAME=FOLDER")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--each", action="store_true", help="print a line for every file")
    arguments = parser.parse_args()
    record: dict[str, Any] = {
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "collections": {},
    }
    for name, folder in arguments.collections:
        files = []
        for path in models_below(folder):
            verdict, line = verdict_of(path)
            files.append({"file": str(path.relative_to(folder)), "verdict": verdict, "line": line})
            if arguments.each:
                print(f"{name}: {files[-1]['file']}: {verdict}: {line}", flush=True)
        record["collections"][name] = summary_of(files)
        print(f"{name}: {json.dumps(record['collections'][name])}", flush=True)
    write_atomic(arguments.out, json.dumps(record, indent=1) + "\n")


def models_below(folder: Path) -> list[Path]:
    """Return the model files below a folder, in the order of their paths; of files with equal content the first."""
    first: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in SUFFIXES and path.is_file():
            first.setdefault(hashlib.sha256(path.read_bytes()).hexdigest(), path)
    return list(first.values())


def verdict_of(path: Path) -> tuple[str, str]:
    """Return one of ``VERDICTS``, and the line that says why."""
    here, there = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_answer, args=(there, path))
    process.start()
    there.close()
    try:
        answer: tuple[str, str] = (
            here.recv() if here.poll(TIMEOUT_S) else (UNFINISHED, f"takes more than {TIMEOUT_S} s")
        )
    except EOFError:
        answer = (UNFINISHED, "ends its process")
    process.kill()
    process.join()
    if answer[0] == REFUSED and (other := _OTHER.search(answer[1])):
        return (REAL if other[1].startswith("float") else WIDE), answer[1]
    return answer


def _answer(connection: Any, path: Path) -> None:
    """Import a model in a process of its own, and send what became of it."""
    try:
        network = import_model(path).network
        what = f"{len(network.layers)} layers, {len(network.states)} states, {network.macs:,} MACs"
        connection.send((IMPORTED, what))
    except UnsupportedModelError as error:
        connection.send((REFUSED, str(error)))
    except CosilicoError as error:
        connection.send((DAMAGED, str(error)))
    except Exception as error:
        connection.send((UNFINISHED, f"{type(error).__name__}: {error}"))


def family_of(line: str) -> str:
    """Return the kind of a refusal: the operator and the rule, without names and numbers of the model."""
    line = re.sub(r"^operator \d+ (\S+(?: \S+)?) \(tensor '.*'\): ", r"\1: ", line)
    line = re.sub(r"'[^']*'", "…", line).partition(";")[0]
    line = re.sub(r"\([\d, -]*\)|\[[\d, -]*\]|(?<![\w.])-?\d[\d.,e+-]*", "n", line)
    return re.sub(r", not .*", "", line).strip()


def summary_of(files: list[dict[str, str]]) -> dict[str, Any]:
    """Return the numbers of files by verdict, and those that are refused by family, most first."""
    verdicts = Counter(file["verdict"] for file in files)
    families = Counter(family_of(file["line"]) for file in files if file["verdict"] == REFUSED)
    return {
        "files": len(files),
        **{verdict: verdicts[verdict] for verdict in VERDICTS},
        "families": dict(sorted(families.items(), key=lambda item: (-item[1], item[0]))),
    }


def _collection(text: str) -> tuple[str, Path]:
    name, _, folder = text.partition("=")
    if not name or not Path(folder).is_dir():
        raise argparse.ArgumentTypeError(
            f"must be NAME=FOLDER of a folder that is there, not {text!r}"
        )
    return name, Path(folder)


if __name__ == "__main__":
    main()

"""Results folders: nothing of a user's is removed or replaced, whatever is asked for."""

import json
import multiprocessing
import os
import re
import stat
import subprocess
import sys
import tempfile
import warnings
from contextlib import AbstractContextManager
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from cosilico.folder import HIDDEN, Contents, check_file, locked, open_folder, stage_folder
from sim.spec.errors import CosilicoError
from sim.spec.files import write_atomic

FILES = ("sub/a", "b", "last")
IDENTITY = {"experiment": "1", "space": "2", "seed": "3"}
CONTENTS = Contents(command="run", identity=IDENTITY, files=FILES, resumable=True)
OTHER = replace(CONTENTS, identity=IDENTITY | {"seed": "4"})
IMPORT = Contents(command="import", identity=IDENTITY, files=FILES)


def tree(folder: Path) -> dict[str, str]:
    """Content of all files of a folder that are not hidden, by path."""
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and HIDDEN not in path.parts
    }


def write(out: Path, text: str = "ours", contents: Contents = CONTENTS, **options: Any) -> None:
    with open_folder(out, contents, **options):
        for name in contents.files:
            write_atomic(out / name, text)


def stage(out: Path, text: str = "ours", contents: Contents = IMPORT, **options: Any) -> None:
    with stage_folder(out, contents, **options) as staging:
        for name in contents.files:
            write_atomic(staging / name, text)


def refused(message: str) -> AbstractContextManager[Any]:
    return pytest.raises(CosilicoError, match=f"^{re.escape(message)}$")


@pytest.mark.parametrize("command", [write, stage])
def test_a_folder_that_is_absent_or_empty_is_taken(tmp_path: Path, command: Any) -> None:
    for out in (tmp_path, tmp_path / "x" / "y"):
        command(out)
        assert tree(out) == dict.fromkeys(FILES, "ours")
        command(out, "again", force=True)
        assert tree(out) == dict.fromkeys(FILES, "again")
        for name in FILES:
            (out / name).unlink()
        (out / "sub").rmdir()
        command(out)  # what is left is empty
        for path in (*(out / name for name in FILES), *(out / HIDDEN).iterdir()):
            path.unlink()
        (out / HIDDEN).rmdir()
        (out / "sub").rmdir()


@pytest.mark.parametrize("command", [write, stage])
@pytest.mark.parametrize("name", ["design.json", "b", ".hidden"])
def test_a_folder_with_other_files_is_refused(tmp_path: Path, command: Any, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with refused(
        f"out must be a folder that is absent or empty, not {str(tmp_path)!r}, which holds {name!r}"
    ):
        command(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize("command", [write, stage])
def test_force_replaces_only_what_was_made(tmp_path: Path, command: Any) -> None:
    (tmp_path / "mine").write_text("mine")
    command(tmp_path, force=True)
    (tmp_path / "sub" / "mine").write_text("mine")
    command(tmp_path, "new", force=True)
    mine = {"mine": "mine", "sub/mine": "mine"}
    assert tree(tmp_path) == mine | dict.fromkeys(FILES, "new")
    fewer = Contents(command="generate", identity=IDENTITY, files=("b",))
    command(tmp_path, "newer", contents=fewer, force=True)
    assert tree(tmp_path) == mine | {"b": "newer"}
    (tmp_path / "last").write_text("mine")
    with refused(f"out must have no 'last' that another than cosilico made, not {str(tmp_path)!r}"):
        command(tmp_path, force=True)
    assert tree(tmp_path) == mine | {"b": "newer", "last": "mine"}


def test_a_finished_run_is_not_erased_by_the_next(tmp_path: Path) -> None:
    write(tmp_path)
    held = f"not {str(tmp_path)!r}, which holds what cosilico run made"
    empty = "out must be a folder that is absent or empty, or"
    with refused(f"{empty} --resume or --force must be given, {held}"):
        write(tmp_path, "new")
    with refused(f"{empty} --force must be given, {held}"):
        write(tmp_path, "new", contents=OTHER)
    with refused(f"{empty} --force must be given, {held}"):
        stage(tmp_path, "new")
    assert tree(tmp_path) == dict.fromkeys(FILES, "ours")


def test_resume_goes_on_with_the_same_run_only(tmp_path: Path) -> None:
    write(tmp_path, resume=True)
    with open_folder(tmp_path, CONTENTS, resume=True):
        assert tree(tmp_path) == dict.fromkeys(FILES, "ours")
    of_network = {"network": "1", "space": "2", "seed": "3"}
    for identity, differs in (
        (OTHER.identity, "seed"),
        (IDENTITY | {"space": "3", "seed": "4"}, "space and seed"),
        (dict.fromkeys(IDENTITY, "0"), "experiment, space and seed"),
        (of_network, "network and experiment"),
    ):
        line = f"out must be a folder of the same {differs} to resume, not {str(tmp_path)!r}"
        with refused(line):
            write(tmp_path, contents=replace(CONTENTS, identity=identity), resume=True)
    with refused(
        f"out must be a folder of cosilico import to resume, not {str(tmp_path)!r}, "
        "which holds what cosilico run made"
    ):
        write(tmp_path, contents=IMPORT, resume=True)
    with refused("--resume and --force must not be given both"):
        write(tmp_path, resume=True, force=True)


def test_a_link_in_a_files_place_is_not_followed(tmp_path: Path) -> None:
    out, mine = tmp_path / "out", tmp_path / "mine"
    mine.write_text("mine")
    write(out)
    (out / "b").unlink()
    (out / "b").symlink_to(mine)
    ways: list[dict[str, Any]] = [{"resume": True}, {"force": True}]
    for options in ways:
        with refused(f"out must have no 'b' that another than cosilico made, not {str(out)!r}"):
            write(out, "new", **options)
    assert mine.read_text() == "mine"


@pytest.mark.parametrize(
    "files",
    [["../mine"], ["sub/../../mine"], ["ABSOLUTE"], ["linked/mine"], [3], "mine", [""], None],
)
def test_a_marker_that_leads_elsewhere_is_none(tmp_path: Path, files: Any) -> None:
    out, mine = tmp_path / "out", tmp_path / "mine"
    mine.write_text("mine")
    write(out)
    (out / "linked").symlink_to(tmp_path)
    marker = out / HIDDEN / "contents.json"
    text = json.dumps(json.loads(marker.read_text()) | {"files": files})
    marker.write_text(text.replace("ABSOLUTE", str(mine)))
    with pytest.raises(CosilicoError, match=r"^out must "):
        write(out, "new", force=True)
    assert mine.read_text() == "mine"
    assert (out / "b").read_text() == "ours"


@pytest.mark.parametrize("command", [write, stage])
def test_an_input_is_never_in_the_output(tmp_path: Path, command: Any) -> None:
    (tmp_path / "net").mkdir()
    source = tmp_path / "net" / "design.json"
    source.write_text("mine")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "net")
    for out in (tmp_path, tmp_path / "net", link):
        for path in (source, link / "design.json"):
            with refused(f"out must be a folder without the input {str(path)!r}, not {str(out)!r}"):
                command(out, inputs=(path,), force=True)
    with pytest.raises(CosilicoError, match=r"^out must be a folder without the input"):
        command(tmp_path / "net", inputs=(tmp_path / "net",))
    command(tmp_path / "net" / "out", inputs=(source,))


def hold(out: Path, end: Connection) -> None:
    with open_folder(out, CONTENTS):
        end.send("held")
        end.recv()


def test_a_folder_is_used_by_one_process(tmp_path: Path) -> None:
    out = tmp_path / "out"
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=hold, args=(out, there))
    process.start()
    assert here.recv() == "held"
    ways: list[dict[str, Any]] = [{}, {"resume": True}, {"force": True}]
    for options in ways:
        with refused(f"out must be a folder that no other process uses, not {str(out)!r}"):
            write(out, **options)
    with refused(f"out must be a folder that no other process uses, not {str(out)!r}"), locked(out):
        pass
    process.kill()
    process.join()
    write(out, resume=True)


def stage_half(out: Path, error: type[BaseException]) -> None:
    with stage_folder(out, IMPORT, force=True) as staging:
        write_atomic(staging / "b", "half")
        raise error


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failed_import_leaves_what_was(tmp_path: Path, error: type[BaseException]) -> None:
    out = tmp_path / "x" / "out"
    for before in ({}, dict.fromkeys(FILES, "ours")):
        with pytest.raises(error):
            stage_half(out, error)
        assert (tree(out) if out.exists() else {}) == before
        assert out.exists() == bool(before)
        assert not (tmp_path / "x").exists() or before
        stage(out, force=True)


def test_files_that_cannot_all_take_their_places_leave_what_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def fail(path: Path, target: Path) -> Path:
        if path.parent.name == "staging" and target.name == "last":
            raise OSError(28, "No space left on device")
        return replace(path, target)

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        with pytest.raises(OSError, match="No space left"):
            stage(out)
    assert not out.exists()
    stage(out)
    (out / "last").write_text("before")
    marker = (out / HIDDEN / "contents.json").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        with pytest.raises(OSError, match="No space left"):
            stage(out, force=True)
    assert tree(out) == dict.fromkeys(FILES, "ours") | {"last": "before"}
    assert (out / HIDDEN / "contents.json").read_bytes() == marker


def test_what_a_killed_import_left_is_nothing(tmp_path: Path) -> None:
    """Neither in the way nor there afterwards."""
    (tmp_path / HIDDEN / "staging").mkdir(parents=True)
    (tmp_path / HIDDEN / "staging" / "b").write_text("half")
    (tmp_path / ".b.1234.part").write_text("half")
    stage(tmp_path, force=True)
    assert tree(tmp_path) == dict.fromkeys(FILES, "ours")
    assert not (tmp_path / HIDDEN / "staging").exists()


def test_a_named_file_is_replaced_and_its_folder_made(tmp_path: Path) -> None:
    check_file(tmp_path / "x" / "y.json", "--json")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "y.json").write_text("old")
    check_file(tmp_path / "y.json", "--json", (tmp_path / "z",))
    check_file(Path("/dev/null"), "--json")


def test_a_file_that_cannot_be_written_is_refused_before(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        check_file(tmp_path, "--json")
    source = tmp_path / "x"
    source.write_text("mine")
    with pytest.raises(NotADirectoryError):
        check_file(source / "y", "--json")
    (tmp_path / "link").symlink_to(source)
    for path in (source, tmp_path / "link", tmp_path / "." / "x"):
        with refused(f"--json must be another file than the input {str(path)!r}"):
            check_file(path, "--json", (source,))


def refused_to_nobody(path: Path) -> bool:
    """Whether a user without rights may not write a file; root asks in a child without its rights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child of a thread only looks
        child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setuid(65534)
            check_file(path, "--json")
            os._exit(0)
        except PermissionError:
            os._exit(1)
        finally:
            os._exit(2)
    return {0: False, 1: True}[os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])]


def test_a_folder_without_permission_is_refused_before() -> None:
    with tempfile.TemporaryDirectory() as name:
        for mode, is_refused in ((0o777, False), (0o555, True)):
            Path(name).chmod(mode)
            assert refused_to_nobody(Path(name) / "y") == is_refused


def test_links_and_devices_stay_what_they_are(tmp_path: Path) -> None:
    target, link = tmp_path / "far" / "target", tmp_path / "link"
    target.parent.mkdir()
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to("far/target")
    write_atomic(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "absent")
    write_atomic(dangling, "new")
    assert dangling.is_symlink()
    assert (tmp_path / "absent").read_text() == "new"
    write_atomic(Path("/dev/null"), "new")
    assert Path("/dev/null").is_char_device()
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_atomic(tmp_path / "pipe", "new")
    assert os.read(reader, 10) == b"new"
    os.close(reader)
    with pytest.raises(IsADirectoryError):
        write_atomic(tmp_path, "new")
    looped = tmp_path / "looped"
    looped.symlink_to("looped")
    with pytest.raises(OSError, match="Too many levels"):
        write_atomic(looped, "new")
    assert not list(tmp_path.rglob("*.part"))


def test_standard_output_in_a_file_is_gone_on_with(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from sim.spec.files import write_atomic; "
        "print('before'); write_atomic(Path(sys.argv[1]), 'between\\n'); print('behind')"
    )
    for name in ("/dev/stdout", "/dev/fd/1"):
        out = tmp_path / "out"
        with out.open("w") as file:
            subprocess.run([sys.executable, "-c", program, name], stdout=file, check=True)
        assert out.read_text() == "before\nbetween\nbehind\n"

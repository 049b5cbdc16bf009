"""Archives of PyTorch programs: no file makes the importer run what it holds."""

import io
import json
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from sim.importers.pytorch.aten import export_module
from sim.importers.pytorch.conversion import import_program, load_program
from sim.importers.pytorch.nodes import UnsupportedModuleError
from sim.importers.pytorch.quantize import quantize_module
from sim.spec.errors import CosilicoError, DesignFileError
from sim.spec.network_json import network_digest

Members = dict[str, bytes]
Change = Callable[[Members], None]
MODEL = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
CONSTANTS = "data/constants/model_constants_config.json"
SAMPLES = "data/sample_inputs/model.pt"


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        """Object whose function an unpickler calls."""
        return Path.touch, (self.path,)


class Block(nn.Module):
    """An operator of nearly every kind that is supported."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 3, padding="same", groups=8)
        self.project = nn.Conv2d(8, 8, 1)
        self.drop = nn.Dropout()
        self.linear = nn.Linear(8, 5)

    def forward(self, image: Tensor) -> Tensor:
        """Compute 5 logits."""
        x = functional.relu6(self.norm(self.stem(functional.pad(image, (1, 0, 0, 1)))))
        y = functional.hardtanh(self.depthwise(x), -0.9, 0.8)
        x = x + self.project(y)
        x = functional.avg_pool2d(functional.max_pool2d(x, 2).clamp(min=0.0), 2)
        x = functional.adaptive_avg_pool2d(x, 1) if x.shape[-1] > 2 else x.mean((2, 3))
        logits: Tensor = self.linear(self.drop(x.flatten(1)))
        return logits


@pytest.fixture(scope="module")
def saved() -> Members:
    """Members of a convolution's program, without the folder that they are in."""
    torch.manual_seed(1)
    buffer = io.BytesIO()
    torch.export.save(export_module(nn.Conv2d(3, 4, 3), torch.zeros(1, 3, 8, 8)), buffer)
    with zipfile.ZipFile(buffer) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def write(path: Path, members: Members) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"program/{name}", content)
    return path


def edit(members: Members, name: str, change: Callable[[Any], None]) -> None:
    """Change a member that is JSON."""
    document = json.loads(members[name])
    change(document)
    members[name] = json.dumps(document).encode()


def first_node(document: Any) -> Any:
    return document["graph_module"]["graph"]["nodes"][0]


def test_a_program_is_quantized_as_its_module(tmp_path: Path) -> None:
    torch.manual_seed(2)
    module, images = Block().eval(), torch.randn(4, 3, 16, 16)
    torch.export.save(export_module(module, images[:1]), tmp_path / "block.pt2")
    np.savez(tmp_path / "x.npz", x=images.numpy())
    network = import_program(tmp_path / "block.pt2", tmp_path / "x.npz")
    expected = quantize_module(module, images, name="block")
    assert network_digest(network) == network_digest(expected)


def test_sample_inputs_are_never_unpickled(saved: Members, tmp_path: Path) -> None:
    target = tmp_path / "written"
    members = saved | {SAMPLES: pickle.dumps(Touch(target))}
    program = load_program(write(tmp_path / "m.pt2", members))
    assert len(list(program.graph.nodes)) == 5
    assert not target.exists()


def pickled_weight(members: Members, target: Path) -> None:
    buffer = io.BytesIO()
    torch.save(Touch(target), buffer)
    members["data/weights/weight_0"] = buffer.getvalue()
    edit(members, WEIGHTS, lambda document: document["config"]["weight"].update(use_pickle=True))


def pickled_constant(members: Members, target: Path) -> None:
    buffer = io.BytesIO()
    torch.save(Touch(target), buffer)
    members["data/constants/tensor_0"] = buffer.getvalue()
    entry = {"path_name": "tensor_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    edit(members, CONSTANTS, lambda document: document["config"].update(c=entry))


def opaque_object(members: Members, target: Path) -> None:
    members["data/constants/opaque_obj_0"] = pickle.dumps(Touch(target))
    entry = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": False}
    edit(members, CONSTANTS, lambda document: document["config"].update(c=entry))


def custom_object(members: Members, target: Path) -> None:
    members["data/constants/custom_obj_0"] = pickle.dumps(Touch(target))
    entry = {"path_name": "custom_obj_0", "is_param": False, "use_pickle": False}
    edit(members, CONSTANTS, lambda document: document["config"].update(c=entry))


def legacy_weights(members: Members, target: Path) -> None:
    buffer = io.BytesIO()
    torch.save(Touch(target), buffer)
    members["data/weights/model.pt"] = buffer.getvalue()


def legacy_constants(members: Members, target: Path) -> None:
    buffer = io.BytesIO()
    torch.save(Touch(target), buffer)
    members["data/constants/model.pt"] = buffer.getvalue()


def expression(target: Path) -> str:
    return f"__import__('pathlib').Path({str(target)!r}).touch()"


def symbolic_size(members: Members, target: Path) -> None:
    def change(document: Any) -> None:
        values = document["graph_module"]["graph"]["tensor_values"]
        values["input"]["sizes"][0] = {"as_expr": {"expr_str": expression(target), "hint": None}}

    edit(members, MODEL, change)


def symbolic_value(members: Members, target: Path) -> None:
    def change(document: Any) -> None:
        size = {"as_expr": {"expr_str": expression(target), "hint": None}}
        document["graph_module"]["graph"]["sym_int_values"]["s0"] = size

    edit(members, MODEL, change)


def symbolic_stride(members: Members, target: Path) -> None:
    def change(document: Any) -> None:
        meta = document["config"]["weight"]["tensor_meta"]
        meta["strides"][0] = {"as_expr": {"expr_str": expression(target), "hint": None}}

    edit(members, WEIGHTS, change)


def called(name: str) -> Change:
    def change(members: Members) -> None:
        edit(members, MODEL, lambda document: first_node(document).update(target=name))

    return change


def argument(kind: str, value: Any) -> Change:
    def change(members: Members) -> None:
        edit(
            members,
            MODEL,
            lambda document: first_node(document)["inputs"][2].update(arg={kind: value}),
        )

    return change


def code_as_a_name(members: Members, target: Path) -> None:
    name = f"x = {expression(target)}"

    def change(document: Any) -> None:
        first_node(document)["outputs"][0]["as_tensor"]["name"] = name
        first_node(document)["name"] = name

    edit(members, MODEL, change)


def named_module(members: Members, target: Path) -> None:
    def change(document: Any) -> None:
        document["config"]["__class__.weight"] = document["config"]["weight"]

    edit(members, WEIGHTS, change)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (pickled_weight, "tensor 'weight' of {file} must be plain data, not pickled"),
        (pickled_constant, "tensor 'c' of {file} must be plain data, not pickled"),
        (
            opaque_object,
            "tensor 'c' of {file} must be in a member called tensor_…, not a custom or opaque "
            "object",
        ),
        (
            custom_object,
            "tensor 'c' of {file} must be in a member called tensor_…, not a custom or opaque "
            "object",
        ),
        (
            legacy_weights,
            "{file} must not have pickled weights, data/weights/model.pt: save it with a present "
            "PyTorch",
        ),
        (
            legacy_constants,
            "{file} must not have pickled weights, data/constants/model.pt: save it with a present "
            "PyTorch",
        ),
        (
            symbolic_size,
            "{file} must have sizes that are numbers, not symbolic: export without dynamic_shapes",
        ),
        (
            symbolic_value,
            "{file} must have sizes that are numbers, not symbolic: export without dynamic_shapes",
        ),
        (
            symbolic_stride,
            "tensor 'weight' of {file} must have strides that are numbers, not symbolic",
        ),
        (
            code_as_a_name,
            "{file} must call tensors by identifiers, not .+",
        ),
        (named_module, "tensor '__class__.weight' of {file} must have a plain name"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_could_run_is_refused(
    change: Callable[[Members, Path], None], line: str, saved: Members, tmp_path: Path
) -> None:
    target = tmp_path / "written"
    members = dict(saved)
    change(members, target)
    path = write(tmp_path / "m.pt2", members)
    pattern = (
        re.escape(line)
        .replace(re.escape(".+"), ".+")
        .replace(re.escape("{file}"), re.escape(f"program file {path}"))
    )
    with pytest.raises(DesignFileError, match=f"^{pattern}$"):
        load_program(path)
    assert not target.exists()


@pytest.mark.parametrize(
    "name",
    [
        "torch.hub.load",
        "torch.load",
        "torch.ops.load_library",
        "torch.ops.aten.from_file.default",
        "_operator.methodcaller",
        "torch.ops.higher_order.cond",
        "math.factorial",
        "#custom",
        "torch.ops.aten.conv2d.default.__class__",
    ],
)
def test_only_operators_of_layers_are_called(name: str, saved: Members, tmp_path: Path) -> None:
    members = dict(saved)
    called(name)(members)
    path = write(tmp_path / "m.pt2", members)
    shown = name.removeprefix("torch.ops.") if "from_file" in name else name
    line = rf"operator 0 {re.escape(shown)} \(tensor 'conv2d'\) is not supported; there is .*"
    with pytest.raises(UnsupportedModuleError, match=f"^{line}$"):
        load_program(path)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("as_operator", "torch.ops.aten.add.Tensor"),
        ("as_graph", {"name": "g", "graph": {}}),
        ("as_custom_obj", {"name": "c", "class_fqn": "C"}),
        ("as_string", "/etc/passwd"),
        ("as_device", {"type": "cuda", "index": 0}),
        ("as_int", 10**28),
        ("as_expr", {"expr_str": "1"}),
    ],
)
def test_arguments_are_tensors_and_numbers(
    kind: str, value: Any, saved: Members, tmp_path: Path
) -> None:
    members = dict(saved)
    argument(kind, value)(members)
    path = write(tmp_path / "m.pt2", members)
    line = f"program file {path} must have tensors and numbers as arguments, not '{kind}'"
    with pytest.raises(DesignFileError, match=f"^{re.escape(line)}$"):
        load_program(path)


def test_code_of_guards_is_left_out(saved: Members, tmp_path: Path) -> None:
    target = tmp_path / "written"
    members = dict(saved)
    edit(members, MODEL, lambda document: document.update(guards_code=[expression(target)]))
    load_program(write(tmp_path / "m.pt2", members)).module()
    assert not target.exists()


def test_ranges_of_symbols_that_no_size_has_are_left_out(saved: Members, tmp_path: Path) -> None:
    members = dict(saved)
    ranges = {"s0": {"min_val": 2, "max_val": 9}}
    edit(members, MODEL, lambda document: document.update(range_constraints=ranges))
    program = load_program(write(tmp_path / "m.pt2", members))
    assert not program.range_constraints
    assert len(list(program.graph.nodes)) == 5


@pytest.mark.parametrize(
    ("member", "content", "rule"),
    [
        (MODEL, b"[" * 100_000, "must be nested at most 32 deep"),
        (
            WEIGHTS,
            b'{"config": ' + b"9" * 5000 + b"}",
            "must have integers of at most 40 digits, not 5000",
        ),
        (MODEL, b"\xff", "must be JSON text"),
    ],
    ids=["deep", "digits", "bytes"],
)
def test_text_that_cannot_be_read(
    member: str, content: bytes, rule: str, saved: Members, tmp_path: Path
) -> None:
    path = write(tmp_path / "m.pt2", saved | {member: content})
    line = f"member {member} of program file {path} {rule}"
    with pytest.raises(DesignFileError, match=f"^{re.escape(line)}$"):
        load_program(path)


def sizes(*given: int) -> list[dict[str, int]]:
    return [{"as_int": size} for size in given]


def test_a_tensor_is_within_its_member(saved: Members, tmp_path: Path) -> None:
    members = dict(saved)

    def change(document: Any) -> None:
        meta = document["config"]["weight"]["tensor_meta"]
        meta.update(sizes=sizes(1 << 20, 1 << 20), strides=sizes(0, 0))

    edit(members, WEIGHTS, change)
    path = write(tmp_path / "m.pt2", members)
    rule = "must be within the 432 bytes of its member, not of sizes [1048576, 1048576]"
    line = f"tensor 'weight' of program file {path} {rule}"
    with pytest.raises(DesignFileError, match=f"^{re.escape(line)}$"):
        load_program(path)


def test_a_tensor_is_the_graphs(saved: Members, tmp_path: Path) -> None:
    members = dict(saved)

    def change(document: Any) -> None:
        document["config"]["weight"]["tensor_meta"].update(sizes=sizes(3, 4, 3, 3))

    edit(members, WEIGHTS, change)
    path = write(tmp_path / "m.pt2", members)
    line = f"program file {path} must have one type and size of tensor 'weight'"
    with pytest.raises(DesignFileError, match=f"^{re.escape(line)}$"):
        load_program(path)


def test_compressed_members_are_refused(saved: Members, tmp_path: Path) -> None:
    path = tmp_path / "m.pt2"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in saved.items():
            archive.writestr(f"program/{name}", content)
    with pytest.raises(
        DesignFileError,
        match=rf"^member '.+' of program file {path} must be stored, not compressed$",
    ):
        load_program(path)


def test_json_is_bounded_before_it_is_parsed(saved: Members, tmp_path: Path) -> None:
    name = next(name for name in saved if name.endswith("model_constants_config.json"))
    path = write(tmp_path / "m.pt2", saved | {name: b"[" + b"[]," * (1 << 22) + b"1]"})
    line = r"^program file \S+ must have at most 8388608 bytes of JSON, not \d+$"
    with pytest.raises(DesignFileError, match=line):
        load_program(path)


def test_other_programs_of_the_archive_are_refused(saved: Members, tmp_path: Path) -> None:
    for name in ("models/other.json", "data/aotinductor/model/a.so"):
        path = write(tmp_path / "m.pt2", saved | {name: b"{}"})
        line = f"program file {path} must not have a member '{name}'"
        with pytest.raises(DesignFileError, match=f"^{re.escape(line)}$"):
            load_program(path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("part", ["weight", "bias"])
def test_weights_are_numbers(value: float, part: str) -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3))
    with torch.no_grad():
        getattr(module[0], part).view(-1)[1] = value
    what = "weights" if part == "weight" else "bias"
    with pytest.raises(CosilicoError, match=f"^{what} of layer '0' must be finite$"):
        quantize_module(module, torch.randn(2, 3, 8, 8), name="n")


def test_calibration_images_are_not_all_0() -> None:
    with pytest.raises(CosilicoError, match=r"^calibration images must not all be 0$"):
        quantize_module(nn.Conv2d(3, 4, 3), torch.zeros(2, 3, 8, 8), name="n")


def test_activations_are_finite() -> None:
    module = nn.Conv2d(3, 4, 3)
    with torch.no_grad():
        module.weight.fill_(1e38)
    line = r"^tensor 'convolution' must be finite on the calibration images$"
    with pytest.raises(CosilicoError, match=line):
        quantize_module(module, torch.full((2, 3, 8, 8), 100.0), name="n")


class Padded(nn.Module):
    """A pool of few windows over a vast border."""

    def forward(self, image: Tensor) -> Tensor:
        """Compute the pool."""
        wide = functional.pad(functional.relu(image), (0, 1 << 22, 0, 0))
        return functional.max_pool2d(wide, (1, 1 << 23), 1 << 21, (0, 1 << 21))


def test_vast_padding_is_refused() -> None:
    line = (
        "padded input of layer 'max_pool2d_with_indices' must have at most 16777216 values, not 201326784 of "
        "shape (8, 8388616, 3)"
    )
    with pytest.raises(CosilicoError, match=f"^{re.escape(line)}$"):
        quantize_module(Padded(), torch.randn(2, 3, 8, 8), name="n")

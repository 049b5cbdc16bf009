"""The graph in a PyTorch program's archive: operators by name and plain arguments, nothing else."""

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Never

from sim.importers.errors import printable
from sim.importers.limits import MOST_VALUES
from sim.importers.pytorch.nodes import (
    SUPPORTED_MODULES,
    UnsupportedModuleError,
    refuse_kept,
    refuse_result,
)
from sim.spec.errors import DesignFileError

__all__ = ["OPERATORS", "QUANTIZING", "GraphReader"]

_MOST_NODES = 10_000
_MOST_NUMBERS = 64
"""Most values in one argument of an operator."""

_MOST_RESULTS = 64
"""Most tensors that a module returns."""

_MOST_VALUES = 4 * MOST_VALUES
"""Most values of a tensor in a graph, which may be a constant."""

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}", re.ASCII)
"""Names of nodes become names in Python code that PyTorch writes and runs."""

_TARGET = re.compile(
    r"torch\.ops\.((aten|quantized_decomposed)\.([a-z_A-Z0-9]+)(?:\.[a-zA-Z_0-9]+)?)", re.ASCII
)
_GETITEM = "_operator.getitem"
_TEXT = re.compile(r"[a-z_]{1,16}", re.ASCII)
_VERSION = re.compile(r"[0-9a-z.+<=]{1,40}", re.ASCII)

OPERATORS = frozenset(
    [
        "_adaptive_avg_pool2d",
        "_log_softmax",
        "_softmax",
        "adaptive_avg_pool1d",
        "avg_pool1d",
        "conv1d",
        "log_softmax",
        "max_pool1d",
        "sigmoid",
        "softmax",
        "_assert_tensor_metadata",
        "_native_batch_norm_legit_no_training",
        "_prelu_kernel",
        "_to_copy",
        "_unsafe_view",
        "_weight_norm",
        "abs",
        "adaptive_avg_pool2d",
        "adaptive_max_pool2d",
        "add",
        "add_",
        "addmm",
        "alias",
        "amax",
        "avg_pool2d",
        "batch_norm",
        "cat",
        "celu",
        "celu_",
        "clamp",
        "clamp_",
        "clamp_max",
        "clamp_max_",
        "clamp_min",
        "clamp_min_",
        "clone",
        "constant_pad_nd",
        "contiguous",
        "conv2d",
        "conv_transpose1d",
        "conv_transpose2d",
        "convolution",
        "detach",
        "detach_",
        "div",
        "dropout",
        "dropout_",
        "elu",
        "elu_",
        "exp",
        "expand",
        "expm1",
        "feature_dropout",
        "flatten",
        "full",
        "full_like",
        "gelu",
        "gt",
        "hardsigmoid",
        "hardsigmoid_",
        "hardswish",
        "hardswish_",
        "hardtanh",
        "hardtanh_",
        "leaky_relu",
        "leaky_relu_",
        "lift_fresh_copy",
        "linalg_vector_norm",
        "linear",
        "log1p",
        "log_sigmoid",
        "matmul",
        "max_pool2d",
        "max_pool2d_with_indices",
        "mean",
        "minimum",
        "mish",
        "mish_",
        "mm",
        "mul",
        "neg",
        "norm",
        "numpy_T",
        "ones",
        "ones_like",
        "pad",
        "permute",
        "pow",
        "prelu",
        "reciprocal",
        "relu",
        "relu6",
        "relu6_",
        "relu_",
        "reshape",
        "rsqrt",
        "selu",
        "selu_",
        "sigmoid_",
        "silu",
        "silu_",
        "softplus",
        "sqrt",
        "squeeze",
        "sub",
        "sum",
        "t",
        "tanh",
        "tanh_",
        "to",
        "transpose",
        "unflatten",
        "unsqueeze",
        "upsample_bilinear2d",
        "upsample_nearest2d",
        "view",
        "where",
        "zeros",
        "zeros_like",
    ]
)
"""ATen operators of which supported modules are made, and those of constants.

None of them reads or writes files, as ``aten.from_file`` does, or runs what it is given.
"""

QUANTIZING = frozenset(
    [
        "dequantize_per_channel",
        "dequantize_per_tensor",
        "quantize_per_channel",
        "quantize_per_tensor",
    ]
)
"""Operators of programs that were quantized before they were exported."""

_KNOWN = {"aten": OPERATORS, "quantized_decomposed": QUANTIZING}

_NO_TENSORS = ("as_none", "as_int", "as_float", "as_bool", "as_string")
"""Kinds of what a module returns that is no tensor."""

_INPUTS = {"parameter": "parameter_name", "buffer": "buffer_name",
           "tensor_constant": "tensor_constant_name"}  # fmt: skip


class GraphReader:
    """A graph as JSON, checked field by field.

    Parameters
    ----------
    document : object
        Content of the archive's model.
    what : str
        Names the file in errors.
    """

    def __init__(self, document: Any, what: str) -> None:
        self.what = what
        self.document = document

    def cleaned(
        self,
        stored: Mapping[str, Mapping[str, Any]],
        in_spec: Callable[[int], str],
        out_spec: Callable[[int], str],
    ) -> bytes:
        """JSON with nothing but what was checked.

        ``stored`` has the entry of each tensor in the archive; in_spec and out_spec are PyTorch's
        text for so many arguments and for so many results.
        """
        module = self._field(self.document, "graph_module", dict)
        graph = self._field(module, "graph", dict)
        signature = self._field(module, "signature", dict)
        results = self._outputs(self._field(signature, "output_specs", list))
        for name in ("sym_int_values", "sym_bool_values", "sym_float_values"):
            if graph.get(name):
                self._refuse_symbolic()
        # Ranges of symbols that no size has say nothing. Sizes with symbols are refused with their tensors
        self._field(self.document, "range_constraints", dict)
        if graph.get("custom_obj_values"):
            self.refuse("must not have custom objects")
        nodes = self._field(graph, "nodes", list)
        if len(nodes) > _MOST_NODES:
            self.refuse(f"must have at most {_MOST_NODES} operators, not {len(nodes)}")
        values = self._field(graph, "tensor_values", dict)
        tensors = {self._name(name): self._tensor(meta, name) for name, meta in values.items()}
        inputs, outputs = (
            [self._tensor_name(v, "an end of the graph") for v in self._field(graph, end, list)]
            for end in ("inputs", "outputs")
        )
        specs = self._inputs(self._field(signature, "input_specs", list), stored, tensors)
        version = self._field(self.document, "schema_version", dict)
        cleaned = {
            "graph_module": {
                "graph": {
                    "inputs": inputs,
                    "outputs": outputs,
                    "nodes": [self._node(node, index) for index, node in enumerate(nodes)],
                    "tensor_values": tensors,
                    "sym_int_values": {},
                    "sym_bool_values": {},
                    "is_single_tensor_return": False,
                    "custom_obj_values": {},
                    "sym_float_values": {},
                },
                "signature": {"input_specs": specs, "output_specs": results},
                "module_call_graph": [
                    {
                        "fqn": "",
                        "signature": {
                            "inputs": [],
                            "outputs": [],
                            "in_spec": in_spec(sum("user_input" in spec for spec in specs)),
                            "out_spec": out_spec(len(results)),
                            "forward_arg_names": None,
                        },
                    }
                ],
                "metadata": {},
                "treespec_namedtuple_fields": {},
            },
            "opset_version": {"aten": self._integer(self._opset(), "opset_version")},
            "range_constraints": {},
            "schema_version": {
                part: self._integer(version.get(part), "schema_version")
                for part in ("major", "minor")
            },
            "verifiers": ["TRAINING"],
            "torch_version": self._version(),
            "guards_code": [],
        }
        return json.dumps(cleaned).encode()

    def refuse(self, rule: str) -> Never:
        """Raise the one line that names the file and the rule."""
        raise DesignFileError(printable(f"{self.what} {rule}"))

    def _refuse_symbolic(self) -> Never:
        self.refuse("must have sizes that are numbers, not symbolic: export without dynamic_shapes")

    def _field(self, data: Any, name: str, kind: type) -> Any:
        value = data.get(name) if isinstance(data, dict) else None
        if not isinstance(value, kind):
            self.refuse(f"must have a field {name} of type {kind.__name__}")
        return value

    def _integer(self, value: Any, name: str) -> int:
        if type(value) is not int or not 0 <= value < 1 << 31:
            self.refuse(f"must have a number in {name}")
        return value

    def _opset(self) -> Any:
        return self._field(self.document, "opset_version", dict).get("aten")

    def _version(self) -> str:
        version = self.document.get("torch_version", "<=2.4")
        if not isinstance(version, str) or not _VERSION.fullmatch(version):
            self.refuse("must have a version in torch_version")
        return version

    def _name(self, name: Any) -> str:
        if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name):
            self.refuse(f"must call tensors by identifiers, not {name!r:.60}")
        return name

    def _named(self, item: Any) -> dict[str, str]:
        return {"name": self._name(item.get("name") if isinstance(item, dict) else None)}

    def _tensor_name(self, item: Any, where: str) -> dict[str, Any]:
        if not isinstance(item, dict) or list(item) != ["as_tensor"]:
            self.refuse(f"must have a tensor as {where}")
        return {"as_tensor": self._named(item["as_tensor"])}

    def _tensor(self, meta: Any, name: str) -> dict[str, Any]:
        sizes, strides = (
            [self._size(size) for size in self._field(meta, field, list)[:_MOST_NUMBERS]]
            for field in ("sizes", "strides")
        )
        if math.prod(sizes) > _MOST_VALUES:
            rule = f"must have at most {_MOST_VALUES} values in tensor {name!r}"
            self.refuse(f"{rule}, not {math.prod(sizes)}")
        return {
            "dtype": self._integer(meta.get("dtype"), "dtype"),
            "sizes": [{"as_int": n} for n in sizes],
            "requires_grad": False,
            "device": {"type": "cpu", "index": None},
            "strides": [{"as_int": n} for n in strides],
            "storage_offset": {"as_int": self._size(meta.get("storage_offset"))},
            "layout": self._integer(meta.get("layout"), "layout"),
        }

    def _size(self, size: Any) -> int:
        if isinstance(size, dict) and "as_expr" in size:
            self._refuse_symbolic()
        if not isinstance(size, dict) or list(size) != ["as_int"]:
            self.refuse("must have sizes that are numbers")
        return self._integer(size["as_int"], "sizes")

    def _inputs(
        self,
        items: list[Any],
        stored: Mapping[str, Mapping[str, Any]],
        tensors: Mapping[str, Mapping[str, Any]],
    ) -> list[dict[str, Any]]:
        specs: list[dict[str, Any]] = []
        for item in items:
            kind = next(iter(item), "") if isinstance(item, dict) and len(item) == 1 else ""
            if kind == "user_input":
                arg = self._field(item[kind], "arg", dict)
                specs.append({kind: {"arg": self._tensor_name(arg, "an argument")}})
                continue
            if kind not in _INPUTS:
                self.refuse(f"must have tensors as inputs, not {kind or item!r:.60}")
            argument = self._named(self._field(item[kind], "arg", dict))
            path = self._field(item[kind], _INPUTS[kind], str)
            meta = stored.get(path, {}).get("tensor_meta")
            if meta is None:
                self.refuse(f"must hold tensor {path!r:.80}")
            given = tensors.get(argument["name"], {})
            if any(meta[field] != given.get(field) for field in ("dtype", "sizes")):
                self.refuse(f"must have one type and size of tensor {path!r:.80}")
            entry: dict[str, Any] = {"arg": argument, _INPUTS[kind]: path}
            if kind == "buffer":
                entry["persistent"] = item[kind].get("persistent") is True
            specs.append({kind: entry})
        if not any("user_input" in spec for spec in specs):
            raise UnsupportedModuleError("module must take a tensor")
        return specs

    def _outputs(self, items: list[Any]) -> list[dict[str, Any]]:
        if not 1 <= len(items) <= _MOST_RESULTS:
            rule = f"module must return 1 … {_MOST_RESULTS} tensors"
            raise UnsupportedModuleError(f"{rule}, not {len(items)}")
        for item in items:
            if not isinstance(item, dict) or len(item) != 1:
                self.refuse(f"must have one kind for each result, not {item!r:.60}")
            ((kind, field),) = item.items()
            if kind != "user_output":
                refuse_kept(_kept_name(kind, field))
        specs = []
        for place, item in enumerate(items):
            arg = self._field(item["user_output"], "arg", dict)
            if len(arg) == 1 and (kind := next(iter(arg))) in _NO_TENSORS:
                refuse_result(self._plain(kind, arg[kind]), place, len(items))
            specs.append({"user_output": {"arg": self._tensor_name(arg, "a result")}})
        return specs

    def _plain(self, kind: str, value: Any) -> object:
        """A result that is no tensor, as the module returns it."""
        if kind == "as_none":
            return None
        if kind == "as_string":
            return str(value)
        checked = self._value(kind, value)
        # PyTorch writes numbers that are not finite as text
        return float(checked) if isinstance(checked, str) else checked

    def _node(self, node: Any, index: int) -> dict[str, Any]:
        target = self._field(node, "target", str)
        outputs = [self._argument(output) for output in self._field(node, "outputs", list)]
        match = _TARGET.fullmatch(target)
        if target != _GETITEM and (match is None or match[3] not in _KNOWN[match[2]]):
            name = match[1] if match else target[:80]
            result = str(node.get("name") or _first_name(outputs))
            title = printable(f"operator {index} {name} (tensor {result!r})")
            raise UnsupportedModuleError(f"{title} is not supported; there is {SUPPORTED_MODULES}")
        cleaned = {
            "target": target,
            "inputs": [self._input(value) for value in self._field(node, "inputs", list)],
            "outputs": outputs,
            "metadata": {},
            "is_hop_single_tensor_return": None,
        }
        if node.get("name") is not None:
            cleaned["name"] = self._name(node["name"])
        return cleaned

    def _input(self, item: Any) -> dict[str, Any]:
        name = self._field(item, "name", str)
        if name and not _IDENTIFIER.fullmatch(name):
            self.refuse(f"must call arguments by identifiers, not {name!r:.60}")
        cleaned = {"name": name, "arg": self._argument(item.get("arg"))}
        if item.get("kind") is not None:
            cleaned["kind"] = self._integer(item["kind"], "kind")
        return cleaned

    def _argument(self, item: Any) -> dict[str, Any]:
        if not isinstance(item, dict) or len(item) != 1:
            self.refuse("must have arguments of one kind each")
        ((kind, value),) = item.items()
        return {kind: self._value(kind, value)}

    def _value(self, kind: str, value: Any) -> Any:
        """An argument's value, of a kind that is a tensor, a number or one of a few words."""
        match kind:
            case "as_tensor":
                return self._named(value)
            case "as_tensors" | "as_ints" | "as_floats" | "as_bools" | "as_sym_ints":
                if not isinstance(value, list) or len(value) > _MOST_NUMBERS:
                    self.refuse(f"must have at most {_MOST_NUMBERS} values in an argument")
                return [self._value(kind.removesuffix("s"), item) for item in value]
            case "as_optional_tensors":
                if not isinstance(value, list) or len(value) > _MOST_NUMBERS:
                    self.refuse(f"must have at most {_MOST_NUMBERS} values in an argument")
                return [self._argument(item) for item in value]
            case "as_sym_int":
                return {"as_int": self._size(value)}
            case "as_float":
                if type(value) in (int, float) or value in ("Infinity", "-Infinity", "NaN"):
                    return value
            case "as_string":
                if isinstance(value, str) and _TEXT.fullmatch(value):
                    return value
            case "as_device":
                if isinstance(value, dict) and value.get("type") == "cpu":
                    return {"type": "cpu", "index": None}
            case "as_none" | "as_bool":
                if isinstance(value, bool):
                    return value
            case "as_int" | "as_scalar_type" | "as_memory_format" | "as_layout":
                if type(value) is int and abs(value) < 1 << 62:
                    return value
        self.refuse(f"must have tensors and numbers as arguments, not {kind!r:.40}")


def _kept_name(kind: Any, field: Any) -> str:
    """Name of a tensor that a program changes, or returns beside the module's results; else the kind of it."""
    given = field if isinstance(field, dict) else {}
    for name in ("buffer_name", "parameter_name", "user_input_name"):
        if isinstance(given.get(name), str):
            return str(given[name])
    return str(kind)


def _first_name(outputs: list[dict[str, Any]]) -> str:
    value = next(iter(outputs[0].values())) if outputs else ""
    value = value[0] if isinstance(value, list) and value else value
    return str(value.get("name", "")) if isinstance(value, dict) else ""

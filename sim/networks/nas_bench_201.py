"""Networks of NAS-Bench-201 for CIFAR-10: a cell, stacked in three stages.

Source: X. Dong and Y. Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search",
ICLR 2020, section 2.1 and figure 1.
"""

from collections import Counter
from dataclasses import replace

from sim.networks.cell_graphs import INPUT, Cell, CellGraph, Operation
from sim.networks.topology import LayerShape, Topology, conv, depthwise, fully_connected, pool
from sim.spec.network import LayerKind, TensorSpec

__all__ = ["cell_name", "nas_bench_201", "of_cell_name"]

_CONVOLUTIONS = {Operation.CONV_1X1: 1, Operation.CONV_3X3: 3}
_STAGES = 3
_PREFIX = "nas_bench_201_"


def cell_name(cell: Cell) -> str:
    """Name of a cell's network: a digit for each edge, the place of its operation in :class:`Operation`."""
    operations = list(Operation)
    return _PREFIX + "".join(str(operations.index(operation)) for operation in cell)


def of_cell_name(name: str) -> Cell | None:
    """Cell whose network has a name; None if there is none."""
    digits = name.removeprefix(_PREFIX)
    operations = list(Operation)
    if len(name) != len(_PREFIX) + 6 or len(digits) != 6 or not set(digits) <= set("01234"):
        return None
    a, b, c, d, e, f = (operations[int(digit)] for digit in digits)
    return a, b, c, d, e, f


def nas_bench_201(
    graph: CellGraph, *, size: int = 32, channels: int = 16, cells: int = 5, classes: int = 10
) -> Topology:
    """Make the topology of a cell's network, with batch normalization folded into what is before it.

    A stem; three stages of cells, before the second and third a residual block that halves the image and doubles the
    channels; normalization and ReLU as a depthwise layer of one tap, for they are behind a sum; a global average pool;
    a classifier. Convolutions of cells are ReLU, convolution, normalization. ReLU is fused to the layer before where
    nothing else reads what that makes, and else is a layer of its own. What may be negative has the zero point 0.

    Parameters
    ----------
    graph : CellGraph
    size : int
        Rows and columns of the image, a multiple of 4.
    channels : int
        Of the first stage.
    cells : int
        Of each stage.
    classes : int

    Raises
    ------
    ValueError
        If the image cannot be halved twice.
    """
    if size % 4:
        raise ValueError(f"size must be a multiple of 4, not {size}")
    layers = _Layers()
    last = layers.add(conv("stem", "image", channels, 3))
    for stage in range(_STAGES):
        if stage:
            last = _reduction(layers, f"reduction{stage}", last, channels << stage)
        for place in range(cells):
            last = _cell(layers, f"stage{stage + 1}.cell{place + 1}", graph, last)
    last = layers.add(depthwise("normalization", last, 1, 1, relu=True))
    last = layers.add(pool("pool", last))
    layers.add(fully_connected("classifier", last, classes))
    image = TensorSpec.of_shape("image", (size, size, 3), 1 / 128, 0)
    return Topology(input=image, layers=tuple(layers.fused()))


class _Layers:
    """Layers of a network, of which some read what others make through ReLU."""

    def __init__(self) -> None:
        self._shapes: list[LayerShape] = []
        self._rectified: set[str] = set()
        """Layers that read through ReLU."""

    def add(self, shape: LayerShape, *, rectified: bool = False) -> str:
        """Append a layer, which may read through ReLU; return its name."""
        self._shapes.append(shape)
        if rectified:
            self._rectified.add(shape.name)
        return shape.name

    def fused(self) -> list[LayerShape]:
        """Return all layers, with ReLU where it is needed."""
        rectified = {s for shape in self._shapes if self._reads_relu(shape) for s in shape.inputs}
        plain = {s for shape in self._shapes if not self._reads_relu(shape) for s in shape.inputs}
        made: list[LayerShape] = []
        apart: set[str] = set()
        for shape in self._shapes:
            inputs = shape.inputs
            if self._reads_relu(shape) and inputs[0] in plain:
                if inputs[0] not in apart:
                    made.append(_relu(inputs[0]))
                    apart.add(inputs[0])
                inputs = (_relu(inputs[0]).name,)
            signed = not (shape.relu or shape.name in rectified - plain)
            made.append(
                replace(
                    shape,
                    inputs=inputs,
                    relu=not signed,
                    centred=signed and shape.name in plain and _quantizes(shape),
                )
            )
        return made

    def _reads_relu(self, shape: LayerShape) -> bool:
        return shape.name in self._rectified


def _quantizes(shape: LayerShape) -> bool:
    return shape.kind in (LayerKind.CONV, LayerKind.ADD)


def _relu(source: str) -> LayerShape:
    return LayerShape(
        name=f"{source}.relu", kind=LayerKind.MAX_POOL, inputs=(source,), kernel=1, relu=True
    )


def _reduction(layers: _Layers, name: str, source: str, channels: int) -> str:
    """Two 3×3 convolutions, the first with stride 2, and an average of 2×2 with a 1×1 convolution beside them."""
    first = layers.add(conv(f"{name}.conv1", source, channels, 3, 2), rectified=True)
    second = layers.add(conv(f"{name}.conv2", first, channels, 3), rectified=True)
    average = LayerShape(
        name=f"{name}.average", kind=LayerKind.AVERAGE_POOL, inputs=(source,), kernel=2, stride=2
    )
    shortcut = layers.add(conv(f"{name}.shortcut", layers.add(average), channels))
    return layers.add(_add(f"{name}.add", second, shortcut))


def _add(name: str, first: str, second: str) -> LayerShape:
    return LayerShape(name=name, kind=LayerKind.ADD, inputs=(first, second))


def _cell(layers: _Layers, name: str, graph: CellGraph, source: str) -> str:
    """Layers of a cell; a sum takes over the largest earlier sum that is a part of it."""
    terms = {INPUT: source}
    sums: dict[tuple[int, ...], str] = {}
    added = 0

    def total(wanted: tuple[int, ...]) -> str:
        nonlocal added
        parts = [known for known in sums if not Counter(known) - Counter(wanted)]
        begun = max(parts, key=len, default=wanted[:1])
        last = sums.get(begun, terms[begun[0]])
        for term in (Counter(wanted) - Counter(begun)).elements():
            added += 1
            last = layers.add(_add(f"{name}.add{added}", last, terms[term]))
        sums[wanted] = last
        return last

    for place, (operation, read) in enumerate(graph.operations, 1):
        before = total(read)
        own = f"{name}.{operation.removeprefix('nor_')}_{place}"
        if operation is Operation.AVERAGE_POOL:
            shape = LayerShape(
                name=own,
                kind=LayerKind.AVERAGE_POOL,
                inputs=(before,),
                kernel=3,
                over_border=True,
            )
            terms[place] = layers.add(shape)
        else:
            shape = conv(own, before, 0, _CONVOLUTIONS[operation])
            terms[place] = layers.add(shape, rectified=True)
    return total(graph.output)

"""The compiler's last step: a design's schedule as descriptors and a memory image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from hwgen.placement import TensorPlacement
from hwgen.tensor_region import TensorRegion
from hwgen.weights import layer_stream, table_rows
from sim.arrays.plan_columns import LayerPlan, TensorPlan
from sim.arrays.tables import COLUMNS, TensorColumn
from sim.mapping.channel_places import Places, channel_places
from sim.plan import Mapped
from sim.realizability import map_realizable
from sim.spec.descriptor import DESCRIPTOR_BYTES, FIELDS, Queue, encode_many
from sim.spec.design import Design
from sim.spec.header import HEADER_BYTES, read_header, seal

__all__ = [
    "Probe",
    "Program",
    "compile_design",
    "compile_mapped",
    "encode_rows",
    "probes_of",
    "queues_and_layers",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Activations of an image that lie in the local memories when an EXECUTE descriptor is done.

    PE (py, px) holds, for each group and in bank g mod L, ``rows`` × ``columns`` vectors at
    ``local_address`` + (g div L)·``local_plane`` + row·``local_row`` + column; its pixel (r, c)
    is image pixel (``origin_y`` + py·rows + r, ``origin_x`` + px·``pitch_x`` + c). The first ``others`` groups are
    other tensors'; ``segments`` are those of :class:`hwgen.placement.TensorPlacement`, of the whole tensor.
    """

    layer: int
    image: int
    execute_index: int
    local_address: int
    groups: int
    rows: int
    columns: int
    local_plane: int
    local_row: int
    group_start: int
    origin_y: int
    origin_x: int
    pitch_x: int
    others: int = 0
    segments: Places = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Everything a run needs beside the gateware.

    Parameters
    ----------
    image : bytes
        External memory from MEMORY_BASE on: weights, room for tensors, header, descriptors; where weights
        stay in the weight store, a second header with its descriptors.
    header_address : int
        What the PROGRAM CSR takes: of a *cold* run, which fills the weight store and does not ask what
        is in it.
    warm_address : int
        The same of a *warm* run, after a run of the same program: it reads the weight store.
        ``header_address`` where nothing is stored.
    images : int
        How many the program computes.
    inputs, outputs : TensorRegion
        What the host writes before a run, and reads after it.
    descriptors : tuple of (queue, layer)
        In program order.
    probes : tuple of Probe
        One per image and layer, or per chunk of a layer that runs tile by tile, in EXECUTE order.
    states : mapping of str to TensorPlacement
        What a run finds as the run before has left it, by the states' names; the image has the values of the first run.
    """

    image: bytes
    header_address: int
    warm_address: int
    images: int
    inputs: TensorRegion
    outputs: TensorRegion
    descriptors: tuple[tuple[int, int], ...]
    probes: tuple[Probe, ...]
    states: Mapping[str, TensorPlacement] = field(default_factory=dict)

    @property
    def input(self) -> TensorPlacement:
        """The place of image 0's first input, the only one of most programs."""
        return self.inputs.first

    @property
    def output(self) -> TensorPlacement:
        """The place of image 0's first output, the only one of most programs."""
        return self.outputs.first

    @property
    def memory_bytes(self) -> int:
        """Size of external memory the program uses."""
        return len(self.image)

    @property
    def encoded(self) -> bytes:
        """The descriptors that the header at ``header_address`` names, 64 bytes each."""
        first = self.header_address + HEADER_BYTES
        return self.image[first : first + len(self.descriptors) * DESCRIPTOR_BYTES]

    @property
    def warm(self) -> "Program":
        """The program as a warm run begins it; itself where nothing is stored."""
        return replace(self, header_address=self.warm_address)

    def with_descriptors(self, encoded: bytes) -> "Program":
        """Return the program with other descriptors of the same queues, sealed anew.

        Raises
        ------
        ValueError
            If there are more or fewer.
        """
        if len(encoded) != len(self.encoded):
            raise ValueError(f"descriptors must have {len(self.encoded)} bytes, not {len(encoded)}")
        header = read_header(self.image[self.header_address :])
        sealed = seal(header.fingerprint, encoded)
        end = self.header_address + len(sealed)
        image = self.image[: self.header_address] + sealed + self.image[end:]
        return replace(self, image=image)


def compile_design(design: Design, images: int = 1) -> Program:
    """Compile a design to a program that computes ``images`` at once.

    Raises
    ------
    NotRealizableError
        With the line of the first violation of :func:`sim.realizability.check`.
    """
    return compile_mapped(map_realizable(design.accelerator, design.network, images))


def compile_mapped(mapped: Mapped) -> Program:
    """Compile a pair that is planned already (:func:`sim.realizability.map_realizable`)."""
    image = bytearray(mapped.end)
    tensors = mapped.network.tensors
    for i, layer in enumerate(mapped.network.layers):
        stream = layer_stream(
            layer,
            [tensors[name] for name in layer.inputs],
            mapped.config,
            mapped.layers[i],
            mapped.layer_plan[i],
        )
        start = int(mapped.layer_plan[i, LayerPlan.BLOCK_ADDRESS])
        image[start : start + len(stream)] = stream
        if layer.table is not None:
            rows = table_rows(layer.table, mapped.config)
            start = int(mapped.layer_plan[i, LayerPlan.TABLE_ADDRESS])
            image[start : start + len(rows)] = rows
    states = {state.name: _placement(mapped, state.name, ()) for state in mapped.source.states}
    for state in mapped.source.states:
        start, first = states[state.name].address, states[state.name].pack(state.initial)
        image[start : start + len(first)] = first
    image += seal(mapped.config.fingerprint, encode_rows(mapped.cold_rows))
    if mapped.stored:
        image += seal(mapped.config.fingerprint, encode_rows(mapped.rows))
    return Program(
        image=bytes(image),
        header_address=mapped.header(cold=True),
        warm_address=mapped.header(cold=False),
        images=mapped.images,
        inputs=_region(mapped, [source.name for source in mapped.source.inputs]),
        outputs=_region(mapped, mapped.source.outputs),
        descriptors=queues_and_layers(mapped.rows),
        probes=tuple(probes_of(mapped)),
        states=states,
    )


def queues_and_layers(rows: NDArray[np.int64]) -> tuple[tuple[int, int], ...]:
    """Queue and layer of every descriptor of a schedule."""
    queues, layers = (rows[:, COLUMNS[name]].tolist() for name in ("queue", "layer"))
    return tuple(zip(queues, layers, strict=True))


def encode_rows(rows: NDArray[np.int64]) -> bytes:
    """Schedule rows as 64-byte descriptors."""
    data = np.empty((len(rows), DESCRIPTOR_BYTES), np.uint8)
    for queue in Queue:
        chosen = rows[:, COLUMNS["queue"]] == queue
        own = rows[chosen]
        columns = {field.name: own[:, COLUMNS[field.name]] for field in FIELDS[queue]}
        data[chosen] = encode_many(queue, columns, len(own))
    return data.tobytes()


def _region(mapped: Mapped, names: Sequence[str]) -> TensorRegion:
    """Places of some tensors of the network."""
    segments = _segments(mapped)
    places = {name: _placement(mapped, name, segments.get(name, ())) for name in names}
    return TensorRegion(places=places, images=mapped.images)


def _segments(mapped: Mapped) -> dict[str, Places]:
    """Segments of the tensors whose channels do not lie side by side."""
    config = mapped.config
    if not mapped.source.concatenations:
        return {}
    places = channel_places(mapped.source, config.simd_units, config.compute_lanes)
    return {name: own for name, own in places.items() if len(own) > 1}


def _placement(mapped: Mapped, name: str, segments: Places) -> TensorPlacement:
    spec = mapped.source.tensors[name]
    plan = mapped.tensor_plan[list(mapped.source.tensors).index(name)]
    pixel_bytes, groups = int(plan[TensorPlan.PIXEL_BYTES]), int(plan[TensorPlan.IMAGE_GROUPS])
    return TensorPlacement(
        address=int(plan[TensorPlan.EXTERNAL]),
        height=spec.height,
        width=spec.width,
        channels=spec.channels,
        vector_bytes=mapped.config.vector_bytes,
        pixel_bytes=pixel_bytes,
        image_bytes=groups * spec.height * spec.width * pixel_bytes,
        segments=segments,
    )


def probes_of(mapped: Mapped) -> list[Probe]:
    """A probe where an EXECUTE completes a chunk of rounds of an image."""
    config = mapped.config
    segments = _segments(mapped)
    probes = []
    execute = mapped.rows[mapped.rows[:, COLUMNS["queue"]] == Queue.EXECUTE]
    for index in np.flatnonzero(execute[:, COLUMNS["final"]]).tolist():
        row = execute[index]
        layer, last = int(row[COLUMNS["layer"]]), int(row[COLUMNS["round"]])
        plan = mapped.layer_plan[layer]
        chunk = int(plan[LayerPlan.CHUNK])
        first = last - last % chunk
        groups = -(-mapped.network.layers[layer].output.channels // config.simd_units)
        lanes = config.compute_lanes // int(plan[LayerPlan.PIXELS])
        lanes *= max(1, int(plan[LayerPlan.SPREAD]))
        strips = bool(mapped.tensor_plan[layer + 1, TensorPlan.STRIPS])
        number, image = int(row[COLUMNS["pass"]]), int(row[COLUMNS["image"]])
        together = int(plan[LayerPlan.IMAGES])
        part = image % together * (config.bank_depth // together)
        rows, columns = int(plan[LayerPlan.TILE_Y]), int(plan[LayerPlan.TILE_X])
        pitch = 0 if strips else columns
        if strips:
            columns = int(mapped.tensors[layer + 1, TensorColumn.WIDTH])
        passes_x, others = int(plan[LayerPlan.PASSES_X]), int(plan[LayerPlan.OUT_BANK])
        probes.append(
            Probe(
                layer=layer,
                image=image,
                execute_index=index,
                local_address=int(plan[LayerPlan.OUT_ADDRESS]) + part,
                groups=others + min(chunk * lanes, groups - first * lanes),
                rows=rows,
                columns=columns,
                local_plane=int(plan[LayerPlan.OUT_PLANE]),
                local_row=int(plan[LayerPlan.OUT_ROW]),
                group_start=first * lanes,
                origin_y=number // passes_x * config.pes_y * rows,
                origin_x=number % passes_x * config.pes_x * pitch,
                pitch_x=pitch,
                others=others,
                segments=segments.get(mapped.source.layers[layer].name, ()),
            )
        )
    return probes

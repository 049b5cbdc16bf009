"""The compiler's last step for a stream of images: two further programs beside cold and warm run."""

from dataclasses import dataclass, replace

from hwgen.program import Program, compile_mapped, encode_rows, probes_of, queues_and_layers
from sim.plan import Mapped
from sim.spec.bus import PAGE_BYTES
from sim.spec.header import seal
from sim.stream import Stream

__all__ = ["StreamPrograms", "compile_stream"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPrograms:
    """Programs of a stream, all in one memory image with places for two inputs.

    Parameters
    ----------
    input_stride : int
        INPUT_OFFSET of the second place, a multiple of 4 KiB.
    alone : Program
        Cold run, and its warm run, of an image that the program loads itself.
    first : Program
        Loads the image that lies in external memory, and computes nothing.
    steady : Program
        Computes the image that the run before has loaded, and loads the image that lies in external memory.
    """

    input_stride: int
    alone: Program
    first: Program
    steady: Program


def compile_stream(mapped: Mapped, stream: Stream) -> StreamPrograms:
    """Compile a pair that is planned already, and its stream (:func:`sim.stream.stream_of`)."""
    alone = compile_mapped(mapped)
    fingerprint = mapped.config.fingerprint
    image = alone.image
    for address, rows in (
        (stream.header, stream.mapped.rows),
        (stream.first_header, stream.first.rows),
    ):
        assert len(image) == address
        image += seal(fingerprint, encode_rows(rows))
    # the second place lies in a page as the first does
    place = alone.input
    stride = -(-(len(image) - place.address) // PAGE_BYTES) * PAGE_BYTES
    end = place.address + stride + place.size_bytes
    image += bytes(-(-end // PAGE_BYTES) * PAGE_BYTES - len(image))
    return StreamPrograms(
        input_stride=stride,
        alone=replace(alone, image=image),
        first=replace(
            alone,
            image=image,
            header_address=stream.first_header,
            warm_address=stream.first_header,
            descriptors=queues_and_layers(stream.first.rows),
            probes=(),
        ),
        steady=replace(
            alone,
            image=image,
            header_address=stream.header,
            warm_address=stream.header,
            descriptors=queues_and_layers(stream.mapped.rows),
            probes=tuple(probes_of(stream.mapped)),
        ),
    )

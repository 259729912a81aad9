"""A decoder profile: how the uplinks of one kind of device are read, from their bytes or from the codec's object."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sensors_ingest.decoders.codec_object import ObjectDecoder, ReadObjects
from sensors_ingest.decoders.fields import DecodedPayloads, Field, Integers, Numbers, numbers_of


class PayloadDecoder(Protocol):
    """What reads payload bytes: ``TypeLengthValueDecoder`` and ``FixedLayoutDecoder``."""

    @property
    def fields(self) -> tuple[Field, ...]: ...  # noqa: D102
    def decode(  # noqa: D102
        self, payloads: NDArray[np.uint8], lengths: Integers, ports: Integers
    ) -> DecodedPayloads: ...


@dataclass(frozen=True)
class Profile:
    """One of the two, or both: then bytes win, and the object is read of uplinks that came without bytes.

    ``fingerprint`` changes when a profile that its owner wrote changes; it is empty for those in this package.
    """

    payload: PayloadDecoder | None = None
    codec_object: ObjectDecoder | None = None
    fingerprint: str = ""

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """Everything the profile can read."""
        payload, codec_object = self.payload, self.codec_object
        return (*(payload.fields if payload else ()), *(codec_object.fields if codec_object else ()))

    def decode_payloads(self, payloads: pa.Array, ports: Integers) -> Numbers:
        """The numbers of payload bytes (binary), each with the port it was sent on."""
        if self.payload is None:
            raise ValueError("this profile does not read payload bytes")
        decoded = self.payload.decode(*byte_matrix(payloads), ports)
        return numbers_of(self.payload.fields, decoded)

    def decode_objects(self, objects: ReadObjects) -> Numbers:
        """The numbers of decoded objects."""
        if self.codec_object is None:
            raise ValueError("this profile does not read decoded objects")
        return self.codec_object.decode(objects)


def byte_matrix(payloads: pa.Array) -> tuple[NDArray[np.uint8], Integers]:
    """Payloads as a matrix padded with zeros, and their lengths."""
    if isinstance(payloads, pa.ChunkedArray):
        payloads = payloads.combine_chunks()
    payloads = payloads.cast(pa.large_binary())
    offsets = np.frombuffer(payloads.buffers()[1], np.int64)[payloads.offset :][: len(payloads) + 1]
    lengths = np.diff(offsets)
    matrix = np.zeros((len(lengths), max(int(lengths.max(initial=0)), 1)), np.uint8)
    data = payloads.buffers()[2]
    content = np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]] if data else np.zeros(0, np.uint8)
    # Row by row, the cells before each row's length are filled in order: exactly the order of the bytes.
    matrix[np.arange(matrix.shape[1]) < lengths[:, None]] = content
    return matrix, lengths

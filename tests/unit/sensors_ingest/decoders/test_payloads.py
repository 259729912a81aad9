"""Payload decoders: the makers' examples, every fault, and any bytes against a plain decoder."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensors_ingest.decoders.fields import FAULT_REASONS, NO_TIME
from sensors_ingest.decoders.profiles import PROFILES
from sensors_ingest.decoders.type_length_value import TypeLengthValueDecoder

Numbers = list[tuple[str, int]]
TABLES = {
    name: profile.payload for name, profile in PROFILES.items() if isinstance(profile.payload, TypeLengthValueDecoder)
}


def decode(decoder: TypeLengthValueDecoder, *payloads: bytes) -> list[tuple[str, Numbers, bool]]:
    """For each payload its fault, its (quantity, raw) numbers and whether it is tilted."""
    lengths = np.array([len(payload) for payload in payloads], np.int64)
    matrix = np.zeros((len(payloads), max([1, *lengths])), np.uint8)
    for row, payload in enumerate(payloads):
        matrix[row, : len(payload)] = list(payload)
    decoded = decoder.decode(matrix, lengths, np.zeros(len(payloads), np.int64))
    numbers: list[Numbers] = [[] for _ in payloads]
    for row, field, raw, seconds in zip(decoded.payload, decoded.field, decoded.raw, decoded.seconds, strict=True):
        kept = "" if seconds == NO_TIME else f" at {seconds}"
        numbers[row].append((decoder.fields[field].quantity + kept, int(raw)))
    return [
        (FAULT_REASONS[fault], sorted(found), bool(tilted))
        for fault, found, tilted in zip(decoded.fault, numbers, decoded.is_tilted, strict=True)
    ]


def decode_one_plainly(decoder: TypeLengthValueDecoder, payload: bytes) -> tuple[str, Numbers, bool]:
    """The same for one payload, written as the makers' own examples are."""
    position, numbers, is_tilted, came = 0, set(), False, Counter[bytes]()
    if not payload:
        return "empty payload", [], False
    while position < len(payload):
        kind = payload[position : position + decoder.type_width]
        position += decoder.type_width
        if position > len(payload):
            return "truncated payload", [], is_tilted
        item = decoder.items.get(int.from_bytes(kind, "big"))
        if item is None:
            return "unknown type in payload", [], is_tilted
        content = payload[position : position + item.width]
        position += item.width
        if len(content) < item.width:
            return "truncated payload", [], is_tilted
        is_tilted |= item.is_tilt and content[0] != 0
        if item.field and came[kind] <= len(item.again):
            field = (item.field, *item.again)[came[kind] if item.again else 0]
            raw = int.from_bytes(content[: field.width], decoder.byte_order, signed=field.is_signed)
            numbers.add((field.quantity, raw))
            came[kind] += bool(item.again)
        for offset, field in item.kept:
            seconds = int.from_bytes(content[:4], decoder.byte_order)
            number = content[offset : offset + field.width]
            raw = int.from_bytes(number, decoder.byte_order, signed=field.is_signed)
            numbers.add((f"{field.quantity} at {seconds}", raw))
    if len({quantity for quantity, _ in numbers}) < len(numbers):
        return "one quantity twice with different values in payload", [], is_tilted
    return ("" if numbers else "no known quantity in payload"), sorted(numbers), is_tilted


ELSYS = TABLES["elsys"]
MILESIGHT = TABLES["milesight_em400_tld"]
EM300 = TABLES["milesight_em300"]


@pytest.mark.parametrize(
    ("decoder", "payload", "expected"),
    [
        (
            ELSYS,
            "0100e20223070e27",
            [("air_temperature", 226), ("battery_voltage", 3623), ("relative_humidity", 35)],
        ),
        (ELSYS, "01ff720e0bb8", [("air_temperature", -142), ("distance", 3000)]),
        (ELSYS, "0400270501 06019c 0e0046", [("carbon_dioxide", 412), ("distance", 70)]),
        (
            MILESIGHT,
            "0175640367f8ff0482c602050000",
            [("air_temperature", -8), ("battery_level", 100), ("distance", 710)],
        ),
        (MILESIGHT, "8367e80001 8482410601", [("air_temperature", 232), ("distance", 1601)]),
        (MILESIGHT, "0482c602 8482c60201", [("distance", 710)]),
        (EM300, "01755C03673401046865", [("air_temperature", 308), ("battery_level", 92), ("relative_humidity", 101)]),
        (
            EM300,
            "20CE9E74466310015D00 03673401",
            [("air_temperature", 308), ("air_temperature at 1665561758", 272), ("relative_humidity at 1665561758", 93)],
        ),
        (
            TABLES["milesight_em300_di"],
            "20CE9E74466310015D020000010000 01755C",
            [("air_temperature at 1665561758", 272), ("battery_level", 92), ("relative_humidity at 1665561758", 93)],
        ),
        (
            TABLES["milesight_em320_th"],
            "20CE9E74466310015D",
            [("air_temperature at 1665561758", 272), ("relative_humidity at 1665561758", 93)],
        ),
        (TABLES["milesight_em310_udl"], "01755C03824408040000", [("battery_level", 92), ("distance", 2116)]),
        (TABLES["milesight_em500_udl"], "01756403821E00", [("battery_level", 100), ("distance", 30)]),
        (TABLES["milesight_em500_pt100"], "01756403671901", [("battery_level", 100), ("probe_temperature", 281)]),
        (
            TABLES["milesight_em500_co2"],
            "01756403671901046873057D670406736827",
            [("air_temperature", 281), ("battery_level", 100), ("carbon_dioxide", 1127), ("relative_humidity", 115)],
        ),
        (
            TABLES["milesight_em500_smtc"],
            "01756403671901046873057FF000",
            [("battery_level", 100), ("probe_temperature", 281)],
        ),
    ],
)
def test_documented_examples(decoder: TypeLengthValueDecoder, payload: str, expected: Numbers) -> None:
    assert decode(decoder, bytes.fromhex(payload)) == [("", expected, False)]


def test_position_byte_means_tilted() -> None:
    upright, tilted = bytes.fromhex("0482c602050000"), bytes.fromhex("0482c602050001")
    assert [is_tilted for _, _, is_tilted in decode(MILESIGHT, upright, tilted)] == [False, True]


@pytest.mark.parametrize(
    ("decoder", "payload", "fault"),
    [
        (ELSYS, "", "empty payload"),
        (ELSYS, "0100e20e0b", "truncated payload"),
        (ELSYS, "0100e20e", "truncated payload"),
        (ELSYS, "0100e2ff00", "unknown type in payload"),
        (ELSYS, "3e01020304", "unknown type in payload"),
        (ELSYS, "0e0bb80e0bb9", "one quantity twice with different values in payload"),
        (ELSYS, "0501", "no known quantity in payload"),
        (MILESIGHT, "0482c6", "truncated payload"),
        (MILESIGHT, "04", "truncated payload"),
        (MILESIGHT, "0482c602aabb01", "unknown type in payload"),
        (MILESIGHT, "ff0bff", "no known quantity in payload"),
    ],
)
def test_faulty_payload_gives_its_fault_and_no_number(
    decoder: TypeLengthValueDecoder, payload: str, fault: str
) -> None:
    good = bytes.fromhex("0100e2") if decoder is ELSYS else bytes.fromhex("0482c602")
    faulty, neighbour = decode(decoder, bytes.fromhex(payload), good)
    assert faulty == (fault, [], False)
    assert neighbour[0] == ""


def payloads_like(decoder: TypeLengthValueDecoder) -> st.SearchStrategy[bytes]:
    """Bytes that are anything, or a run of known items with anything in them, perhaps cut."""
    items = [
        st.binary(min_size=item.width, max_size=item.width).map(
            lambda content, code=code: code.to_bytes(decoder.type_width, "big") + content
        )
        for code, item in decoder.items.items()
    ]
    runs = st.lists(st.one_of(items), max_size=6).map(b"".join)
    cut = st.tuples(runs, st.integers(0, 3)).map(lambda made: made[0][: len(made[0]) - made[1]])
    return st.one_of(st.binary(max_size=242), runs, cut)


@pytest.mark.parametrize("name", TABLES)
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_any_bytes_as_a_plain_decoder_reads_them(name: str, data: Any) -> None:
    decoder = TABLES[name]
    payloads = data.draw(st.lists(payloads_like(decoder), max_size=20))
    together = decode(decoder, *payloads)
    assert [(fault, numbers) for fault, numbers, _ in together] == [
        decode_one_plainly(decoder, payload)[:2] for payload in payloads
    ]
    for payload, (fault, numbers, is_tilted) in zip(payloads, together, strict=True):
        assert fault or is_tilted == decode_one_plainly(decoder, payload)[2]
        for quantity, raw in numbers:
            field = next(field for field in decoder.fields if field.quantity == quantity.partition(" ")[0])
            low, high = (-(1 << 15), (1 << 15) - 1) if field.is_signed else (0, (1 << 8 * field.width) - 1)
            assert low <= raw <= high

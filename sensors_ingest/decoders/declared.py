"""Profiles declared in TOML, for a device whose layout only its owner knows. ``docs/decoders.md`` shows the forms.

Every mistake in a file is told in one sentence that names the file, the place and what would be right.
"""

import hashlib
import math
import tomllib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, RootModel, ValidationError, model_validator
from pydantic import Field as Limits

from sensors_ingest.decoders.codec_object import Condition, Entry, ObjectDecoder, Refusal
from sensors_ingest.decoders.fields import LONGEST_PAYLOAD, Field
from sensors_ingest.decoders.fixed_layout import FixedLayoutDecoder, Layout, Place, Where
from sensors_ingest.decoders.profile import Profile
from sensors_ingest.decoders.type_length_value import Item, TypeLengthValueDecoder
from sensors_ingest.readings import CANONICAL_UNITS, PHYSICAL_LIMITS

# What a device can say. How well it was heard, its gateways say.
QUANTITIES: Final = tuple(
    quantity for quantity in CANONICAL_UNITS if quantity in PHYSICAL_LIMITS and not quantity.startswith("signal_")
)
# Canonical unit → unit a device may use → (multiplier, divisor, added).
UNITS: Final[dict[str, dict[str, tuple[float, float, float]]]] = {
    "mm": {"mm": (1, 1, 0), "cm": (10, 1, 0), "m": (1000, 1, 0), "in": (25.4, 1, 0), "ft": (304.8, 1, 0)},
    "cm": {"cm": (1, 1, 0), "mm": (1, 10, 0), "m": (100, 1, 0), "in": (2.54, 1, 0), "ft": (30.48, 1, 0)},
    "degC": {"degC": (1, 1, 0), "degF": (5, 9, -160 / 9), "K": (1, 1, -273.15)},
    "percent": {"percent": (1, 1, 0), "fraction": (100, 1, 0)},
    "V": {"V": (1, 1, 0), "mV": (1, 1000, 0)},
    "ppm": {"ppm": (1, 1, 0)},
    "dB(A)": {"dB(A)": (1, 1, 0)},
}
# Type → (bytes, signed, float).
TYPES: Final = {
    **{f"{sign}int{8 * width}": (width, not sign, False) for width in (1, 2, 3, 4) for sign in ("u", "")},
    "float32": (4, False, True),
}
TypeName = Literal["uint8", "int8", "uint16", "int16", "uint24", "int24", "uint32", "int32", "float32"]
Byte = Annotated[int, Limits(ge=0, le=255)]
Text = Annotated[str, Limits(min_length=1, max_length=200)]


class ProfileError(Exception):
    """A declared profile cannot be used; ``mistakes`` has one sentence for each."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Sentinel(_Strict):
    value: float
    reason: Text


class _Number(_Strict):
    """What a number means: ``raw * scale + plus`` is in ``unit``."""

    quantity: str
    unit: str
    scale: float = 1.0
    plus: float = 0.0
    sentinels: tuple[_Sentinel, ...] = Limits(default=(), strict=False)

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.quantity not in QUANTITIES:
            raise ValueError(f"quantity '{self.quantity}' is none of {', '.join(QUANTITIES)}")
        units = UNITS[CANONICAL_UNITS[self.quantity]]
        if self.unit not in units:
            raise ValueError(f"unit '{self.unit}' of {self.quantity} is none of {', '.join(units)}")
        if self.scale == 0 or not all(map(math.isfinite, (self.scale, 1 / self.scale, self.plus))):
            raise ValueError("scale must be a number other than 0, and plus a number")
        return self

    def field(self, width: int, is_signed: bool, is_float: bool, sentinels: Sequence[tuple[float, str]]) -> Field:
        unit = CANONICAL_UNITS[self.quantity]
        multiplier, divisor, added = UNITS[unit][self.unit]
        # 0.1 as a factor is not a tenth in binary; its reciprocal, 10, is exact.
        inverse = 1 / self.scale
        is_divisor = abs(self.scale) < 1 and math.isclose(inverse, round(inverse), rel_tol=1e-12)
        return Field(
            self.quantity,
            width,
            unit,
            self.unit if (self.scale, self.plus) == (1, 0) else f"{self.scale:g} {self.unit}",
            divisor=divisor * (round(inverse) if is_divisor else 1),
            multiplier=multiplier * (1 if is_divisor else self.scale),
            added=self.plus * multiplier / divisor + added,
            is_signed=is_signed,
            is_float=is_float,
            sentinels=tuple(sentinels),
        )


class _BytesNumber(_Number):
    type: TypeName

    @property
    def width(self) -> int:
        return TYPES[self.type][0]

    @model_validator(mode="after")
    def _sentinels_fit(self) -> Self:
        width, is_signed, is_float = TYPES[self.type]
        low, high = (-(1 << 8 * width - 1), (1 << 8 * width - 1) - 1) if is_signed else (0, (1 << 8 * width) - 1)
        for sentinel in self.sentinels:
            if not (sentinel.value.is_integer() and low <= sentinel.value <= high):
                what = "the four bytes as a whole number" if is_float else f"a whole number from {low} to {high}"
                raise ValueError(f"sentinel {sentinel.value:g} is no {self.type}: it must be {what}")
        return self

    def bytes_field(self) -> Field:
        return self.field(*TYPES[self.type], [(int(each.value), each.reason) for each in self.sentinels])


class _PlacedNumber(_BytesNumber):
    offset: int = Limits(ge=0, lt=LONGEST_PAYLOAD)


class _Where(_Strict):
    offset: int = Limits(ge=0, lt=LONGEST_PAYLOAD)
    values: tuple[Byte, ...] = Limits(min_length=1, strict=False)
    mask: Byte = 255


class _Layout(_Strict):
    length: int = Limits(ge=1, le=LONGEST_PAYLOAD)
    port: int | None = Limits(default=None, ge=0, le=255)
    where: tuple[_Where, ...] = Limits(default=(), strict=False)
    field: tuple[_PlacedNumber, ...] = Limits(min_length=1, strict=False)

    @model_validator(mode="after")
    def _inside(self) -> Self:
        for number in self.field:
            if number.offset + number.width > self.length:
                place = f"{number.quantity} at {number.offset} with {number.width} bytes"
                raise ValueError(f"{place} ends beyond the {self.length} bytes")
        for where in self.where:
            if where.offset >= self.length:
                raise ValueError(f"where looks at byte {where.offset}, beyond the {self.length} bytes")
        _refuse_repeated([number.quantity for number in self.field])
        return self


class _Described(_Strict):
    source: Text


class _BytesProfile(_Described):
    """Numbers at fixed places."""

    reads: Literal["bytes"]
    endianness: Literal["big", "little"]
    layout: tuple[_Layout, ...] = Limits(min_length=1, strict=False)

    def profile(self, fingerprint: str) -> Profile:
        layouts = tuple(
            Layout(
                layout.length,
                tuple(Place(number.offset, number.bytes_field()) for number in layout.field),
                port=layout.port,
                where=tuple(Where(where.offset, where.values, where.mask) for where in layout.where),
            )
            for layout in self.layout
        )
        return Profile(FixedLayoutDecoder(layouts, self.endianness), fingerprint=fingerprint)


class _Item(_Strict):
    type: int = Limits(ge=0, le=0xFFFF)
    width: int = Limits(ge=1, le=LONGEST_PAYLOAD)
    tilt: bool = False
    field: _BytesNumber | None = None

    @model_validator(mode="after")
    def _inside(self) -> Self:
        if self.field and self.field.width > self.width:
            raise ValueError(f"{self.field.type} needs {self.field.width} bytes and the item has {self.width}")
        return self


class _TypeLengthValueProfile(_Described):
    """A table of types."""

    reads: Literal["type_length_value"]
    endianness: Literal["big", "little"]
    type_width: Literal[1, 2] = 1
    item: tuple[_Item, ...] = Limits(min_length=1, strict=False)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        types = [item.type for item in self.item]
        for code in types:
            if code >= 256**self.type_width:
                raise ValueError(f"type {code:#x} does not fit into {self.type_width} byte")
            if types.count(code) > 1:
                raise ValueError(f"type {code:#x} is declared twice")
        quantities = [item.field.quantity for item in self.item if item.field]
        _refuse_repeated(quantities)
        if not quantities:
            raise ValueError("no item has a field")
        return self

    def profile(self, fingerprint: str) -> Profile:
        items = {
            item.type: Item(item.width, item.field.bytes_field() if item.field else None, is_tilt=item.tilt)
            for item in self.item
        }
        return Profile(TypeLengthValueDecoder(items, self.type_width, self.endianness), fingerprint=fingerprint)


Key = Annotated[str, Limits(pattern=r"^[^.]+(\.[^.]+)*$", max_length=200)]


class _ObjectNumber(_Number):
    key: Key


class _Condition(_Strict):
    key: Key
    relation: Literal["is", "is_not"] = "is"
    value: float


class _Refusal(_Strict):
    quantities: tuple[str, ...] = Limits(min_length=1, strict=False)
    when: tuple[_Condition, ...] = Limits(min_length=1, strict=False)
    reason: Text


class _ObjectProfile(_Described):
    """Keys of the object that the network server's codec makes."""

    reads: Literal["object"]
    field: tuple[_ObjectNumber, ...] = Limits(min_length=1, strict=False)
    refusal: tuple[_Refusal, ...] = Limits(default=(), strict=False)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        quantities = [number.quantity for number in self.field]
        _refuse_repeated(quantities)
        for quantity in (each for refusal in self.refusal for each in refusal.quantities):
            if quantity not in quantities:
                raise ValueError(f"a refusal names {quantity}, which no field reads")
        return self

    def profile(self, fingerprint: str) -> Profile:
        entries = (
            Entry(
                tuple(number.key.split(".")),
                number.field(0, False, False, [(each.value, each.reason) for each in number.sentinels]),
            )
            for number in self.field
        )
        refusals = (
            Refusal(
                refusal.quantities,
                tuple(Condition(tuple(each.key.split(".")), each.relation, each.value) for each in refusal.when),
                refusal.reason,
            )
            for refusal in self.refusal
        )
        return Profile(codec_object=ObjectDecoder(tuple(entries), tuple(refusals)), fingerprint=fingerprint)


_Form = Annotated[_BytesProfile | _TypeLengthValueProfile | _ObjectProfile, Limits(discriminator="reads")]


class _Declared(RootModel[_Form]):
    """A file is one of the three forms."""


def load_declared(path: Path, taken: Collection[str] = ()) -> Profile:
    """The profile declared in ``path``. Raises ``ProfileError``, also when its name is one of ``taken``."""
    if path.stem in taken:
        raise ProfileError([f"{path.name}: the name {path.stem} is that of another profile."])
    try:
        content = path.read_bytes()
        document = tomllib.loads(content.decode("utf-8"))
        declared = _Declared.model_validate(document).root
    except OSError as error:
        raise ProfileError([f"{path.name}: cannot be read ({error.strerror})."]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProfileError([f"{path.name}: is not valid TOML: {error}."]) from None
    except ValidationError as error:
        raise ProfileError([f"{path.name}: {sentence}." for sentence in _sentences(error)]) from None
    return declared.profile(hashlib.sha256(content).hexdigest()[:12])


def _refuse_repeated(quantities: Sequence[str]) -> None:
    """A quantity twice would be two values for one key."""
    for quantity in quantities:
        if quantities.count(quantity) > 1:
            raise ValueError(f"quantity {quantity} is declared twice")


def _sentences(error: ValidationError) -> Iterator[str]:
    mistakes = error.errors()
    places = [mistake["loc"] for mistake in mistakes]
    for mistake in mistakes:
        # A list that holds a mistake is then also said to be too short.
        if any(place != mistake["loc"] and place[: len(mistake["loc"])] == mistake["loc"] for place in places):
            continue
        place = ".".join(_steps(mistake["loc"])) or "the file"
        match mistake["type"]:
            case "missing":
                yield f"{place} is missing"
            case "extra_forbidden":
                yield f"{place} is not a known key"
            case "union_tag_not_found" | "union_tag_invalid":
                yield "reads must be 'bytes', 'type_length_value' or 'object'"
            case _:
                said = mistake["msg"].removeprefix("Value error, ")
                yield f"{place}: {said[:1].lower()}{said[1:]}"


def _steps(location: tuple[Any, ...]) -> Iterator[str]:
    """``layout 1.field 2.offset``: tables are counted from one, and the form of the file is no key of it."""
    steps = [step for step in location if step not in ("bytes", "type_length_value")]
    steps = steps[1:] if steps[:1] == ["object"] else steps
    for step, following in zip(steps, [*steps, None][1:], strict=True):
        if isinstance(step, str):
            yield f"{step} {following + 1}" if isinstance(following, int) else step

"""Protobuf messages taken apart as data: numbered fields, each checked before it is believed.

Wire format: https://protobuf.dev/programming-guides/encoding/. Two readers of one message can see
different things where a field that is there once comes twice (they merge or take the last), or is
not known to one of them; both are refused here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from ..core.errors import WeightsError

MAX_FIELDS: Final = 400_000
MAX_VARINT_BYTES: Final = 10
MAX_TEXT: Final = 512
Kind = Literal["number", "bytes", "float", "numbers", "floats", "doubles"]
# Wire types: 0 a number of variable length, 1 eight bytes, 2 counted bytes, 5 four bytes.
WIRES: Final[Mapping[Kind, tuple[int, ...]]] = {
    "number": (0,), "bytes": (2,), "float": (5,),
    # Repeated numbers come one by one or packed into one field.
    "numbers": (0, 2), "floats": (5, 2), "doubles": (1, 2),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a field: its name, its kind, and whether it may come more than once."""

    name: str
    kind: Kind
    is_repeated: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message.

    Attributes:
        name: As the schema has it.
        value: A number (also the bits of four or eight bytes), or the bytes of the rest.
        whole: The bytes of the field with its tag, as they lie.
    """

    name: str
    value: int | memoryview
    whole: memoryview

    def bytes(self) -> memoryview:
        """Return the value of a field of bytes."""
        assert isinstance(self.value, memoryview)
        return self.value

    def number(self) -> int:
        """Return the value of a number."""
        assert isinstance(self.value, int)
        return self.value


Schema = Mapping[int, Known]


def fields_of(message: memoryview, schema: Schema, source: str) -> list[Field]:
    """Return the fields of a message in their order.

    Args:
        message: Its bytes.
        schema: All fields that are known, by number.
        source: What it is, for messages.

    Raises:
        WeightsError: Cut off, too many fields, one that is not known or of another kind, or one
            twice that is there once.
    """
    found: list[Field] = []
    seen: set[str] = set()
    for number, wire, value, whole in _walked(message, source):
        known = schema.get(number)
        if known is None or wire not in WIRES[known.kind]:
            raise WeightsError(
                f"{source} has a field {number} of wire type {wire}, which is not known here."
            )
        if known.name in seen and not known.is_repeated:
            raise WeightsError(f"{source} has the field {known.name} twice.")
        seen.add(known.name)
        found.append(Field(known.name, value, whole))
        if len(found) > MAX_FIELDS:
            raise WeightsError(f"{source} has more than {MAX_FIELDS} fields.")
    return found


def text_of(field: Field, source: str, most: int = MAX_TEXT) -> str:
    """Return the text of a field.

    Raises:
        WeightsError: Longer than ``most`` bytes, or not UTF-8.
    """
    value = field.bytes()
    if len(value) > most:
        raise WeightsError(f"{source} has a {field.name} of {len(value)} bytes.")
    try:
        return bytes(value).decode("utf-8")
    except UnicodeDecodeError as error:
        raise WeightsError(f"{source} has a {field.name} that is not UTF-8.") from error


def counted(number: int, payload: bytes | memoryview) -> bytes:
    """Return a field of counted bytes with its tag, as a message holds it."""
    return _varint(number << 3 | 2) + _varint(len(payload)) + bytes(payload)


def _walked(
    message: memoryview, source: str
) -> Iterator[tuple[int, int, int | memoryview, memoryview]]:
    place, end = 0, len(message)
    while place < end:
        start = place
        tag, place = _number_at(message, place, source)
        number, wire = tag >> 3, tag & 7
        value: int | memoryview
        if wire == 0:
            value, place = _number_at(message, place, source)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
            value, place = int.from_bytes(message[place : place + size], "little"), place + size
        elif wire == 2:
            size, place = _number_at(message, place, source)
            value, place = message[place : place + size], place + size
        else:
            raise WeightsError(f"{source} has a field of wire type {wire}, which is not known.")
        if place > end:
            raise WeightsError(f"{source} is cut off: a field reaches beyond its end.")
        yield number, wire, value, message[start:place]


def _number_at(message: memoryview, place: int, source: str) -> tuple[int, int]:
    """Return the number of variable length at ``place``, and where it ends."""
    number = 0
    for step in range(MAX_VARINT_BYTES):
        if place + step >= len(message):
            break
        byte = message[place + step]
        number |= (byte & 0x7F) << 7 * step
        if byte < 0x80:
            if number >> 64:
                break
            return number, place + step + 1
    raise WeightsError(f"{source} has a number that is cut off or too long.")


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)

"""What identifies a person, in one spelling: numbers as E.164, addresses in small letters, ids as text.

Owns the only reading of phone numbers and addresses as identifiers; how numbers are shown is browse/phones.py. Pure.
Source: RFC 5321 for addresses (compared in small letters, as every mail system does), ITU-T E.164 for numbers.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

import phonenumbers

from promptsync.model.table import MADE_UP, Identity, Table

_PLAIN = re.compile(r"\+[1-9][0-9]{6,14}")
_PHONE = re.compile(r"(?:\+|00)?[0-9(][0-9\s().\-/\u00a0\u2010-\u2015]{5,24}")
_EMAIL = re.compile(r"[^\s@<>\"',;:()\[\]]+@[^\s@<>\"',;:()\[\]]+\.[^\s@<>\"',;:()\[\]]+")
_IN_TEXT = re.compile(r"(?<![\w.])(?:\+|00)?[0-9(](?:[ .\-/()\u00a0\u2010-\u2015]{0,2}[0-9]){6,15}(?!\w)")
_NORTH_AMERICA, _LEAST, _MOST = 10, 7, 15


class Identifier(NamedTuple):
    """One identifier of a person, in its one spelling: two that are equal name the same."""

    kind: Identity
    value: str


@lru_cache(50_000)
def phone(text: str) -> str | None:
    """A number as E.164; None if it is no full number.

    Without + or 00, ten digits that can be a North American number are one; others begin with their country.

    >>> phone("+1 (415) 555-0123"), phone("4155550123"), phone("393331234567"), phone("32665")
    ('+14155550123', '+14155550123', '+393331234567', None)
    """
    text = text.strip()
    if _PLAIN.fullmatch(text):
        return text
    if not _PHONE.fullmatch(text):
        return None
    digits = re.sub(r"\D", "", text)
    if text.startswith("+"):
        return _full(text) or (f"+{digits}" if _LEAST <= len(digits) <= _MOST else None)
    if digits.startswith("00"):
        return _full(f"+{digits[2:]}")
    if len(digits) == _NORTH_AMERICA and (found := _full(f"+1{digits}")):
        return found
    return _full(f"+{digits}")


def _full(text: str) -> str | None:
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def email(text: str) -> str | None:
    """An address in small letters; None if it is none.

    >>> email(" Bo.Lind@Club.Example "), email("@club")
    ('bo.lind@club.example', None)
    """
    text = text.strip()
    return text.lower() if _EMAIL.fullmatch(text) else None


def identifier(kind: Identity, value: object) -> Identifier | None:
    """What a value of a column of this kind identifies; None if nothing does. TEXT is for ``mentioned``.

    >>> identifier(Identity.ADDRESS, "Bo@Club.Example"), identifier(Identity.CONTACT, 301).value
    (Identifier(kind=<Identity.EMAIL: 'e-mail'>, value='bo@club.example'), '301')
    """
    if value is None or isinstance(value, bool | bytes) or kind is Identity.TEXT:
        return None
    text = str(value).strip()
    if not text:
        return None
    if kind in MADE_UP and text.startswith(MADE_UP[kind]):
        return None
    if kind is Identity.CONTACT:
        return Identifier(kind, text) if text.isdecimal() and text.strip("0") else None
    if kind in (Identity.PHONE, Identity.ADDRESS) and (number := phone(text)):
        return Identifier(Identity.PHONE, number)
    if kind in (Identity.EMAIL, Identity.ADDRESS) and (address := email(text)):
        return Identifier(Identity.EMAIL, address)
    if kind in (Identity.PHONE, Identity.EMAIL):
        return None
    return Identifier(Identity.ACCOUNT if kind is Identity.ADDRESS else kind, text)


def mentioned(text: str) -> Iterator[Identifier]:
    """The numbers and addresses that stand in a text, wherever; short codes are none.

    >>> [one.value for one in mentioned("Bo: 415-555-0123, bo@club.example; room 12")]
    ['bo@club.example', '+14155550123']
    """
    if "@" in text:
        for found in _EMAIL.findall(text):
            if address := email(found.rstrip(".")):
                yield Identifier(Identity.EMAIL, address)
    for found in _IN_TEXT.findall(text):
        if number := phone(found):
            yield Identifier(Identity.PHONE, number)


def identifiers_in(table: Table, row: Mapping[str, object]) -> frozenset[Identifier]:
    """Every identifier that a row of the table states, by its declared columns; ``row``: column to value."""
    found: set[Identifier] = set()
    for column in table.identifying:
        value = row.get(column.name)
        if value is None or column.identity is None:
            continue
        if column.only_if is not None:
            other, words = column.only_if
            if str(row.get(other) or "").strip().lower() not in words:
                continue
        if column.identity is Identity.TEXT:
            found.update(mentioned(str(value)))
        elif one := identifier(column.identity, value):
            found.add(one)
    return frozenset(found)


def owners_in(table: Table, row: Mapping[str, object]) -> frozenset[Identifier]:
    """Whose a row is: the ids of people in it, if it has any; else the numbers and addresses.

    A message to a number that was somebody else's before is the contact's whom it names.
    """
    found = identifiers_in(table, row)
    return frozenset(one for one in found if one.kind.owns) or found

"""Phone numbers as people write them.

Owns how numbers are shown; which number identifies a person is said in model/person.py. Only full numbers (``+`` and
the country) are shown as numbers: a short code or a mistyped number is shown as it is stored. Whether two spellings are
one number is decided by ITU-T E.164. Pure.
"""

import re
from functools import lru_cache

import phonenumbers

_FULL = re.compile(r"\+[1-9][0-9]{6,14}")
_TYPED = re.compile(r"[\d\s()+.\-/\u00a0\u2010-\u2015]+")
_LEAST = 4
_LONGEST = 40
_NORTH_AMERICA = 1


@lru_cache(20_000)
def shown(text: str | None) -> str:
    """A number grouped as its country does, no digit lost; North American ones without their 1.

    >>> shown("+14155550123"), shown("+442079460000"), shown("32665"), shown(None)
    ('(415) 555-0123', '+44 20 7946 0000', '32665', '')
    """
    if not text or not _FULL.fullmatch(text):
        return text or ""
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        return text
    if not phonenumbers.is_possible_number(number):
        return text
    style = phonenumbers.PhoneNumberFormat
    home = number.country_code == _NORTH_AMERICA
    found = phonenumbers.format_number(number, style.NATIONAL if home else style.INTERNATIONAL)
    return found if re.sub(r"\D", "", found) == text[2 if home else 1 :] else text


@lru_cache(20_000)
def e164(text: str | None, region: str | None = None) -> str | None:
    """A number as E.164 has it, however it is written; None of anything else. ``region``: of numbers without country.

    >>> e164("(415) 555-0123", "US"), e164("0039 347 123 4567"), e164("39 347 1234567", "US"), e164("415 555 0123")
    ('+14155550123', '+393471234567', '+393471234567', None)
    """
    plain = re.sub(r"^00", "+", (text or "").strip())
    tries = [(plain, region)]
    if re.fullmatch(r"[1-9][0-9]{10,14}", digits := re.sub(r"[\s().-]", "", plain)):
        tries.append((f"+{digits}", None))
    for spelled, where in tries if len(plain) <= _LONGEST else ():
        try:
            number = phonenumbers.parse(spelled, where)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_possible_number(number) and not number.extension:
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return None


@lru_cache(1_000)
def region_of(text: str | None) -> str | None:
    """The country of a full number, such as US; None if it cannot be told."""
    if not text or not _FULL.fullmatch(text):
        return None
    return phonenumbers.region_code_for_number(phonenumbers.parse(text, None))


def spellings(number: str, region: str | None) -> tuple[str, ...]:
    """How programs write a number that E.164 has: with ``+``, with 00, with neither, and within its own country.

    >>> spellings("+14155550123", "US")
    ('+14155550123', '14155550123', '0014155550123', '4155550123')
    """
    digits = number.removeprefix("+")
    found = (number, digits, f"00{digits}")
    if region is None or region_of(number) != region:
        return found
    return (*found, phonenumbers.national_significant_number(phonenumbers.parse(number, None)))


def dialled(text: str | None) -> str:
    """What ``tel:`` takes, "" if it is no number that can be called."""
    return text if text and re.fullmatch(r"\+?[0-9]{3,15}", text) else ""


def digits_of(text: str) -> str:
    """The digits of what was typed, if it looks like (the end of) a number; else "".

    >>> digits_of("(541) 555-0056"), digits_of("0056"), digits_of("room 1234"), digits_of("12")
    ('5415550056', '0056', '', '')
    """
    if not _TYPED.fullmatch(text):
        return ""
    digits = re.sub(r"\D", "", text)
    return digits if len(digits) >= _LEAST and digits.isascii() else ""

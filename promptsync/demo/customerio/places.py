"""Where the simulated people live: regions with their area codes and time zones, as data. Knows no people."""

from typing import NamedTuple


class Place(NamedTuple):
    """One area code. ``country``: two letters; ``region``: US state or Canadian province, two letters."""

    area_code: str
    region: str
    country: str
    timezone: str


_ROWS = """
CA US America/Los_Angeles 209 213 310 323 408 415 510 530 559 619 626 650 661 707 714 805 831 909 916 925
OR US America/Los_Angeles 503 541
WA US America/Los_Angeles 206 253 360 425 509
NV US America/Los_Angeles 702 775
AZ US America/Phoenix 480 520 602 623 928
CO US America/Denver 303 719 970
UT US America/Denver 385 801
NM US America/Denver 505 575
TX US America/Chicago 210 214 281 512 713 817 956
IL US America/Chicago 217 312 630 773
MN US America/Chicago 218 612 651
GA US America/New_York 404 478 770
NY US America/New_York 212 315 518 646 718
FL US America/New_York 305 407 813
MI US America/Detroit 248 313 616
HI US Pacific/Honolulu 808
AK US America/Anchorage 907
BC CA America/Vancouver 250 604 778
AB CA America/Edmonton 403 780
ON CA America/Toronto 416 613 905
"""


def places() -> tuple[Place, ...]:
    """Every area code, home region first (California)."""
    found = []
    for row in _ROWS.strip().splitlines():
        region, country, timezone, *codes = row.split()
        found += [Place(code, region, country, timezone) for code in codes]
    return tuple(found)


def phone_number(place: Place, turn: int) -> str:
    """The ``turn``-th (from 0, below 10,000) number of an area code, all different, in the fictional exchange 555."""
    if not 0 <= turn < 10_000:
        raise ValueError(f"area code {place.area_code} has no fictional number left")
    return f"+1{place.area_code}555{turn * 7919 % 10_000:04d}"

"""Dates and times as people write them, in the organisation's zone.

Owns the steps between the mirror's times (ISO 8601, UTC) and a person's day and clock. The present comes in. A time
that cannot be one is shown as it is, and sorts wherever it does.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from markupsafe import Markup

from promptsync.browse.words import Words

_UNITS = (("day", 86_400, 2), ("hour", 3600, 1), ("minute", 60, 1))


class Dates:
    """Bound to a zone, to the present, and to a language."""

    def __init__(self, zone: ZoneInfo, now: datetime, words: Words) -> None:
        self.zone = zone
        self.now = now.astimezone(zone)
        self._words = words

    @property
    def today(self) -> date:
        """The date it is in the zone."""
        return self.now.date()

    def local(self, text: object) -> datetime | None:
        """A time of the mirror in the zone; None if it is no time."""
        if not isinstance(text, str):
            return None
        try:
            found = datetime.fromisoformat(text)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(self.zone)
        except (OverflowError, ValueError):
            return None

    def begin(self, day: date) -> str:
        """When a day begins, as the mirror writes times."""
        return iso(datetime.combine(day, time.min, self.zone))

    def time(self, text: object, style: str = "full") -> Markup:
        """A ``<time>``. ``style``: full (Today, 01:10), within (today, 01:10: in a sentence), day, clock."""
        if text in (None, ""):
            return Markup('<span class="none">{}</span>').format(self._words.say("dates.unknown"))
        moment = self.local(text)
        if moment is None:
            return Markup("{}").format(str(text)[:40])
        return Markup('<time datetime="{}" title="{}">{}</time>').format(
            moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            self._words.say("dates.exact", day=self._date(moment.date(), year=True), time=f"{moment:%H:%M:%S %Z}"),
            self._styled(moment, style),
        )

    def day(self, day: date) -> str:
        """``Today``, ``Yesterday``, ``Sun 22 Nov``, or with the year where it is another one."""
        ago = (self.today - day).days
        if ago in (0, 1):
            return str(self._words.say("dates.yesterday" if ago else "dates.today"))
        return self._date(day, year=day.year != self.today.year)

    def cell(self, text: object) -> str:
        """A time in a spreadsheet: ``2026-11-22 15:55``, in the zone that the heading names."""
        moment = self.local(text)
        return str(text or "") if moment is None else moment.strftime("%Y-%m-%d %H:%M")

    def ago(self, text: object) -> Markup | str:
        """``3 hours ago``."""
        moment = self.local(text)
        if moment is None:
            return ""
        seconds = (self.now - moment).total_seconds()
        for unit, size, least in _UNITS:
            if seconds >= size * least:
                return self._words.say(f"dates.ago_{unit}", n=int(seconds // size))
        return self._words.say("dates.just_now")

    def between(self, first: object, second: object) -> Markup | str:
        """How long from one time to a later one: ``14 minutes``, ``27 days``."""
        start, end = self.local(first), self.local(second)
        if start is None or end is None:
            return ""
        return self.span((end - start).total_seconds())

    def span(self, seconds: float) -> Markup | str:
        """A number of seconds as ``14 minutes``."""
        seconds = max(0, int(seconds))
        for unit, size, least in _UNITS:
            if seconds >= size * least * 1.5:
                return self._words.say(f"dates.span_{unit}", n=round(seconds / size))
        return self._words.say("dates.span_second", n=seconds)

    def _styled(self, moment: datetime, style: str) -> Markup | str:
        clock = f"{moment:%H:%M}"
        if style == "clock":
            return clock
        day = self.day(moment.date())
        if style == "day":
            return day
        if style == "within" and (ago := (self.today - moment.date()).days) in (0, 1):
            day = str(self._words.say("dates.within_yesterday" if ago else "dates.within_today"))
        return self._words.say("dates.at", day=day, time=clock)

    def _date(self, day: date, *, year: bool) -> str:
        parts = {
            "weekday": self._words.lists["dates.days"][day.weekday()],
            "month": self._words.lists["dates.months"][day.month - 1],
            "day": str(day.day),
        }
        return str(self._words.say("dates.long" if year else "dates.short", year=str(day.year), **parts))


def iso(moment: datetime) -> str:
    """As the mirror writes times: UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def date_of(text: str | None) -> date | None:
    """A date as a form sends it; None of anything else."""
    try:
        return date.fromisoformat(text) if text and len(text) == 10 else None
    except ValueError:
        return None


def days_before(day: date, count: int) -> date:
    """The first of ``count`` days that end with ``day``. Never before the calendar begins."""
    return day - timedelta(days=min(count - 1, day.toordinal() - 1))

"""Charts as inline SVG: columns over time, and a bar for a share. No scripts, no styles of their own.

Colours come from the style sheet, so that dark mode, paper and contrast are decided there. A chart has a title and a
description for those who do not see it; its page prints the same numbers as a table. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

_WIDTH, _HEIGHT = 720, 200
_LEFT, _TOP, _BOTTOM = 44, 8, 26
_LINES: Final = 4
_STEPS: Final = tuple(step * 10**power for power in range(10) for step in (1, 2, 5))


@dataclass(frozen=True, slots=True)
class Series:
    """``look``: its class in the style sheet (first, second); ``values``: one for each column."""

    look: str
    name: str
    values: Sequence[int]


def columns(
    key: str, title: str, about: str, labels: Sequence[str], series: Sequence[Series], every: int = 1
) -> Markup:
    """Stacked columns with the series on each other; each ``every``-th label is printed. ``key``: of its page alone."""
    totals = [sum(one.values[place] for one in series) for place in range(len(labels))]
    step = next((step for step in _STEPS if step * _LINES >= max(totals, default=0)), _STEPS[-1])
    ceiling = max(step * -(-max(totals, default=0) // step), 1)
    parts = [_line(value, ceiling) for value in range(0, ceiling + 1, step)]
    wide = (_WIDTH - _LEFT - 4) / max(len(labels), 1)
    for place, label in enumerate(labels):
        parts += _column(place * wide + _LEFT, wide, label, [(one, one.values[place]) for one in series], ceiling)
        if place % every == 0:
            parts.append(_tick(_LEFT + (place + 0.5) * wide, _HEIGHT - 8, "middle", label))
    head = Markup(
        '<svg class="chart" viewBox="0 0 {w} {h}" role="img" aria-labelledby="{key}-t {key}-d">'
        '<title id="{key}-t">{title}</title><desc id="{key}-d">{about}</desc>'
    ).format(w=_WIDTH, h=_HEIGHT, key=key, title=title, about=about)
    return head + Markup("").join(parts) + Markup("</svg>")


def bar(part: int, whole: int, look: str) -> Markup:
    """A share as a bar, for the eye only: the numbers stand beside it. Never longer than the whole."""
    width = min(max(100 * part / whole, 0.5), 100) if whole > 0 and part > 0 else 0
    return Markup(
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        '<rect class="{}" width="{}" height="10"/></svg>'
    ).format(look, f"{width:.2f}")


def _column(left: float, wide: float, label: str, stack: Sequence[tuple[Series, int]], ceiling: int) -> list[Markup]:
    found, top = [], float(_HEIGHT - _BOTTOM)
    for one, value in stack:
        if value > 0:
            high = max((_HEIGHT - _BOTTOM - _TOP) * value / ceiling, 1)
            top -= high
            found.append(
                Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}: {} {}</title></rect>').format(
                    one.look, f"{left + wide * 0.12:.1f}", f"{top:.1f}", f"{wide * 0.76:.1f}", f"{high:.1f}",
                    label, f"{value:,}", one.name,
                )
            )  # fmt: skip
    return found


def _line(value: int, ceiling: int) -> Markup:
    y = _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * value / ceiling
    line = Markup('<line class="grid" x1="{}" x2="{}" y1="{y}" y2="{y}"/>').format(_LEFT, _WIDTH, y=f"{y:.1f}")
    return line + _tick(_LEFT - 6, y + 4, "end", f"{value:,}")


def _tick(x: float, y: float, anchor: str, text: str) -> Markup:
    return Markup('<text class="tick" x="{}" y="{}" text-anchor="{}">{}</text>').format(
        f"{x:.1f}", f"{y:.1f}", anchor, text
    )

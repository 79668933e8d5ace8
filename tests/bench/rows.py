"""Figures as rows: medians, how many times better we are, the target beside it, a mark if missed.

A ratio always says how many times better the first side (ours) is, whether more or less of
the unit is better, so that every relative target reads "at least".  Pure values.
"""

import enum
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

MISSED: Final = "MISSED"
_COLUMNS: Final = (54, 9, 9, 9, 9, 9, 8, 10, 8)
_HEADINGS: Final = (
    *("", "unit", "first", "median", "first", "median"),
    *("ratio", "target", ""),
)


class Better(enum.Enum):
    """Which figures are good."""

    HIGHER = "rates"
    LOWER = "times, memory, work"


@dataclass(frozen=True, slots=True)
class AtLeast:
    """We must be this many times better than the peer."""

    ratio: float


@dataclass(frozen=True, slots=True)
class AtMost:
    """Our own figure must not be above this."""

    figure: float


@dataclass(frozen=True, slots=True)
class Measure:
    """What a row is about, known before anything is measured."""

    title: str
    unit: str
    better: Better
    target: AtLeast | AtMost | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured: the figures of every run, by side, ours first.

    A side may be missing where nothing can be measured on it.
    """

    measure: Measure
    figures: Mapping[str, Sequence[float]]

    @property
    def medians(self) -> list[float]:
        """One a side."""
        return [statistics.median(figures) for figures in self.figures.values()]

    @property
    def ratio(self) -> float | None:
        """How many times better we are, by medians; None without a peer or where one is 0."""
        medians = self.medians
        if len(medians) < 2 or not all(medians):
            return None
        ours, theirs = medians[0], medians[1]
        return ours / theirs if self.measure.better is Better.HIGHER else theirs / ours

    @property
    def is_missed(self) -> bool:
        """Whether a target that can be judged was not reached."""
        match self.measure.target:
            case AtLeast(wanted):
                return self.ratio is not None and self.ratio < wanted
            case AtMost(most):
                return self.medians[0] > most
            case None:
                return False


def number(value: float) -> str:
    """Three digits that count, thousands apart."""
    for least, digits in ((100, 0), (10, 1), (1, 2)):
        if abs(value) >= least:
            return f"{value:,.{digits}f}"
    return f"{value:.3f}"


def cells(row: Row) -> list[str]:
    """Title, unit, first and median of us and of the peer, ratio, target, mark."""
    sides = [
        (number(figures[0]), number(statistics.median(figures))) for figures in row.figures.values()
    ]
    ours, theirs = (*sides, ("", ""))[:2]
    ratio = "" if row.ratio is None else f"{number(row.ratio)}×"
    return [
        row.measure.title,
        row.measure.unit,
        *ours,
        *theirs,
        ratio,
        _target(row.measure.target),
        MISSED if row.is_missed else "",
    ]


def _target(target: AtLeast | AtMost | None) -> str:
    match target:
        case AtLeast(ratio):
            return f"≥ {ratio:g}×"
        case AtMost(figure):
            return f"≤ {figure:g}"
        case None:
            return ""


def heading(sides: Sequence[str]) -> str:
    """Two lines above rows of text."""
    ours, theirs = (*sides, "")[:2]
    before = sum(_COLUMNS[:2]) + 1
    pair = _COLUMNS[2] + _COLUMNS[3] + 1
    names = " " * before + f" {ours:>{pair}} {theirs:>{pair}}"
    return f"{names.rstrip()}\n{_aligned(_HEADINGS)}"


def text(row: Row) -> str:
    """The row in columns, and every run's figure below."""
    runs = "; ".join(
        f"{name} {' '.join(number(figure) for figure in figures)}"
        for name, figures in row.figures.items()
    )
    return f"{_aligned(cells(row))}\n      {runs}"


def _aligned(columns: Sequence[str]) -> str:
    first, *rest = zip(columns, _COLUMNS, strict=True)
    return (f"{first[0]:<{first[1]}} " + " ".join(f"{cell:>{w}}" for cell, w in rest)).rstrip()


def markdown(rows: Sequence[Row]) -> str:
    """All rows as one table."""
    lines = [
        "| row | unit | ours, first | ours, median | peer, first | peer, median "
        "| ratio | target | |",
        "|---|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    for row in rows:
        title, *rest, mark = cells(row)
        lines.append(f"| {title} | {' | '.join(rest)} | {'**missed**' if mark else ''} |")
    return "\n".join(lines)

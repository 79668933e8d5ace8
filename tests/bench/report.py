"""Measure all sides in turns, and print rows as they come."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from tests.bench.options import Options
from tests.bench.rows import Measure, Row, heading, markdown, text


class Side(Protocol):
    """Who takes part: its name, and the processes that it is made of."""

    @property
    def name(self) -> str:
        """Above its columns."""

    @property
    def pids(self) -> tuple[int, ...]:
        """The roots of its processes."""


_S = TypeVar("_S", bound=Side)


@dataclass(slots=True)
class Report:
    """The rows so far; only those that were asked for.

    machine: the lines above all tables.
    """

    options: Options
    machine: Sequence[str] = ()
    rows: list[Row] = field(default_factory=list)
    _doings: list[tuple[float, str]] = field(default_factory=list)

    def wants(self, *measures: Measure) -> bool:
        """Whether one of these rows was asked for."""
        wanted = self.options.only.lower()
        return any(wanted in measure.title.lower() for measure in measures)

    def begin(self, title: str, sides: Sequence[Side]) -> None:
        """A headline, and who takes part."""
        print(f"\n{title}")
        print("; ".join(f"{side.name}: pid {' '.join(map(str, side.pids))}" for side in sides))
        print(heading([side.name for side in sides]), flush=True)

    def now(self, doing: str) -> None:
        """What is measured from here on."""
        self._doings.append((time.perf_counter(), doing))

    def doing_at(self, at: float) -> str:
        """What was measured at that time of the performance counter."""
        known = [doing for since, doing in self._doings if since <= at]
        return known[-1] if known else "nothing"

    def add(self, row: Row) -> None:
        """Print and keep the row if it was asked for."""
        if self.wants(row.measure):
            self.rows.append(row)
            print(text(row), flush=True)

    def compare(
        self,
        measures: Sequence[Measure],
        sides: Sequence[_S],
        measure: Callable[[_S], Mapping[Measure, float]],
        runs: int | None = None,
    ) -> None:
        """Measure each side in turns; who begins takes turns as well.

        One measurement yields a figure for each of measures, or for some of them; each is a
        row.  runs: options.runs where None.
        """
        if not self.wants(*measures):
            return
        figures: dict[Measure, dict[str, list[float]]] = {each: {} for each in measures}
        for run in range(runs or self.options.runs):
            for side in sides if run % 2 == 0 else sides[::-1]:
                # What the other side left in memory must not be written in this one's time.
                os.sync()
                self.now(f"{measures[0].title} ({side.name})")
                for each, figure in measure(side).items():
                    figures[each].setdefault(side.name, []).append(figure)
        for each, by_side in figures.items():
            ordered = {side.name: by_side[side.name] for side in sides if side.name in by_side}
            if ordered:
                self.add(Row(each, ordered))

    def close(self, *, as_markdown: bool) -> None:
        """The table for the README, and what was missed."""
        if as_markdown:
            print("\n" + "\n".join(f"- {line}" for line in self.machine))
            print(f"\n{markdown(self.rows)}")
        missed = [row.measure.title for row in self.rows if row.is_missed]
        print(f"\n{len(self.rows)} rows, {len(missed)} targets missed")
        for title in missed:
            print(f"  missed: {title}")

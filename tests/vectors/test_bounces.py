"""Real bounces of 60 kinds of servers: each is read, and what it means is mostly understood."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailbox_server.delivery.bounces.incoming import Nature, Understood, understand
from mailbox_server.delivery.report_shape import is_report
from mailbox_server.mime.reports.reading import ReadReport, read_report
from mailbox_server.mime.scanner import scan
from mailbox_server.model.bounce import Cause

BOUNCES = Path(__file__).resolve().parents[3] / "shared" / "vectors" / "bounces" / "sisimai"
LABELS = Path(__file__).with_name("bounces") / "labels.txt"
HERE = pytest.mark.skipif(not BOUNCES.is_dir(), reason="shared vectors are not here")


@dataclass(frozen=True)
class Label:
    """What a person reads in one file; no cause where only the nature counts."""

    name: str
    nature: Nature
    causes: tuple[Cause, ...]

    def fits(self, found: Understood) -> bool:
        if found.nature is not self.nature:
            return False
        return not self.causes or found.recipients[0].judgement.cause in self.causes


def labels(section: str) -> Iterator[Label]:
    _, _, rest = LABELS.read_text("ascii").partition(f"[{section}]\n")
    for line in rest.partition("[")[0].splitlines():
        name, nature, *causes = line.split()
        yield Label(name, Nature(nature), tuple(Cause(cause) for cause in causes))


def understood(path: Path) -> Understood:
    return understand(report(path))


def report(path: Path) -> ReadReport:
    """Line ends as SMTP brings them; a first line of a mbox file is none of the message."""
    octets = re.sub(rb"\r\n?|\n", b"\r\n", path.read_bytes())
    if octets.startswith(b"From "):
        octets = octets.partition(b"\r\n")[2]
    structure, header = scan(octets)
    return read_report(header, structure, lambda start, length: octets[start : start + length])


@HERE
@pytest.mark.parametrize(
    ("section", "count", "most_wrong"), [("second", 163, 11), ("third", 51, 3)]
)
def test_what_labels_say_is_understood(section: str, count: int, most_wrong: int) -> None:
    all_labels = list(labels(section))
    wrong = [
        label.name
        for label in all_labels
        if not label.fits(understood(BOUNCES / "bsd" / f"{label.name}.eml"))
    ]
    assert len(all_labels) == count
    assert len(wrong) <= most_wrong, wrong


@HERE
def test_a_live_address_is_hardly_ever_taken_for_a_dead_one() -> None:
    lively = [
        label
        for section in ("second", "third")
        for label in labels(section)
        if label.causes and not any(cause.is_dead_address for cause in label.causes)
    ]
    taken = [
        label.name
        for label in lively
        for first in understood(BOUNCES / "bsd" / f"{label.name}.eml").recipients[:1]
        if first.judgement.cause.is_dead_address
    ]
    assert len(lively) > 80
    assert len(taken) <= 1, taken


@HERE
def test_line_ends_do_not_matter() -> None:
    names = sorted(path.name for path in (BOUNCES / "dos").glob("*.eml"))
    assert names == sorted(path.name for path in (BOUNCES / "mac").glob("*.eml"))
    for name in names:
        assert understood(BOUNCES / "dos" / name) == understood(BOUNCES / "mac" / name), name


@HERE
def test_every_file_can_be_read_and_most_are_bounces() -> None:
    natures = [understood(path).nature for path in sorted(BOUNCES.glob("*/*.eml"))]
    assert len(natures) == 832
    assert natures.count(Nature.FAILURE) > 700
    assert natures.count(Nature.OTHER) < 25


@HERE
def test_complaints_and_ordinary_mail_are_no_bounces() -> None:
    for path in sorted((BOUNCES / "bsd").glob("arf-*.eml")):
        assert understood(path).nature not in (Nature.FAILURE, Nature.DELAY), path.name
    for path in sorted((BOUNCES / "not").glob("is-not-*.eml")):
        assert understood(path).nature is not Nature.FAILURE, path.name


@HERE
def test_real_reports_have_the_shape_of_reports() -> None:
    """Two are a list program's own notices; the others tell a program, and no return path."""
    passed_over = sorted(
        path.stem for path in (BOUNCES / "bsd").glob("*.eml") if not is_report(report(path))
    )
    assert passed_over == [
        *(f"lhost-amazonses-{number:02}" for number in range(9, 14)),
        "lhost-fml-02",
        "lhost-fml-03",
    ]

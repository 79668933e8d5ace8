"""Scripts are read as tests/dialogues/README.md says; what is not in the format is refused."""

import dataclasses
from datetime import timedelta
from pathlib import Path

import pytest

from tests.dialogues.player.pattern import NameUnbound, Pattern, fill
from tests.dialogues.player.script import (
    Advance,
    EndDeflating,
    Expect,
    ExpectAnyLines,
    ExpectClosed,
    ExpectSilence,
    Forbid,
    Given,
    HangUp,
    MalformedScript,
    SendLine,
    SendOctets,
    StartDeflating,
    StartTls,
    Step,
    parse,
    scripts_in,
)

HERE = Path("idle.txt")


def steps(text: str) -> tuple[Step, ...]:
    return parse(f"# RFC 9051 §2: a rule.\n{text}\n1< *\n", HERE).steps[:-1]


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("given account ann with 3 messages", Given(2, "", "account ann with 3 messages")),
        ("1> a1 SELECT INBOX", SendLine(2, "", 1, "a1 SELECT INBOX")),
        ("12>  two spaces ", SendLine(2, "", 12, " two spaces ")),
        ("1>", SendLine(2, "", 1, "")),
        (r"1> a STORE 2 +FLAGS (\Deleted)", SendLine(2, "", 1, r"a STORE 2 +FLAGS (\Deleted)")),
        (r'1>> "a\r\n\x00\\\"é"', SendOctets(2, "", 1, b"a\r\n\0\\\"\xc3\xa9")),
        ('1>> "ab" * 3', SendOctets(2, "", 1, b"ababab")),
        ("1< * 3 EXISTS", Expect(2, "", 1, Pattern("* 3 EXISTS"))),
        (r'1<< "* \xff"', Expect(2, "", 1, Pattern(r' "* \xff"', b"* \xff"))),
        ("1< ! * 3 EXISTS", Forbid(2, "", 1, Pattern("* 3 EXISTS"))),
        ("1< !*ALERT*", Forbid(2, "", 1, Pattern("*ALERT*"))),
        ("1< ...", ExpectAnyLines(2, "", 1)),
        ("clock +29m", Advance(2, "", timedelta(minutes=29))),
        ("clock +1h30m", Advance(2, "", timedelta(minutes=90))),
        ("clock +500ms", Advance(2, "", timedelta(milliseconds=500))),
        ("1 closed", ExpectClosed(2, "", 1)),
        ("1 closes", HangUp(2, "", 1)),
        ("1 tls", StartTls(2, "", 1)),
        ("1 deflates", StartDeflating(2, "", 1)),
        ("1 inflates", EndDeflating(2, "", 1)),
        ("2 silent", ExpectSilence(2, "", 2)),
    ],
)  # fmt: skip
def test_each_kind_of_step(text: str, step: Step) -> None:
    (found,) = steps(text)
    assert found.source == text
    assert found == dataclasses.replace(step, source=text)


def test_comments_and_empty_lines_are_no_steps() -> None:
    assert steps("\n# here it becomes difficult\n   ") == ()


@pytest.mark.parametrize(
    "text",
    [
        "1> a1 NOOP\n1< a1 OK",
        "#\n1< a1 OK",
        "# a rule\n1> a1 NOOP",
        "# a rule\n1< *\n1 opens",
        "# a rule\n1< *\nx> a1",
        "# a rule\n1< *\nclock 29m",
        "# a rule\n1< *\nclock +29",
        "# a rule\n1< *\ngiven ",
        '# a rule\n1< *\n1>> "unfinished',
        '# a rule\n1< *\n1>> "\\q"',
        '# a rule\n1< *\n1>> "\\x4"',
        "# a rule\n1< *\n1<< a pattern",
    ],
)
def test_what_the_format_does_not_know_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(MalformedScript, match=r"^idle\.txt:"):
        parse(text, HERE)


def test_scripts_are_named_by_where_they_lie(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text("# a rule\n1< *\n", "utf-8")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "other.txt").write_text("# a rule\n1< *\n", "utf-8")
    found = scripts_in(tmp_path)
    assert [each.id for each in found] == ["good", "sub/other"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("pattern", "line", "names"),
    [
        ("* 3 EXISTS", b"* 3 EXISTS", {}),
        ("* 3 EXISTS", b"x 3 EXISTS", None),
        ("* 3 EXISTS", b"* 3 EXISTS ", None),
        ("a1 OK *", b"a1 OK ", {}),
        ("a1 OK *", b"a1 OK done * \xff", {}),
        ("a1 OK *", b"a1 OK", None),
        ("*ALERT*", b"* OK [ALERT] disk", {}),
        ("* OK [UIDVALIDITY $v] *", b"* OK [UIDVALIDITY 77] ok", {"v": b"77"}),
        ("$n $n", b"5 5", {"n": b"5"}),
        ("$n $n", b"5 6", None),
        ("$old", b"known", {}),
        ("$old", b"other", None),
        ("$n", b"", None),
        ("$Forwarded", b"$Forwarded", {}),
        ("(.[^a])+", b"(.[^a])+", {}),
        ("é", "é".encode(), {}),
    ],
)
def test_patterns(pattern: str, line: bytes, names: dict[str, bytes] | None) -> None:
    assert Pattern(pattern).match(line, {"old": b"known"}) == names


def test_exact_lines_know_no_wildcards() -> None:
    assert Pattern("", b"* $n \\").match(b"* $n \\", {}) == {}
    assert Pattern("", b"*").match(b"x", {}) is None


def test_names_are_filled_in() -> None:
    assert fill("a1 UID FETCH $u ($Junk)", {"u": b"7"}) == b"a1 UID FETCH 7 ($Junk)"
    with pytest.raises(NameUnbound, match=r"\$w"):
        fill("$u $w", {"u": b"7"})

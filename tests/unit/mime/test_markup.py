"""Text out of HTML, hostile HTML included."""

import pytest

from mailbox_server.mime import markup
from mailbox_server.mime.markup import markup_text


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>one</p><p>two</p>", "one two"),
        ("W<b>or</b>d", "Word"),
        ("a<br>b", "a b"),
        ("<td>a</td><td>b</td>", "a b"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a b"),
        ("&lt;b&gt; &eacute;", "<b> é"),
        ("<style>p{}</style><script>x()</script><title>t</title>text", "text"),
        ("<a href=\"x>y\" title='<b>'>link</a>", "link"),
        ("<!-- no -->yes", "yes"),
        ("", ""),
        ("plain", "plain"),
    ],
)
def test_text(html: str, expected: str) -> None:
    assert " ".join(markup_text(html).split()) == expected


class NeverParsed:
    def __init__(self, html: str) -> None:
        raise AssertionError("given to the parser")


@pytest.mark.parametrize(
    "level", ["<div>", "<ul></b><li>", "<div></x>", "<b><i>", "<table><tr><td>", "<font size=1>"]
)
def test_deep_nesting_never_reaches_the_parser(level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markup, "LexborHTMLParser", NeverParsed)
    assert " ".join(markup_text(level * 10_000 + "text").split()) == "text"


def test_the_parser_sees_no_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    class Seeing(NeverParsed):
        def __init__(self, html: str) -> None:
            seen.append(html)
            raise ValueError

    monkeypatch.setattr(markup, "LexborHTMLParser", Seeing)
    many = " ".join(f"a{n}=1" for n in range(10_000))
    for html in (f"<a {many}>x</a {many}>", f'<a b=c" {many}', f"<a b='<' c=\">\" {many}>x"):
        markup_text(html)
    assert [len(html) < 20 for html in seen] == [True, False, True]
    assert "<a a" not in seen[1] and seen[1].startswith("<a>")


def test_many_paragraphs_are_not_deep() -> None:
    assert markup_text("<p>x<br><img src=y>" * 1_000).count("x") == 1_000

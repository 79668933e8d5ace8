"""Text out of HTML, hostile HTML included."""

import pytest

from mailbox_server.mime.markup import MARKUP_CHARACTERS, markup_text


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
        ("<!-->yes<!--->, yes<!-- -no- --!>, yes", "yes, yes, yes"),
        ("<!--[if mso]><p>no</p><![endif]-->yes<![if !mso]>, yes<![endif]>", "yes, yes"),
        ("yes<!-- no", "yes"),
        ("<!DOCTYPE html><?xml version='1.0'?></ br>yes", "yes"),
        ("<STYLE>a > b { content: '<p>' }</Style>yes", "yes"),
        ("<style type='x'><!-- p{} </style >yes", "yes"),
        ("<script>if (a<b && c>d) '</p>'; </scripted></script\n>yes", "yes"),
        ("<head><title>no</title><meta charset=x></head><body>yes", "yes"),
        ("yes<style>no", "yes"),
        ("<styled>yes</styled><style/>no", "yes"),
        ("I <3 you, 1 < 2 > 0", "I <3 you, 1 < 2 > 0"),
        ("<td>a</td>\n\n b<TD>c", "a b c"),
        ("a<a b=c<b>d", "ad"),
        ("&am<b>p;&amp;lt;", "&&lt;"),
        ("", ""),
        ("plain", "plain"),
    ],
)
def test_text(html: str, expected: str) -> None:
    assert " ".join(markup_text(html).split()) == expected


@pytest.mark.parametrize(
    "level",
    ["<div>", "<ul></b><li>", "<div></x>", "<b><i>", "<table><tr><td>", "<font size=1>", '<a">'],
)
def test_deep_nesting_is_as_good_as_any(level: str) -> None:
    assert markup_text(level * 10_000 + "text").split()[-1].endswith("text")


def test_many_attributes_leave_no_trace() -> None:
    many = " ".join(f"a{n}=1" for n in range(10_000))
    assert markup_text(f"<a {many}>x</a {many}>") == "x"
    assert markup_text(f"<a b='<' c=\">\" {many}>x") == "x"


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<table>\n <tr><td>a </td>\n  </tr>\n</table> b", "\na\nb"),
        ("word ", "word\n"),
        (" word", "\nword"),
        ("<p>a<p>b</p>", "\na\nb\n"),
        ("a&nbsp;\n\u2003\nb", "a\nb"),
    ],
)
def test_no_line_is_blank_and_white_space_at_the_ends_stays(html: str, expected: str) -> None:
    assert markup_text(html) == expected


def test_many_paragraphs() -> None:
    assert markup_text("<p>x<br><img src=y>" * 1_000).count("x") == 1_000


@pytest.mark.parametrize(
    "piece", ["<style>", "<!--", "<a '", '<a "', "<", "-", "<!", "</", "&", "<style><x", "<a b=''"]
)
def test_any_characters_come_to_an_end(piece: str) -> None:
    markup_text("<!--" + piece * (2 * MARKUP_CHARACTERS // len(piece)))
    assert len(markup_text(piece * MARKUP_CHARACTERS)) <= MARKUP_CHARACTERS


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("&#65;", "A"),
        ("&#" + "0" * 5_000 + "65;", "A"),
        ("&#" + "9" * 5_000 + ";", "\ufffd"),
        ("&#" + "9" * 5_000, "\ufffd"),
        ("&#x" + "f" * 5_000 + ";", "\ufffd"),
        ("&#1114112;", "\ufffd"),
        ("&#0;", "\ufffd"),
        ("&#", "&#"),
        ("&#00;b", "\ufffdb"),
    ],
)
def test_references_to_characters_of_any_length(reference: str, expected: str) -> None:
    assert markup_text(f"<p>{reference}</p>") == f"\n{expected}\n"

"""Documents of other programs give their text; hostile ones give a reason, within bounds."""

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from mailbox_server.mime.documents import office
from mailbox_server.mime.documents.kinds import Kind
from mailbox_server.mime.documents.outcomes import Outcome
from mailbox_server.mime.documents.reading import DocumentText, read_document

MADE = Path(__file__).parents[3] / "vectors" / "documents"
WORDS = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def read(kind: Kind, octets: bytes, charset: str | None = None, most: int = 10_000) -> DocumentText:
    return read_document(kind, octets, charset, most, lambda: False)


def office_file(parts: Mapping[str, str | bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return stream.getvalue()


def letter(body: str, before: str = "") -> bytes:
    text = f'{before}<w:document xmlns:w="{WORDS}"><w:body>{body}</w:body></w:document>'
    return office_file({"word/document.xml": text})


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        (
            "letter.docx",
            "letter about the weathervane|roof and gutter|the weathervane turns in zürich's wind."
            "|slates|schieferplatten|tab here|roofer's header kirchturm|page foot fundament"
            "|ask the steeplejack",
        ),
        (
            "harvest.xlsx",
            "harvest|orchard plan|apfelsorte|gravensteiner|1234.5|りんごの木|quince hedge"
            "|only ripe ones",
        ),
        ("tour.pptx", "lighthouse tour|meet at the jetty|bring lanterns|mention the foghorn"),
        (
            "diary.odt",
            "beekeeping diary|the hive was heavy with honey|weighed with a steelyard",
        ),
        ("tides.ods", "tides|spring tide|7.25"),
        ("recital.odp", "glass harmonica recital"),
        (
            "invoice.pdf",
            "rechnung nr. 4711|dachdecker|über 12 dachluken, strasse 5, 99,00 €"
            "|zahlbar bis michaelmas|second page: counterfoil",
        ),
        ("scripts.pdf", "ναυτικόσ χάρτησ|яблочный пирог|zażółć gęślą jaźń"),
        ("open.pdf", "sealed with a signet"),
    ],
)
def test_the_text_of_a_document_is_read(name: str, texts: str) -> None:
    kind = Kind.PDF if name.endswith(".pdf") else Kind.OFFICE
    found = read(kind, (MADE / name).read_bytes())
    assert found.outcome is Outcome.READ
    assert [text for text in texts.split("|") if text not in found.text] == []


def test_numbers_of_shared_strings_and_truths_are_no_text() -> None:
    words = read(Kind.OFFICE, (MADE / "harvest.xlsx").read_bytes()).text.split()
    assert not {"0", "1", "2", "true"} & set(words)


def test_what_stands_in_for_others_and_what_was_deleted_is_no_text() -> None:
    body = (
        "<w:p><w:r><w:t>kept</w:t><w:delText>deleted</w:delText></w:r></w:p>"
        '<m:A xmlns:m="m"><m:Fallback><w:p><w:r><w:t>fallback</w:t></w:r></w:p></m:Fallback></m:A>'
    )
    assert read(Kind.OFFICE, letter(body)) == DocumentText(Outcome.READ, "kept")


def test_readings_of_characters_do_not_part_words() -> None:
    strings = "<sst><si><r><t>東</t></r><rPh><t>トウ</t></rPh><r><t>京</t></r></si></sst>"
    found = read(Kind.OFFICE, office_file({"xl/sharedStrings.xml": strings}))
    assert found.text == "東京"


def test_slides_come_in_the_order_of_their_numbers() -> None:
    slides = {f"ppt/slides/slide{n}.xml": f"<s><t>s{n}</t></s>" for n in (10, 2, 1)}
    assert read(Kind.OFFICE, office_file(slides)).text == "s1 s2 s10"


@pytest.mark.parametrize(
    ("kind", "octets", "outcome"),
    [
        (Kind.PDF, (MADE / "locked.pdf").read_bytes(), Outcome.ENCRYPTED),
        (Kind.PDF, b"", Outcome.UNKNOWN),
        (Kind.PDF, b"MZ" + bytes(2_000), Outcome.UNKNOWN),
        (Kind.PDF, b"%PDF-1.7\n" + bytes(100), Outcome.DAMAGED),
        (Kind.PDF, (MADE / "scripts.pdf").read_bytes()[:300], Outcome.DAMAGED),
        (Kind.OFFICE, b"{\\rtf1}", Outcome.UNKNOWN),
        (Kind.OFFICE, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), Outcome.ENCRYPTED),
        (Kind.OFFICE, b"PK\x03\x04" + bytes(100), Outcome.DAMAGED),
        (Kind.OFFICE, (MADE / "letter.docx").read_bytes()[:4_000], Outcome.DAMAGED),
        (Kind.OFFICE, office_file({"readme.txt": "text"}), Outcome.UNKNOWN),
        (Kind.OFFICE, letter("<w:p>"), Outcome.DAMAGED),
        (
            Kind.OFFICE,
            office_file({"content.xml": "?", "META-INF/manifest.xml": "<encryption-data/>"}),
            Outcome.ENCRYPTED,
        ),
        (Kind.CALENDAR, b"SUMMARY:alone\r\n", Outcome.UNKNOWN),
        (Kind.CALENDAR, bytes(10_000), Outcome.UNKNOWN),
    ],
)
def test_what_cannot_be_read_says_why(kind: Kind, octets: bytes, outcome: Outcome) -> None:
    assert read(kind, octets) == DocumentText(outcome)


def test_entities_are_not_expanded() -> None:
    laughs = '<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    assert read(Kind.OFFICE, letter("<w:t>&b;</w:t>", laughs)).outcome is Outcome.DAMAGED


def test_an_archive_that_expands_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(office, "EXPANDED_OCTETS", 1_000_000)
    bomb = office_file({f"word/header{n}.xml": b"<d>" + b" " * 300_000 for n in range(9)})
    assert len(bomb) < 10_000
    assert read(Kind.OFFICE, bomb).outcome in (Outcome.TOO_LARGE, Outcome.DAMAGED)
    one = office_file({"word/document.xml": b"<d>" + b" " * 2_000_000})
    assert read(Kind.OFFICE, one).outcome is Outcome.TOO_LARGE


def test_an_archive_of_too_many_files_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(office, "ENTRIES_MOST", 3)
    many = office_file({f"word/header{n}.xml": "<d/>" for n in range(4)})
    assert read(Kind.OFFICE, many).outcome is Outcome.TOO_LARGE


def test_nesting_costs_no_stack() -> None:
    body = "<w:p>" * 5_000 + "<w:t>deep</w:t>" + "</w:p>" * 5_000
    assert read(Kind.OFFICE, letter(body)).text == "deep"


def test_text_beyond_the_limit_is_cut() -> None:
    found = read(Kind.OFFICE, letter("<w:p><w:t>words</w:t></w:p>" * 100), most=30)
    assert found.outcome is Outcome.CUT
    assert found.text == ("words " * 5)[:30].strip()


def test_pages_that_come_too_late_are_left_out() -> None:
    calls = iter((False, True))
    octets = (MADE / "invoice.pdf").read_bytes()
    found = read_document(Kind.PDF, octets, None, 10_000, lambda: next(calls))
    assert found.outcome is Outcome.CUT
    assert "michaelmas" in found.text and "counterfoil" not in found.text


def pdf_of(stream: bytes, dictionary: bytes) -> bytes:
    """A PDF of one page, whose cross-reference table is missing."""
    return (
        b"%%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R/Resources"
        b"<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>endobj\n"
        b"4 0 obj<<%s/Length %d>>stream\n%s\nendstream endobj\n"
        b"trailer<</Root 1 0 R>>\nstartxref\n0\n%%%%EOF" % (dictionary, len(stream), stream)
    )


def test_a_pdf_without_its_table_is_read() -> None:
    found = read(Kind.PDF, pdf_of(b"BT /F 9 Tf (found anyway) Tj ET", b""))
    assert found == DocumentText(Outcome.READ, "found anyway")


def test_a_stream_that_expands_without_end_is_given_up() -> None:
    packer, zeros = zlib.compressobj(), bytes(1_000_000)
    first, block = [packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2)]
    found = read(Kind.PDF, pdf_of(first + 80 * block, b"/Filter/FlateDecode"))
    assert found.outcome in (Outcome.EXHAUSTED, Outcome.DAMAGED)
    assert found.text == ""


def test_pages_that_name_each_other_come_to_an_end() -> None:
    looped = pdf_of(b"", b"").replace(b"/Kids[3 0 R]", b"/Kids[2 0 R]")
    assert read(Kind.PDF, looped).text == ""

"""What is kept as evidence, and each line that may not be crossed."""

from __future__ import annotations

import pytest

from agents.file_types import LONGEST_NAME, CannotTake, clean_name, looked_at
from tests.agents.some_files import archive, mail, packed, pdf, picture

HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + b"\x00" * 64


@pytest.mark.parametrize(
    ("name", "content", "content_type"),
    [
        ("bill.pdf", pdf(), "application/pdf"),
        ("shot.png", picture("PNG"), "image/png"),
        ("photo.JPG", picture("JPEG"), "image/jpeg"),
        ("photo.jpeg", picture("JPEG"), "image/jpeg"),
        ("shot.webp", picture("WEBP"), "image/webp"),
        ("phone.heic", HEIC, "image/heic"),
        ("chat.txt", "Ich war nie in Zürich.".encode(), "text/plain"),
        ("chat.txt", "Ich war nie in Zürich.".encode("cp1252"), "text/plain"),
        ("chat.txt", "أنا لم أسافر".encode("utf-16"), "text/plain"),
        ("answer.eml", mail(), "message/rfc822"),
        ("answer.eml", mail(("shot.png", picture()), ("bill.pdf", pdf())), "message/rfc822"),
    ],
)
def test_what_proves_something_is_kept_as_what_its_bytes_say(name: str, content: bytes, content_type: str) -> None:
    kept, kind = looked_at(name, content)

    assert (kept, kind.content_type) == (name, content_type)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("bill.pdf", b"MZ\x90\x00" + b"\x00" * 200, "none of what can be kept"),
        ("bill.pdf", b"\x7fELF" + b"\x00" * 200, "none of what can be kept"),
        ("bill.pdf", archive(), "none of what can be kept"),
        ("bill.txt", b"#!/bin/sh\nrm -rf /\n", "none of what can be kept"),
        ("bill.txt", b"<!DOCTYPE html><script>alert(1)</script>", "none of what can be kept"),
        ("bill.txt", "<html><body>".encode("utf-16"), "none of what can be kept"),
        ("shot.png", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'>", "none of what can be kept"),
        ("shot.svg", b"<svg xmlns='http://www.w3.org/2000/svg'>", "none of what can be kept"),
        ("film.gif", b"GIF89a" + b"\x00" * 40, "none of what can be kept"),
        ("shot.png", picture("JPEG"), "it is JPEG"),
        ("bill.pdf", picture("PNG"), "it is PNG"),
        ("page.html", pdf(), "it is PDF"),
        ("bill.pdf", b"", "is empty"),
        ("bill", pdf(), "no ending"),
        ("invoice.exe.pdf", pdf(), "two endings"),
        ("invoice.pdf.exe", pdf(), "it is PDF"),
        ("invoice.html.png", picture(), "two endings"),
    ],
)
def test_what_is_renamed_or_runs_is_refused_with_words(name: str, content: bytes, words: str) -> None:
    with pytest.raises(CannotTake, match=words):
        looked_at(name, content)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\Users\\frida\\bill.pdf", "bill.pdf"),
        ("bill\u202efdp.pdf", "billfdp.pdf"),
        ("bi\x00ll\r\n.pdf", "bill.pdf"),
        ('a"b<c>|?*.pdf', "a_b_c____.pdf"),
        ("  bill 2026.03  .pdf", "bill 2026.03.pdf"),
        ("x" * 500 + ".pdf", "x" * (LONGEST_NAME - 4) + ".pdf"),
    ],
)
def test_a_name_brings_no_folder_and_no_trick(given: str, kept: str) -> None:
    assert clean_name(given) == kept


@pytest.mark.parametrize("name", ["", ".", "..", "/", ".pdf", "\u202e"])
def test_a_name_that_says_nothing_is_refused(name: str) -> None:
    with pytest.raises(CannotTake):
        clean_name(name)


SCRIPT = b"<< /S /JavaScript /JS (app.alert\\(1\\)) >>"


@pytest.mark.parametrize(
    "document",
    [
        pdf(SCRIPT),
        pdf(b"<< /S /J#61vaScript /J#53 (app.alert\\(1\\)) >>"),
        pdf(b"<< /S /Launch /F (calc.exe) >>"),
        pdf(b"<< /Names << /EmbeddedFiles 4 0 R >> >>"),
        pdf(b"<< /Type /EmbeddedFile >>"),
        pdf(b"<< /AcroForm << /XFA [] >> >>"),
        pdf(b"<< /S /SubmitForm >>"),
        pdf(b"<< /Subtype /RichMedia >>"),
        pdf(packed(b"4 0 " + SCRIPT)),
        pdf(packed(b"0 0 << /S /JavaScript >>", entries=b"")),
        pdf(b"(>>\nstream\n) " + SCRIPT + b" (endstream)"),
        pdf(b"<< /JS 7 0 R >>"),
    ],
    ids=[
        "script", "spelt in code", "program", "files", "a file", "XFA", "sends itself", "film", "packed script",
        "script in any stream", "hidden behind a false stream", "script elsewhere",
    ],
)  # fmt: skip
def test_a_document_that_does_something_is_refused(document: bytes) -> None:
    with pytest.raises(CannotTake, match="carries"):
        looked_at("bill.pdf", document)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (pdf(b"<< /Encrypt 5 0 R >>"), "locked"),
        (pdf(ending=b""), "cut short"),
        (pdf(b"<< /Type /ObjStm /Filter [/ASCIIHexDecode /FlateDecode] >>\nstream\n00\nendstream"), "cannot be looked"),
        (pdf(packed(b"\x00" * 70_000_000, entries=b"")), "unpacks to more"),
        (b" " + pdf(), "none of what can be kept"),
    ],
    ids=["locked", "cut", "packed twice", "bomb", "not from the first byte"],
)
def test_a_document_that_cannot_be_looked_into_is_refused(document: bytes, words: str) -> None:
    with pytest.raises(CannotTake, match=words):
        looked_at("bill.pdf", document)


def test_a_link_and_a_page_to_begin_with_are_no_script() -> None:
    document = pdf(b"<< /OpenAction [3 0 R /Fit] /A << /S /URI /URI (https://example.com/JSON) >> >>")

    assert looked_at("bill.pdf", document)[1].name == "PDF"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("shot.png", picture("PNG") + archive(), "archive as well"),
        ("shot.jpg", picture("JPEG") + archive(), "archive as well"),
        ("bill.pdf", pdf(ending=b"\n%%EOF\n" + archive()), "archive as well"),
        ("shot.png", picture("PNG") + b"MZ" + b"\x00" * 50, "goes on after"),
        ("shot.jpg", picture("JPEG") + b"MZ" + b"\x00" * 50, "goes on after"),
        ("shot.webp", picture("WEBP") + b"<?", "goes on after"),
        ("shot.png", picture("PNG")[:-20], "cut short"),
        ("shot.jpg", picture("JPEG").replace(b"JFIF\x00", b"<script>alert(1)</script>"), "page or a script"),
        ("shot.jpg", picture("JPEG") + b"%PDF-1.7", "document as well"),
    ],
)
def test_a_file_that_is_two_things_is_refused(name: str, content: bytes, words: str) -> None:
    with pytest.raises(CannotTake, match=words):
        looked_at(name, content)


def test_a_picture_that_would_fill_a_memory_is_refused() -> None:
    huge = picture()
    huge = huge[:16] + (40_000).to_bytes(4, "big") * 2 + huge[24:]

    with pytest.raises(CannotTake, match="40000 by 40000"):
        looked_at("shot.png", huge)


@pytest.mark.parametrize(
    "attached",
    [
        ("run.exe", b"MZ\x90"),
        ("bill.pdf", pdf(SCRIPT)),
        ("bill.docm", archive("word/vbaProject.bin")),
        ("page.html", b"<html><script>alert(1)</script>"),
        ("fwd.eml", mail(("run.exe", b"MZ\x90"))),
    ],
)
def test_what_is_attached_to_a_mail_is_looked_at_too(attached: tuple[str, bytes]) -> None:
    with pytest.raises(CannotTake, match="attached"):
        looked_at("answer.eml", mail(attached))


def test_mails_in_mails_end_somewhere() -> None:
    nested = mail()
    for _ in range(8):
        nested = mail(("fwd.eml", nested))

    with pytest.raises(CannotTake, match="deeper"):
        looked_at("answer.eml", nested)

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from dunning.gateways.receipts import Receipt, ReceiptRefused, parse_receipt, signature_of, verify_signature

RECEIPT = {"key": "notice:42", "state": "delivered", "at": "2026-08-19T09:00:00+02:00"}


def body(*receipts: object) -> bytes:
    return json.dumps(receipts[0] if len(receipts) == 1 else list(receipts)).encode()


def test_a_known_signature_is_recognised():
    # RFC 4231, test case 2.
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert signature_of(b"what do ya want for nothing?", "Jefe") == expected
    for written in (expected, f"sha256={expected}", expected.upper(), f" {expected}\n"):
        assert verify_signature(b"what do ya want for nothing?", written, "Jefe")


@pytest.mark.parametrize("signature", ["", "sha256=", "0" * 64, "नकली", "sha1=" + "0" * 40])
def test_any_other_signature_is_not(signature):
    assert not verify_signature(b"{}", signature, "secret")


def test_a_changed_body_or_an_empty_secret_verifies_nothing():
    assert not verify_signature(b"{ }", signature_of(b"{}", "secret"), "secret")
    assert not verify_signature(b"{}", signature_of(b"{}", ""), "")


def test_receipts_come_alone_in_a_list_or_in_an_envelope():
    expected = Receipt(
        key="notice:42", provider_ref=None, state="delivered", at=datetime(2026, 8, 19, 7, tzinfo=UTC), detail=""
    )
    second = {"id": "p-1", "state": "failed", "at": "2026-08-19T07:00:00Z", "detail": "switched off"}
    assert parse_receipt(body(RECEIPT)) == [expected]
    both = parse_receipt(body(RECEIPT, second))
    assert both == parse_receipt(json.dumps({"receipts": [RECEIPT, second]}).encode())
    assert both[0] == expected
    assert (both[1].provider_ref, both[1].state, both[1].detail) == ("p-1", "failed", "switched off")
    assert parse_receipt(b"[]") == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"key": None}, "neither key nor id"),
        ({"key": 7}, "key must be text"),
        ({"key": "a\x00b"}, "key must be text"),
        ({"state": "lost"}, "state must be one of"),
        ({"state": None}, "state must be one of"),
        ({"at": None}, "at must be a moment"),
        ({"at": "yesterday"}, "at must be a moment"),
        ({"at": "2026-08-19T09:00:00"}, "offset"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "out of range"),
        ({"detail": ["x"]}, "detail must be text"),
    ],
)
def test_a_receipt_that_is_not_right_refuses_the_body_and_says_which(change, complaint):
    with pytest.raises(ReceiptRefused, match=f"receipt 2: .*{complaint}"):
        parse_receipt(body(RECEIPT, RECEIPT | change))


@pytest.mark.parametrize(
    "content", [b"", b"key=1", b"\xff", b'"text"', b"7", b"[[]]", b'{"receipts": {}, "x": 1}', b"[" * 100_000]
)
def test_what_is_no_receipt_is_refused(content):
    with pytest.raises(ReceiptRefused):
        parse_receipt(content)


def test_a_long_explanation_is_shortened():
    [receipt] = parse_receipt(body(RECEIPT | {"detail": "x" * 5000}))
    assert len(receipt.detail) == 300

"""A folder of the book's files, written by a test and imported through the real path."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from accounts import settling
from accounts.book import (
    ACCOUNTS,
    ADJUSTMENTS,
    BILLS,
    CONSENTS,
    CONTACTS,
    CUSTOMERS,
    HOLDS,
    PAYMENTS,
    SERVICES,
    VULNERABILITIES,
)
from accounts.importing.landing import Report, import_folder, retry_rejected

BOOK = (
    CUSTOMERS,
    ACCOUNTS,
    SERVICES,
    BILLS,
    PAYMENTS,
    ADJUSTMENTS,
    CONTACTS,
    CONSENTS,
    HOLDS,
    VULNERABILITIES,
)
ON = date(2026, 3, 2)


class BookFolder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.at = datetime(2026, 3, 2, 12, tzinfo=UTC)

    def write(self, file: str, content: str | bytes) -> None:
        raw = content if isinstance(content, bytes) else content.encode()
        (self.path / f"{file}.csv").write_bytes(raw)

    def only(self, file: str, content: str | bytes) -> None:
        """The folder now holds this file alone."""
        for path in self.path.iterdir():
            path.unlink()
        self.write(file, content)

    def base(self) -> None:
        """Two customers, an account each in dollars and a third in yen, two bills of 50."""
        self.write("customers", "customer_id,name,country\nC1,Acme,US\nC2,Brook,US\n")
        self.write("accounts", "account_id,customer_id,currency\nA1,C1,USD\nA2,C2,USD\nJ1,C2,JPY\n")
        self.write(
            "bills",
            "bill_id,account_id,issued_on,due_on,amount\n"
            "B1,A1,2026-01-01,2026-01-20,50.00\nB2,A2,2026-02-01,2026-02-20,50.00\n",
        )

    def bring(self, *, dry_run: bool = False) -> Report:
        """Import the folder; every import is a minute after the one before."""
        self.at += timedelta(minutes=1)
        return import_folder(self.path, BOOK, on=ON, at=self.at, dry_run=dry_run)

    def retry(self) -> Report:
        self.at += timedelta(minutes=1)
        return retry_rejected(BOOK, on=ON, at=self.at)

    def settle(self) -> int:
        return settling.settle(as_of=ON, at=self.at)


def counts(report: Report) -> dict[str, tuple[int, int, int, int]]:
    """By file without its ending: rows, written, unchanged, rejected."""
    return {
        count.file.removesuffix(".csv"): (count.rows, count.written, count.unchanged, count.rejected)
        for count in report.files
    }


def rejected(report: Report) -> list[tuple[int, str, str]]:
    """Line, column and reason of each."""
    return [(rejection.line, rejection.column, rejection.reason) for rejection in report.rejected]

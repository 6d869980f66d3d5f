"""Every part at every size, each size in a scratch database of its own."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Iterator, Sequence

from django.db import connection

from tests.bench import bills, book, claims, day, figures, floors, pages, release, scratch, trail, tried, words
from tests.bench.part import Line, say, table


def main(arguments: Sequence[str]) -> None:
    """Measure, then print the table."""
    sizes, only = _asked(arguments)
    lines = [line for accounts in sizes for line in measured(accounts, only=only)]
    print(f"{_machine()}\n\n{table(lines)}")


def measured(accounts: int, *, only: str = "") -> list[Line]:
    """The lines of one size; ``only``: of that part alone."""
    return list(_ALONE[only](accounts) if only else _measure(accounts))


def _asked(arguments: Sequence[str]) -> tuple[list[int], str]:
    parser = argparse.ArgumentParser(prog="make bench", description="How fast the desk is, beside its floors.")
    parser.add_argument("--accounts", type=int, nargs="+", default=[10_000, 100_000], metavar="N")
    parser.add_argument("--million", action="store_true", help="1,000,000 accounts too")
    parser.add_argument("--only", choices=[*_ALONE], default="", help="this part alone")
    found = parser.parse_args(arguments)
    return sorted({*found.accounts, *([1_000_000] if found.million else [])}), found.only


def _pages(accounts: int) -> Iterator[Line]:
    say(f"{accounts:,} accounts: making the book")
    with scratch.migrated():
        floors.make_tables(accounts)
        book.add_accounts()
        book.add_money_and_history()
        yield from pages.measure(accounts)


def _supervision(accounts: int) -> Iterator[Line]:
    say(f"{accounts:,} accounts: making the book")
    with scratch.migrated():
        floors.make_tables(accounts)
        book.add_accounts()
        book.add_money_and_history()
        yield from figures.measure(accounts)
        yield from trail.measure(accounts)


#: Parts that can be measured alone.
_ALONE = {"pages": _pages, "supervision": _supervision}


def _measure(accounts: int) -> Iterator[Line]:
    say(f"{accounts:,} accounts: making the book")
    with scratch.migrated() as name:
        floors.make_tables(accounts)
        book.add_accounts()
        with scratch.copy_of(name, "import"):
            yield from bills.measure(accounts)
            say("  bills imported")
            yield from claims.measure(accounts)
            say("  queue worked")
        book.add_money_and_history()
        with scratch.copy_of(name, "release"):
            yield from release.measure(accounts)
            say("  notices released by the gate")
        with scratch.copy_of(name, "pages"):
            yield from pages.measure(accounts)
            say("  pages made")
        with scratch.copy_of(name, "supervision"):
            yield from figures.measure(accounts)
            yield from trail.measure(accounts)
        yield from day.measure(accounts, name)
        yield from tried.measure(accounts, name)
    yield from words.measure(accounts)
    say("  words said")


def _machine() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version'), current_setting('fsync')")
        version, fsync = cursor.fetchone()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB, Python {platform.python_version()}, "
        f"PostgreSQL {version} with fsync {fsync}."
    )

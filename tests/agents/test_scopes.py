"""What is counted by cell, added up for every scope."""

from __future__ import annotations

from agents.scopes import EVERYTHING, Cell, Parts, Place, Scope


def test_however_many_cells_there_are_sums_are_kept_of_scopes() -> None:
    cells = {n: Cell("EUR", f"Team {n % 2}", "", f"product {n % 3}", "", "") for n in range(600)}
    parts = Parts(cells, people={"nadia": "Team 1"})

    for number, cell in cells.items():
        parts.money[number].plus(("sales",), 10)
        parts.said(Place(number, cell.currency, cell.team), "nadia", ("calls",), 1)

    found = parts.every("EUR")
    assert found[EVERYTHING] == {("sales",): 6_000, ("calls",): 600}
    assert found[Scope("product", "product 2")] == {("sales",): 2_000, ("calls",): 200}
    # Money is of whose account it is; what Nadia did is her team's.
    assert found[Scope("team", "Team 0")] == {("sales",): 3_000}
    assert found[Scope("team", "Team 1")] == {("sales",): 3_000, ("calls",): 600}
    assert len(parts.money.sums) == len({EVERYTHING}) + 2 + 3 + len(("segment", "policy", "arm"))


def test_a_scope_in_which_nothing_was_counted_is_there_and_accounts_that_are_not_looked_at_count_nowhere() -> None:
    parts = Parts({1: Cell("EUR", "North", "", "fibre", "", "")}, people={})

    parts.money[0].plus(("sales",), 10)

    assert parts.every("EUR")[Scope("team", "North")] == {}
    assert parts.every("EUR")[EVERYTHING] == {}

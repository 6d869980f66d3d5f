"""The file this room takes: what was placed with outside agencies before, or beside, the desk."""

from __future__ import annotations

from accounts.importing import columns
from accounts.importing.spec import Check, Column, FileSpec, row_check
from accounts.models import Account
from dunning.models import Agency, Placement


def _agency(code: str) -> Agency:
    """One that nobody has described yet; a person gives it its name."""
    return Agency(code=code, name=code)


PLACEMENTS = FileSpec(
    file="placements.csv",
    model=Placement,
    key=("placement_id",),
    columns=(
        Column("placement_id", columns.NEW_ID, required=True, into="ref"),
        Column("account_id", columns.ID, required=True, refers_to=Account),
        Column(
            "agency", columns.ID, required=True, refers_to=Agency, refers_by="code", makes=_agency, into="agency_id"
        ),
        Column("amount", columns.amount(at_least=0), required=True),
        Column("placed_on", columns.DATE, required=True),
        Column("recalled_on", columns.DATE),
    ),
    fixed=("account_id",),
    checks=(
        row_check("recalled_on", "is before placed_on", "s.recalled_on < s.placed_on"),
        Check(
            "account_id",
            "the account is with an agency already",
            """SELECT s.line FROM stage s WHERE s.recalled_on IS NULL AND (
                   EXISTS (SELECT 1 FROM stage o
                            WHERE o.account_id = s.account_id AND o.recalled_on IS NULL AND o.line < s.line)
                OR EXISTS (SELECT 1 FROM dunning_placement t
                            WHERE t.account_id = s.account_id AND t.recalled_on IS NULL AND t.ref <> s.placement_id
                              AND NOT EXISTS (SELECT 1 FROM stage o
                                               WHERE o.placement_id = t.ref AND o.recalled_on IS NOT NULL)))""",
        ),
    ),
)

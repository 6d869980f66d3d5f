"""What an agent is for: languages, segments, products, and how much at most. Nothing stated keeps nothing from them.

What is not known of a customer keeps nobody away either: a customer without a language may speak anybody's. A callback
goes to the agent who agreed it, and a task or an approval needs no skill.
"""

from __future__ import annotations

from typing import Any

from agents.models import Agent

#: The language without its country: ``de-AT`` is spoken by whoever speaks ``de``.
LANGUAGE = "split_part(replace(lower({column}), '_', '-'), '-', 1)"


def languages_of(agent: Agent) -> list[str]:
    """As ``LANGUAGE`` puts them."""
    spoken = (code.strip().lower().replace("_", "-").partition("-")[0] for code in agent.languages)
    return sorted({language for language in spoken if language})


def condition(agent: Agent, *, item: str, named: bool = True) -> tuple[str, dict[str, Any]]:
    """SQL that an item is for the agent, and its parameters, each used once and in order.

    ``named``: the placeholders are ``%(name)s``, else ``%s``.
    """
    stated: dict[str, Any] = {}
    wanted: list[str] = []

    def placeholder(name: str, value: Any) -> str:
        stated[name] = value
        return f"%({name})s" if named else "%s"

    if languages := languages_of(agent):
        column = LANGUAGE.format(column="c.language")
        wanted.append(f"(c.language = '' OR {column} = ANY({placeholder('languages', languages)}::text[]))")
    if agent.segments:
        wanted.append(f"(a.segment = '' OR a.segment = ANY({placeholder('segments', list(agent.segments))}::text[]))")
    if agent.products:
        wanted.append(f"(a.product = '' OR a.product = ANY({placeholder('products', list(agent.products))}::text[]))")
    if agent.most_overdue is not None:
        wanted.append(f"a.overdue <= {placeholder('most_overdue', agent.most_overdue)}")
    if not wanted:
        return "true", {}
    # A scalar subquery: EXISTS would be hashed over every account.
    return (
        f"""({item}.kind <> 'collect' OR {item}.kept_for_id IS NOT DISTINCT FROM {int(agent.pk)} OR (
            SELECT true FROM accounts_account a JOIN accounts_customer c ON c.id = a.customer_id
             WHERE a.id = {item}.account_id AND {" AND ".join(wanted)}))""",
        stated,
    )

"""Where a customer is at law: the codes that packs say they apply in. Pure.

Residence decides; an area code alone adds a time zone, and only where no state is known also the state it belongs to.
"""

from __future__ import annotations

from functools import lru_cache

import us

from dunning.gate.zones import Place, states_of

#: The members of the European Union.
MEMBERS = frozenset(
    "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE".split()  # noqa: SIM905
)
_BOROUGHS = frozenset({"new york", "new york city", "nyc", "manhattan", "brooklyn", "queens", "bronx", "staten island"})
#: First three digits of the postal codes of the five boroughs.
_NYC_POSTAL = frozenset({"100", "101", "102", "103", "104", "111", "112", "113", "114", "116"})


@lru_cache(maxsize=100_000)
def of(place: Place) -> frozenset[str]:
    """``US``, ``US-NY``, ``US-NYC``, ``GB``, ``DE`` …; nothing where the country is not known."""
    country = place.country.upper()
    if not country:
        return frozenset()
    found = {country}
    region = place.region.strip().removeprefix(f"{country}-")
    if country == "US":
        state = us.states.lookup(region) if region else None
        states = frozenset({f"US-{state.abbr}"}) if state is not None else states_of(place.numbers)
        found |= states
        if "US-NY" in states and (
            place.city.strip().lower() in _BOROUGHS or place.postal_code.strip()[:3] in _NYC_POSTAL
        ):
            found.add("US-NYC")
    elif region:
        found.add(f"{country}-{region.upper()}")
    return frozenset(found)

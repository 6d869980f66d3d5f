"""What the demo operator sells and what it costs a month, before usage and with tax, in minor units."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from collections_desk.demo.people import Customer, landline_number, mobile_number, pick

# country -> kind of service -> monthly fees, tax included, in minor units
FEES: dict[str, dict[str, tuple[int, ...]]] = {
    "US": {
        "mobile": (3500, 4500, 5500, 7000),
        "broadband": (4999, 5999, 7999),
        "tv": (3999, 6499, 8999),
        "fixed": (1999, 2499),
        "other": (499, 999),
    },
    "ES": {
        "mobile": (1200, 1500, 2000, 2990),
        "broadband": (3290, 3990, 4990),
        "tv": (1000, 2200, 3500),
        "fixed": (1210, 1750),
        "other": (299, 500),
    },
    "DE": {
        "mobile": (1499, 1999, 2499, 3999),
        "broadband": (2999, 3999, 4499),
        "tv": (999, 1499, 2499),
        "fixed": (1795, 2195),
        "other": (299, 499),
    },
    "IN": {
        "mobile": (34900, 44900, 59900, 74900),
        "broadband": (49900, 79900, 99900),
        "tv": (25000, 39900),
        "fixed": (29900,),
        "other": (4900, 9900),
    },
    "GB": {
        "mobile": (1200, 1800, 2500, 3500),
        "broadband": (2800, 3400, 4200),
        "tv": (1200, 2400, 3900),
        "fixed": (1900, 2300),
        "other": (299, 599),
    },
    "FR": {
        "mobile": (1099, 1599, 1999, 2999),
        "broadband": (2999, 3999, 4499),
        "tv": (500, 1200, 2000),
        "fixed": (1790, 2190),
        "other": (299, 500),
    },
    "AE": {
        "mobile": (12500, 20000, 30000),
        "broadband": (29900, 38900),
        "tv": (4900, 9900),
        "fixed": (4500,),
        "other": (2500, 4900),
    },
}
#: What a five in euros or dollars is in the country's minor units, where it is something else.
_FIVES = {"IN": 10000, "AE": 2000}


def five(country: str) -> int:
    """A small round amount of the country's money, in minor units: 5 euros, 100 rupees, 20 dirhams."""
    return _FIVES.get(country, 500)


# running share -> what a household has
_HOUSEHOLDS: tuple[tuple[float, tuple[str, ...]], ...] = (
    (0.33, ("mobile",)),
    (0.45, ("mobile", "mobile")),
    (0.51, ("mobile", "mobile", "mobile", "other")),
    (0.58, ("broadband",)),
    (0.70, ("broadband", "mobile")),
    (0.77, ("broadband", "mobile", "mobile")),
    (0.84, ("broadband", "tv")),
    (0.90, ("broadband", "tv", "fixed")),
    (0.97, ("broadband", "tv", "mobile", "mobile", "fixed")),
    (1.00, ("fixed",)),
)


@dataclass(slots=True)
class Service:
    """A line or product of an account; `fee` in minor units a month."""

    kind: str
    number: str
    fee: int
    protected: bool = False
    status: str = "active"


def services_for(*, rng: Random, customer: Customer, business: bool) -> list[Service]:
    """What one account of the customer holds: a household's mix, or a business's lines with its access."""
    kinds: tuple[str, ...]
    if business:
        kinds = (
            ("mobile",) * (1 + int(rng.random() ** 2 * 9)) + ("broadband",) + (("fixed",) if rng.random() < 0.6 else ())
        )
    else:
        draw = rng.random()
        kinds = next(mix for upto, mix in _HOUSEHOLDS if draw < upto)
    fees, country, city = FEES[customer.country.code], customer.country, customer.city
    services = []
    for kind in kinds:
        number = ""
        if kind == "mobile":
            number = mobile_number(rng, country, city)
        elif kind == "fixed":
            number = landline_number(rng, country, city)
        services.append(Service(kind=kind, number=number, fee=pick(rng, fees[kind])))
    return services


def product_of(services: list[Service]) -> str:
    """The product of the account: the kind of its services, or `bundle` when there are several kinds."""
    kinds = {service.kind for service in services if service.kind != "other"}
    return kinds.pop() if len(kinds) == 1 else "bundle"

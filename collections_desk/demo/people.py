"""Who the customers of the demo book are. Everybody is made up.

E-mail domains end in .example (RFC 2606). Telephone numbers come from the ranges set aside for fiction where a country
has them: 555-0100 to 555-0199 in every North American area code, and the "drama numbers" of the regulators of Germany
(Bundesnetzagentur, notice 148/2021), the United Kingdom (Ofcom) and France (ARCEP). Spain, India and the Emirates have
none, so theirs all share one run of zeros after the prefix.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class City:
    """A city with what an address and a landline in it look like."""

    name: str
    region: str
    timezone: str
    postal: tuple[str, ...]  # the leading digits
    landline: tuple[str, ...]  # E.164 prefixes, completed by `Country.landline_digits`


@dataclass(frozen=True, slots=True)
class Country:
    """A market of the operator: its money, its taxes and its ways of naming."""

    code: str
    currency: str
    language: str
    tax_rate: float
    due_days: int  # residential; businesses get 30
    first_names: tuple[str, ...]
    surnames: tuple[str, ...]
    two_surnames: bool
    streets: tuple[str, ...]
    number_first: bool
    cities: tuple[City, ...]
    city_weights: tuple[int, ...]
    postal_digits: int
    mobile: tuple[str, ...]  # E.164 prefixes, completed by `mobile_digits`; empty: as the landline
    mobile_digits: int
    landline_digits: int
    mail: tuple[str, ...]
    trades: tuple[str, ...]
    forms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContactPoint:
    """A way to reach the customer beside those of the customer file; days are ordinals, 0: none."""

    kind: str
    value: str
    preferred: bool = False
    valid_from: int = 0
    valid_to: int = 0


@dataclass(frozen=True, slots=True)
class Consent:
    """What the customer file says of a channel; of service messages, unless it names another purpose."""

    channel: str
    given: bool
    day: int
    source: str
    purpose: str = ""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Vulnerability:
    category: str
    severity: str  # low, medium, high
    noted: int
    review: int
    note: str


@dataclass(slots=True)
class Customer:
    """A person or a business, as the first file of the book has it, and what they told us about themselves."""

    customer_id: str
    name: str
    kind: str
    country: Country
    language: str
    city: City
    postal_code: str
    address: str
    email: str
    phone: str
    birth_date: str
    contact_points: list[ContactPoint] = field(default_factory=list)
    consents: list[Consent] = field(default_factory=list)
    vulnerabilities: list[Vulnerability] = field(default_factory=list)

    def withdrawn_on(self, channel: str) -> int:
        """The day the customer withdrew consent for `channel`, 0 if never."""
        return next((consent.day for consent in self.consents if consent.channel == channel and not consent.given), 0)

    @property
    def is_in_new_york_city(self) -> bool:
        """Whether electronic messages about a debt need a consent of their own there."""
        return self.kind == "residential" and self.city.name == "New York"


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


def _us(name: str, region: str, zone: str, postal: str, areas: str) -> City:
    return City(
        name,
        region,
        f"America/{zone}",
        tuple(postal.split()),
        tuple(f"+1{area}55501" for area in areas.split()),
    )


US = Country(
    code="US",
    currency="USD",
    language="en",
    tax_rate=0.118,
    due_days=21,
    first_names=_words(
        "James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara Richard Susan Joseph "
        "Jessica Thomas Karen Christopher Nancy Daniel Lisa Matthew Betty Anthony Sandra Mark Ashley Donald "
        "Emily Steven "
        "Kimberly Andrew Donna Paul Michelle Joshua Carol Kenneth Amanda Kevin Melissa Brian Deborah Tyrone "
        "Keisha Luis "
        "Rosa Wei Mei Hassan Aaliyah Omar Jasmine Terrence Denise Caleb Hannah Grace Nathan Olivia Ethan Maya Isaac"
    ),
    surnames=_words(
        "Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez Wilson "
        "Anderson Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris Sanchez Clark Ramirez Lewis "
        "Robinson "
        "Walker Young Allen King Wright Scott Torres Nguyen Hill Flores Green Adams Nelson Baker Hall Rivera Campbell "
        "Mitchell Carter Roberts Gomez Phillips Evans Turner Diaz Parker Cruz Edwards Collins Reyes Stewart "
        "Morris Murphy "
        "Cook Rogers Ortiz Morgan Cooper Peterson Bailey Reed Kelly Howard Kim Cox Ward Patel O'Brien Kowalski"
    ),
    two_surnames=False,
    streets=tuple(
        f"{name} {kind}"
        for name in _words(
            "Maple Oak Cedar Elm Washington Lake Hill Walnut Spring North Ridge Church Willow Mill Sunset Lee"
        )
        for kind in ("Street", "Avenue", "Drive", "Lane", "Court", "Road")
    ),
    number_first=True,
    cities=(
        _us("New York", "NY", "New_York", "100 101 112", "212 646 917 718 347"),
        _us("Buffalo", "NY", "New_York", "142", "716"),
        _us("Boston", "MA", "New_York", "021", "617 857"),
        _us("Worcester", "MA", "New_York", "016", "508 774"),
        _us("Newark", "NJ", "New_York", "071", "973 862"),
        _us("Philadelphia", "PA", "New_York", "191", "215 267"),
        _us("Atlanta", "GA", "New_York", "303", "404 678 770"),
        _us("Miami", "FL", "New_York", "331", "305 786"),
        _us("Charlotte", "NC", "New_York", "282", "704 980"),
        _us("Columbus", "OH", "New_York", "432", "614 380"),
        _us("Indianapolis", "IN", "New_York", "462", "317 463"),
        _us("Chicago", "IL", "Chicago", "606", "312 773 872"),
        _us("Milwaukee", "WI", "Chicago", "532", "414"),
        _us("Minneapolis", "MN", "Chicago", "554", "612 763"),
        _us("Houston", "TX", "Chicago", "770", "713 281 832"),
        _us("Dallas", "TX", "Chicago", "752", "214 972 469"),
        _us("Nashville", "TN", "Chicago", "372", "615 629"),
        _us("Los Angeles", "CA", "Los_Angeles", "900", "213 310 323 818"),
        _us("San Diego", "CA", "Los_Angeles", "921", "619 858"),
        _us("Sacramento", "CA", "Los_Angeles", "958", "916 279"),
        _us("Seattle", "WA", "Los_Angeles", "981", "206 425"),
        _us("Portland", "OR", "Los_Angeles", "972", "503 971"),
        _us("Las Vegas", "NV", "Los_Angeles", "891", "702 725"),
    ),
    city_weights=(9, 2, 4, 2, 3, 4, 5, 5, 3, 3, 2, 7, 2, 3, 6, 5, 2, 9, 4, 2, 4, 3, 3),
    postal_digits=5,
    mobile=(),
    mobile_digits=2,
    landline_digits=2,
    mail=("mail.example", "inbox.example", "post.example", "quickmail.example", "homenet.example"),
    trades=_phrases(
        "Dental Group|Auto Repair|Roofing|Bakery|Law Office|Landscaping|Plumbing|Pet Clinic|Coffee Roasters|"
        "Fitness Studio|"
        "Freight|Printing|Florist|Accounting|Staffing|Electric|Pharmacy|Realty|Catering|Hardware"
    ),
    forms=("LLC", "Inc.", "Co.", "& Sons", "Partners"),
)

ES = Country(
    code="ES",
    currency="EUR",
    language="es",
    tax_rate=0.21,
    due_days=18,
    first_names=_words(
        "María Carmen Ana Isabel Laura Cristina Marta Lucía Elena Sara Paula Raquel Beatriz Pilar Rocío Nuria "
        "Silvia Irene "
        "Alba Inés Antonio José Manuel Francisco David Javier Daniel Carlos Jesús Alejandro Miguel Rafael Pablo Sergio "
        "Ángel Fernando Jorge Luis Alberto Álvaro Adrián Diego Rubén Iván Óscar Hugo Iker Jordi Andrés Ramón"
    ),
    surnames=_words(
        "García Rodríguez González Fernández López Martínez Sánchez Pérez Gómez Martín Jiménez Ruiz Hernández "
        "Díaz Moreno "
        "Muñoz Álvarez Romero Alonso Gutiérrez Navarro Torres Domínguez Vázquez Ramos Gil Ramírez Serrano Blanco "
        "Molina "
        "Morales Suárez Ortega Delgado Castro Ortiz Rubio Marín Sanz Núñez Iglesias Medina Garrido Cortés "
        "Castillo Santos "
        "Lozano Guerrero Cano Prieto Méndez Cruz Calvo Gallego Vidal León Herrera Márquez Peña Flores Cabrera Campos"
    ),
    two_surnames=True,
    streets=_phrases(
        "Calle Mayor|Calle del Carmen|Calle de Alcalá|Avenida de la Constitución|Calle San Juan|Plaza de España|"
        "Calle Real|"
        "Avenida de Andalucía|Calle de la Paz|Calle Nueva|Ronda de Levante|Calle Cervantes|Calle Goya|Paseo de "
        "la Estación|"
        "Calle Santa Ana|Avenida del Puerto|Calle del Olmo|Calle Colón|Travesía del Río|Calle Luna"
    ),
    number_first=False,
    cities=(
        City("Madrid", "MD", "Europe/Madrid", ("280",), ("+3491000",)),
        City("Barcelona", "CT", "Europe/Madrid", ("080",), ("+3493000",)),
        City("Valencia", "VC", "Europe/Madrid", ("460",), ("+3496000",)),
        City("Sevilla", "AN", "Europe/Madrid", ("410",), ("+3495000",)),
        City("Málaga", "AN", "Europe/Madrid", ("290",), ("+3495100",)),
        City("Zaragoza", "AR", "Europe/Madrid", ("500",), ("+3497600",)),
        City("Bilbao", "PV", "Europe/Madrid", ("480",), ("+3494400",)),
        City("Murcia", "MC", "Europe/Madrid", ("300",), ("+3496800",)),
    ),
    city_weights=(9, 8, 4, 4, 3, 2, 2, 2),
    postal_digits=5,
    mobile=("+3460000", "+3461000", "+3462000", "+3463000", "+3465000", "+3466000"),
    mobile_digits=4,
    landline_digits=4,
    mail=("correo.example", "mail.example", "buzon.example", "inbox.example"),
    trades=_phrases(
        "Panadería|Talleres|Asesoría|Peluquería|Transportes|Clínica Dental|Ferretería|Construcciones|Librería|Bodegas|"
        "Restaurante|Hostal|Floristería|Farmacia|Reformas|Gestoría|Viveros|Imprenta"
    ),
    forms=("S.L.", "S.A.", "e Hijos S.L.", "y Asociados S.L.P."),
)

DE = Country(
    code="DE",
    currency="EUR",
    language="de",
    tax_rate=0.19,
    due_days=14,
    first_names=_words(
        "Anna Julia Katharina Sabine Monika Petra Claudia Susanne Stefanie Andrea Birgit Ursula Renate Lena "
        "Marie Sophie "
        "Johanna Greta Frieda Heike Thomas Michael Andreas Peter Stefan Christian Wolfgang Klaus Jürgen Markus "
        "Matthias "
        "Frank Uwe Bernd Jan Lukas Felix Maximilian Jonas Paul Mehmet Ayşe Emre Elif Piotr Agnieszka Dieter "
        "Helga Günter"
    ),
    surnames=_words(
        "Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Schäfer Koch Bauer Richter "
        "Klein Wolf "
        "Schröder Neumann Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange Schmitt Werner Krause Lehmann Köhler "
        "Maier Herrmann König Walter Kaiser Huber Fuchs Peters Lang Scholz Möller Weiß Jung Hahn Vogel Friedrich "
        "Keller "
        "Günther Frank Berger Winkler Roth Beck Lorenz Baumann Franke Albrecht Schuster Simon Ludwig Böhm Öztürk Kaya"
    ),
    two_surnames=False,
    streets=_phrases(
        "Hauptstraße|Bahnhofstraße|Gartenstraße|Schulstraße|Lindenstraße|Bergstraße|Goethestraße|Schillerstraße|"
        "Waldweg|"
        "Mühlenweg|Am Markt|Kirchgasse|Friedrichstraße|Rosenweg|Ringstraße|Kastanienallee|Mozartstraße|Eichenweg"
    ),
    number_first=False,
    cities=(
        City("Berlin", "BE", "Europe/Berlin", ("101", "104", "120", "135"), ("+493023125",)),
        City("Hamburg", "HH", "Europe/Berlin", ("200", "203", "222"), ("+494066969",)),
        City("München", "BY", "Europe/Berlin", ("803", "806", "815"), ("+498999998",)),
        City("Köln", "NW", "Europe/Berlin", ("506", "509"), ("+492214710",)),
        City("Frankfurt am Main", "HE", "Europe/Berlin", ("603", "605"), ("+496990009",)),
    ),
    city_weights=(9, 5, 5, 4, 3),
    postal_digits=5,
    mobile=("+4917139200", "+49176040690"),
    mobile_digits=2,
    landline_digits=3,
    mail=("post.example", "mail.example", "brief.example", "inbox.example"),
    trades=_phrases(
        "Bäckerei|Elektrotechnik|Steuerberatung|Tischlerei|Autohaus|Gartenbau|Spedition|Metallbau|Druckerei|Praxis Dr.|"
        "Apotheke|Gasthaus|Malerbetrieb|Optik|Immobilien|Feinkost|Dachdeckerei"
    ),
    forms=("GmbH", "KG", "e.K.", "GmbH & Co. KG", "& Söhne GmbH"),
)

IN = Country(
    code="IN",
    currency="INR",
    language="hi",
    tax_rate=0.18,
    due_days=16,
    first_names=_words(
        "Aarav Vivaan Aditya Arjun Rohan Rahul Amit Suresh Ramesh Vikram Sanjay Rajesh Manoj Anil Deepak Karan Nikhil "
        "Harish Ganesh Imran Priya Anjali Neha Pooja Kavita Sunita Meena Lakshmi Divya Shreya Asha Rekha Swati "
        "Nisha Ritu "
        "Farah Ananya Isha Kiran Geeta Tanvi Sneha Abdul Gurpreet Harpreet Joseph Mary"
    ),
    surnames=_words(
        "Sharma Verma Gupta Singh Kumar Patel Shah Mehta Joshi Desai Reddy Rao Nair Menon Iyer Iyengar Pillai "
        "Das Ghosh "
        "Banerjee Mukherjee Chatterjee Bose Sen Mishra Pandey Tiwari Yadav Chauhan Rathore Kapoor Khanna "
        "Malhotra Chopra "
        "Bhatia Arora Sethi Kulkarni Patil Deshmukh Jadhav Naidu Khan Ansari Shaikh D'Souza Fernandes Thomas"
    ),
    two_surnames=False,
    streets=_phrases(
        "MG Road|Station Road|Gandhi Nagar|Nehru Marg|Civil Lines|Lajpat Nagar|Sector 14|Park Street|Temple Road|"
        "Ring Road|"
        "Shivaji Nagar|Model Town|Green Park|Ashok Vihar|Jubilee Road|Lake View Road|Rajendra Nagar|Subhash Marg"
    ),
    number_first=True,
    cities=(
        City("New Delhi", "DL", "Asia/Kolkata", ("110",), ("+911160000",)),
        City("Mumbai", "MH", "Asia/Kolkata", ("400",), ("+912260000",)),
        City("Pune", "MH", "Asia/Kolkata", ("411",), ("+912060000",)),
        City("Bengaluru", "KA", "Asia/Kolkata", ("560",), ("+918060000",)),
        City("Chennai", "TN", "Asia/Kolkata", ("600",), ("+914460000",)),
        City("Hyderabad", "TG", "Asia/Kolkata", ("500",), ("+914060000",)),
        City("Kolkata", "WB", "Asia/Kolkata", ("700",), ("+913360000",)),
        City("Jaipur", "RJ", "Asia/Kolkata", ("302",), ("+911416000",)),
    ),
    city_weights=(8, 8, 4, 6, 5, 4, 4, 2),
    postal_digits=6,
    mobile=("+9160000", "+9170000", "+9180000", "+9190000"),
    mobile_digits=5,
    landline_digits=3,
    mail=("dak.example", "mail.example", "inbox.example", "patra.example"),
    trades=_phrases(
        "Textiles|Traders|Electronics|Sweets|Logistics|Jewellers|Pharma|Builders|Tours & Travels|Stationers|Motors|"
        "Consultants|Infotech|Caterers|Exports|Dairy"
    ),
    forms=("Pvt Ltd", "& Co.", "Enterprises", "LLP"),
)

GB = Country(
    code="GB",
    currency="GBP",
    language="en",
    tax_rate=0.20,
    due_days=14,
    first_names=_words(
        "Oliver George Harry Jack Noah Arthur Muhammad Leo Oscar Theo Freya Isla Ava Amelia Poppy Evie Florence Ivy "
        "Margaret Susan Janet Gillian Alan Keith Graham Nigel Trevor Colin Aisha Imran Nadia Rhys Owain Cerys Callum "
        "Fiona Hamish Eilidh Niamh Declan"
    ),
    surnames=_words(
        "Smith Jones Taylor Brown Williams Wilson Davies Evans Thomas Johnson Roberts Walker Wright Robinson Thompson "
        "Hughes Edwards Green Hall Wood Harris Clarke Patel Khan Ahmed Begum Lewis Jackson Turner Hill Cooper Ward "
        "Morgan Morris Campbell Stewart MacDonald Murphy Kelly Singh Okafor Whitfield Bennett Shah"
    ),
    two_surnames=False,
    streets=_phrases(
        "High Street|Station Road|Church Lane|Victoria Road|Mill Lane|Park Avenue|Queens Road|Kings Road|Albert Street|"
        "The Green|Manor Road|Chapel Street|Springfield Road|Grange Road|Windsor Road|York Road"
    ),
    number_first=True,
    cities=(
        City("London", "ENG", "Europe/London", ("E1 ", "N16 ", "SE5 ", "SW9 "), ("+4420794600", "+4420794603")),
        City("Manchester", "ENG", "Europe/London", ("M1 ", "M14 "), ("+4416149600",)),
        City("Birmingham", "ENG", "Europe/London", ("B1 ", "B13 "), ("+4412149600",)),
        City("Leeds", "ENG", "Europe/London", ("LS1 ", "LS6 "), ("+4411349600",)),
        City("Glasgow", "SCT", "Europe/London", ("G1 ", "G12 "), ("+4414149600",)),
        City("Cardiff", "WLS", "Europe/London", ("CF10 ",), ("+4429201800",)),
    ),
    city_weights=(9, 5, 4, 3, 3, 2),
    postal_digits=0,
    mobile=("+447700900",),
    mobile_digits=3,
    landline_digits=2,
    mail=("post.example", "mail.example", "inbox.example"),
    trades=_phrases(
        "Plumbing|Bakery|Scaffolding|Joinery|Garages|Catering|Dental Care|Opticians|Haulage|Printers|Florists|Brewery|"
        "Letting Agents|Electrical|Hardware"
    ),
    forms=("Ltd", "& Sons Ltd", "LLP", "Group Ltd"),
)

FR = Country(
    code="FR",
    currency="EUR",
    language="fr",
    tax_rate=0.20,
    due_days=16,
    first_names=_words(
        "Camille Léa Manon Chloé Inès Louise Emma Sarah Juliette Nathalie Sylvie Isabelle Martine Monique Françoise "
        "Hugo Lucas Louis Gabriel Adam Arthur Thomas Nicolas Julien Sébastien Laurent Philippe Alain Mehdi Karim Amina "
        "Fatou Aurélie Céline Benoît Rémi Yann Gaëlle"
    ),
    surnames=_words(
        "Martin Bernard Dubois Petit Durand Leroy Roux David Bertrand Morel Fournier Girard Bonnet Dupont Lambert "
        "Fontaine Rousseau Vincent Muller Lefebvre Faure Mercier Blanc Guérin Boyer Garnier Chevalier François Legrand "
        "Gauthier Perrin Robin Clément Morin Nguyen Diallo Benali Traoré"
    ),
    two_surnames=False,
    streets=_phrases(
        "rue de la République|avenue Victor Hugo|rue du Moulin|place de l'Église|rue Pasteur|boulevard Voltaire|"
        "rue des Lilas|chemin des Vignes|rue Jean Jaurès|allée des Tilleuls|rue de la Gare|quai du Port"
    ),
    number_first=True,
    cities=(
        City("Paris", "IDF", "Europe/Paris", ("750",), ("+33199001", "+33199003")),
        City("Lyon", "ARA", "Europe/Paris", ("690",), ("+33465711",)),
        City("Marseille", "PAC", "Europe/Paris", ("130",), ("+33465713",)),
        City("Toulouse", "OCC", "Europe/Paris", ("310",), ("+33536491",)),
        City("Lille", "HDF", "Europe/Paris", ("590",), ("+33353011",)),
        City("Nantes", "PDL", "Europe/Paris", ("440",), ("+33261911",)),
    ),
    city_weights=(9, 4, 4, 3, 3, 2),
    postal_digits=5,
    mobile=("+33639981", "+33639983", "+33639985"),
    mobile_digits=3,
    landline_digits=3,
    mail=("courriel.example", "mail.example", "boite.example"),
    trades=_phrases(
        "Boulangerie|Garage|Plomberie|Menuiserie|Pharmacie|Librairie|Fleuriste|Restaurant|Transports|Imprimerie|Optique|"
        "Cabinet comptable|Coiffure|Boucherie"
    ),
    forms=("SARL", "SAS", "EURL", "et Fils SARL"),
)

AE = Country(
    code="AE",
    currency="AED",
    language="ar",
    tax_rate=0.05,
    due_days=18,
    first_names=_words(
        "Ahmed Mohammed Khalid Saeed Omar Yousef Hamad Rashid Sultan Majid Fatima Maryam Aisha Noura Hessa Salama "
        "Latifa Shamma Layla Huda Tariq Bilal Karim Samir Rania Dina Hana Yasmin"
    ),
    surnames=_phrases(
        "Al Mansoori|Al Hashimi|Al Marri|Al Suwaidi|Al Ketbi|Al Shamsi|Al Nuaimi|Al Mazrouei|Al Falasi|Al Zaabi|Haddad|"
        "Khoury|Nasser|Saleh|Darwish|Farouk|Mansour|Hamdan|Qasim|Barakat"
    ),
    two_surnames=False,
    streets=_phrases(
        "Al Wasl Road|Corniche Road|Al Rigga Street|Hamdan Street|Al Khaleej Street|Airport Road|Al Maktoum Road|"
        "Zayed Street|Al Nahda Street|Jumeirah Road"
    ),
    number_first=True,
    cities=(
        City("Dubai", "DU", "Asia/Dubai", ("",), ("+97140000",)),
        City("Abu Dhabi", "AZ", "Asia/Dubai", ("",), ("+97120000",)),
        City("Sharjah", "SH", "Asia/Dubai", ("",), ("+97160000",)),
    ),
    city_weights=(6, 4, 3),
    postal_digits=0,
    mobile=("+97150000", "+97155000", "+97156000"),
    mobile_digits=4,
    landline_digits=3,
    mail=("bareed.example", "mail.example", "inbox.example"),
    trades=_phrases("Trading|Textiles|Electronics|Contracting|Perfumes|Motors|Catering|Travel|Logistics|Clinic"),
    forms=("LLC", "FZE", "Est.", "& Partners LLC"),
)

COUNTRIES: tuple[Country, ...] = (US, ES, DE, IN, GB, FR, AE)
_SHARES = (0.36, 0.51, 0.66, 0.76, 0.86, 0.95, 1.0)  # running totals, in the order of COUNTRIES


def market(draw: float) -> Country:
    """The country for a draw in [0, 1): 36 % US, 15 % Spain, 15 % Germany, 34 % the others."""
    return next(country for country, upto in zip(COUNTRIES, _SHARES, strict=True) if draw < upto)


@cache
def in_ascii(text: str) -> str:
    """Letters and digits of `text` in lower case, without accents: the part before the @ of an e-mail address."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    return "".join(letter for letter in plain if letter.isascii() and letter.isalnum()).lower()


def pick(rng: Random, choices: tuple[T, ...]) -> T:
    """One of `choices`, evenly; several times faster than `Random.choice`."""
    return choices[int(rng.random() * len(choices))]


def _digits(rng: Random, count: int) -> str:
    return str(int(rng.random() * 10**count)).zfill(count)


def mobile_number(rng: Random, country: Country, city: City) -> str:
    """A mobile number of the country, E.164; in North America it looks like any other number of the city."""
    if not country.mobile:
        return landline_number(rng, country, city)
    return pick(rng, country.mobile) + _digits(rng, country.mobile_digits)


def landline_number(rng: Random, country: Country, city: City) -> str:
    """A landline number of the city, E.164."""
    return pick(rng, city.landline) + _digits(rng, country.landline_digits)


def mail_box(rng: Random, country: Country, local: str) -> str:
    """`local` at one of the country's made-up mail hosts."""
    return f"{local}@{pick(rng, country.mail)}"


def _address(rng: Random, country: Country) -> str:
    street, number = pick(rng, country.streets), 1 + int(rng.random() ** 2 * 240)
    if country.code == "US":
        unit = f", Apt {1 + int(rng.random() * 40)}" if rng.random() < 0.3 else ""
        return f"{number * 7 + 3} {street}{unit}"
    if country.code == "ES":
        return f"{street} {number}, {1 + int(rng.random() * 8)}º {'ABCD'[int(rng.random() * 4)]}"
    return f"{number}, {street}" if country.number_first else f"{street} {number}"


def _postal_code(rng: Random, country: Country, leading: str) -> str:
    if country.code == "GB":
        return f"{leading}{int(rng.random() * 10)}{pick(rng, _INWARD)}"
    return leading + _digits(rng, country.postal_digits - len(leading)) if country.postal_digits else ""


#: The last two letters of British postcodes.
_INWARD = ("AA", "BD", "DG", "HT", "JN", "LP", "NQ", "PW", "RX", "TS")


def new_customer(
    *, rng: Random, customer_id: str, country: Country, business: bool, birth_years: tuple[int, int]
) -> Customer:
    """A made-up customer of `country`; about one in eleven has no e-mail address and one in twenty no telephone.

    `birth_years` bounds the year a person was born in; a business has no birth date.
    """
    city = rng.choices(country.cities, country.city_weights)[0]
    first, last = pick(rng, country.first_names), pick(rng, country.surnames)
    postal = pick(rng, city.postal)
    postal_code = _postal_code(rng, country, postal)
    born = ""
    if business:
        trade, form = pick(rng, country.trades), pick(rng, country.forms)
        family = last if rng.random() < 0.7 else f"{last} {pick(rng, country.surnames)}"
        name = f"{trade} {family} {form}" if country.code in ("ES", "DE", "FR") else f"{family} {trade} {form}"
        email = f"{'accounts' if rng.random() < 0.5 else 'office'}@{in_ascii(last + trade)}.example"
        phone = landline_number(rng, country, city)
    else:
        full = f"{last} {pick(rng, country.surnames)}" if country.two_surnames else last
        name = f"{first} {full}"
        sign = pick(rng, (".", "", "_"))
        email = mail_box(rng, country, f"{in_ascii(first)}{sign}{in_ascii(last)}{int(rng.random() * 97) or ''}")
        phone = mobile_number(rng, country, city)
        year = birth_years[0] + int(rng.random() * (birth_years[1] - birth_years[0]))
        born = f"{year}-{1 + int(rng.random() * 12):02d}-{1 + int(rng.random() * 28):02d}"
    no_email, no_phone, other_language = rng.random() < 0.09, rng.random() < 0.05, rng.random()
    language = country.language
    if country.code == "US" and other_language < 0.08:
        language = "es"
    elif country.code == "AE" and other_language < 0.3:
        language = "en"  # every third there is from elsewhere
    elif country.code not in ("US", "GB") and other_language < 0.03:
        language = "en"
    return Customer(
        customer_id=customer_id,
        name=name,
        kind="business" if business else "residential",
        country=country,
        language=language,
        city=city,
        postal_code=postal_code,
        address=_address(rng, country),
        email="" if no_email else email,
        phone="" if no_phone else phone,
        birth_date=born,
    )


#: Circumstance, severity, what to do; the codes are those of ``accounts.wishes``.
_NEEDS: tuple[tuple[str, str, str], ...] = (
    ("reliance", "high", "Alarm button runs over the fixed line, never cut"),
    ("reliance", "high", "Equipment at home needs the connection"),
    ("health", "medium", "Prefers letters and short calls"),
    ("life_event", "medium", "Loss in the family, son helps with letters"),
    ("support", "medium", "Asked for one contact person and no surprises"),
    ("communication", "low", "Write rather than call"),
    ("communication", "low", "Large print"),
    ("capability", "low", "Explain figures by phone, in simple words"),
    ("caring", "low", "Cares for a parent, evenings are best"),
    ("money_stress", "low", "On benefits, social tariff checked"),
)


def reach(customer: Customer, *, rng: Random, opened: int, last_day: int) -> None:
    """Give the customer consents from the day of the contract, some withdrawn since, and further contact points."""
    since = max(opened, last_day - 900)
    for channel, given in (("call", customer.phone), ("sms", customer.phone), ("email", customer.email)):
        if not given:
            continue
        customer.consents.append(Consent(channel, True, since, "contract"))
        if rng.random() < 0.022:
            withdrawn = last_day - 3 - int(rng.random() * 320)
            source = {"call": "agent", "sms": "stop_reply", "email": "unsubscribe"}[channel]
            if withdrawn > since:
                customer.consents.append(Consent(channel, False, withdrawn, source))
    if customer.is_in_new_york_city:
        if rng.random() < 0.6:
            agrees_to_electronic(customer, day=since)
        else:
            customer.consents = [consent for consent in customer.consents if consent.channel == "call"]
    draw = rng.random()
    country, city, points = customer.country, customer.city, customer.contact_points
    if draw < 0.07:
        points.append(ContactPoint("phone", landline_number(rng, country, city), True, since))
    elif draw < 0.15:
        points.append(ContactPoint("phone", mobile_number(rng, country, city), False, since))
    elif draw < 0.20:
        until = max(since, last_day - 40 - int(rng.random() * 300))
        points.append(ContactPoint("phone", mobile_number(rng, country, city), False, since, until))
    elif draw < 0.26 and customer.kind == "residential":
        local = in_ascii(customer.name.split()[0]) + str(int(rng.random() * 900) + 100)
        points.append(ContactPoint("email", mail_box(rng, country, local), draw < 0.23, since))
    elif draw < 0.28:
        where = f"{_address(rng, country)}, {customer.postal_code} {city.name}"
        points.append(ContactPoint("address", where, True, since))


def agrees_to_electronic(customer: Customer, *, day: int) -> None:
    """Texts and mails about a debt, allowed in so many words with the contract: New York City asks for it."""
    for channel, value in (("sms", customer.phone), ("email", customer.email)):
        if value:
            customer.consents.append(
                Consent(channel, True, day, "contract", "electronic", "Contract, page 3, box 2 ticked and signed")
            )


def notes_a_need(customer: Customer, *, rng: Random, last_day: int) -> None:
    """Mark the customer as vulnerable: a code, what to do, and a date to look again that may have passed."""
    category, severity, note = pick(rng, _NEEDS)
    noted = last_day - 5 - int(rng.random() ** 0.7 * 360)
    length = 90 if severity == "high" else 180
    review = noted + length * (1 + max(0, (last_day - noted - 20) // length))
    customer.vulnerabilities.append(Vulnerability(category, severity, noted, review, note))

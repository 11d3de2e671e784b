"""What the simulated organisation is called, where its people live and what is said in its messages, as data.

Entirely fictitious. Owns the ways to draw a name, a phone number or an id; knows no people.
"""

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

_FIRST = """
Aaliyah Abdul Adaeze Ahmed Aiko Alejandra Alice Amara Amit Ana Andre Anh Anika Antonio Aroha Asha Aurelio Beatriz Bola
Brigid Camila Carlos Chandra Chen Chloé Cedric Dalisay Dana Darius Deepa Delphine Dmitri Eduardo Eleni Elijah Emeka
Esperanza Fatima Felipe Feng Freya Gabriela Gideon Grace Guadalupe Hana Hassan Hector Hyun-woo Ibrahim Imani Ines Iris
Jamal Javier Jasmine Jin Joaquín José Joy Kavita Keanu Kenji Kofi Kiona Lamar Leilani Lena Linh Lucía Luis Mai Malik
Manuel Maria Marisol Mateo Mei Minh Mohamed Nadia Naomi Niamh Noor Obinna Olga Omar Paloma Parisa Paul Phuong Priya
Quentin Rafael Rashida Ravi Renée Rosa Ruth Samira Sandeep Santiago Sefa Shanice Sofía Soo-jin Sunita Tadeo Tala Tamika
Tenzin Thandiwe Tomás Uchenna Valentina Vikram Wanjiru Winona Xochitl Yara Yesenia Yuki Zainab Zoë
"""

_LAST = """
Abara Aguilar Ahmadi Akana Alvarez Anderson Andrade Baptiste Barrios Begay Bello Bianchi Brooks Bui Cabrera Calderón
Castillo Chang Chavez Cho Cohen Cruz Dang Das Delgado Desai Diallo Diaz Dominguez Edwards Eze Farah Fernandez Fischer
Flores Foster Fuentes Garcia Ghosh Gomez Gutiérrez Haddad Hall Hernandez Hoang Hosseini Huang Ibarra Iyer Jackson
Jimenez Johnson Joseph Kaur Kealoha Khan Kim Kovács Kumar Lam Le Lee Leon Lopez Mahmoud Maldonado Mbeki Medina Mehta
Mendoza Miller Moreau Morales Murphy Nakamura Navarro Ndiaye Nguyen Nolan Núñez O'Brien Ochoa Okafor Ortiz Osei Park
Patel Peña Pereira Pham Popov Quispe Ramirez Reyes Rivera Robinson Rojas Romero Ruiz Saito Salazar Sanchez Santos Shah
Silva Singh Smith Soto Suárez Tanaka Tesfaye Thompson Torres Tran Tsosie Vaca Vargas Vega Walker Wang Washington
Williams Wong Xiong Yamamoto Yang Young Zamora Zhou
"""


def full_name(rng: Random) -> str:
    """A first and a last name, now and then a double last name."""
    name = f"{rng.choice(_FIRST.split())} {rng.choice(_LAST.split())}"
    return f"{name}-{rng.choice(_LAST.split())}" if rng.random() < 0.03 else name


def renamed(name: str, rng: Random) -> str:
    """How a name is corrected later: another last name, mostly."""
    first, _, last = name.partition(" ")
    while (new := rng.choice(_LAST.split())) == last:
        pass
    return f"{first} {new}"


ORG_NAME = "Harbor Street Food Bank"
ORG_SUBDOMAIN = "harborstreet"

CHANNELS = (("Main line", "main-line"), ("Volunteers", "volunteers"))
STAFF_NAMES = ("Nina Alvarez", "Theo Okafor", "Grace Kim", "Luis Romero", "Mai Pham", "Ruth Bianchi")
TAGS = (
    ("Spanish", "#FF5733"),
    ("Delivery", "#2E86C1"),
    ("Senior", "#8E44AD"),
    ("Family of 5+", "#117A65"),
    ("Volunteer", "#F4D03F"),
    ("Driver", "#7D3C98"),
    ("New", "#28B463"),
)
TAG_NOTES = ("", "", "", "asked at the desk", "from the intake form", 'said "call first"')
LISTS = (
    ("Weekly pickup", "weekly-pickup", "Families that come on Tuesdays and Saturdays"),
    ("Home delivery", "home-delivery", ""),
    ("Volunteers", "volunteers", "People who help, all sites"),
    ("Newsletter", "newsletter", ""),
)
FIELDS: tuple[tuple[str, bool, Sequence[str]], ...] = (
    ("household_size", False, ("1", "2", "3", "4", "5", "6", "8")),
    ("language", False, ("English", "Español", "Tiếng Việt", "中文", "Tagalog")),
    ("pickup_site", False, ("Harbor Street", "Eastside Library", "St. Brendan's, rear door", "5th & Main")),
    ("notes", False, ("gate code 4410", 'prefers "no pork"', "two bags, please", "rings twice\nthen waits")),
    ("pio_lastBulkActionData", True, ('{"bulkActionId":1}', '{"bulkActionId":2,"step":"done"}')),
)

BROADCASTS = (
    ("Tuesday pickup", "Hi {first}, pickup is Tuesday 3-6 pm at Harbor Street. Fresh produce and rice this week."),
    ("Saturday pickup", "Hello {first}! Saturday pickup is 9 am to noon. Please bring your own bags if you can."),
    ("Recogida del martes", "Hola {first}, la entrega es el martes de 3 a 6 pm en Harbor Street. ¡Le esperamos!"),
    ("Volunteers needed", "{first}, can you help us sort food on Saturday, 8-11 am? Reply YES and we save you a spot."),
    ("Flu shots", "{first}, free flu shots at the food bank on Thursday 1-5 pm, no appointment, no insurance needed."),
    ("Holiday hours", "We are closed on Monday. Pickup moves to Wednesday, {first}. Reply STOP to opt out."),
    ("Survey", "{first}, how was your last visit? Reply with a number from 1 (bad) to 5 (great). It helps us a lot 💛"),
)
REPLIES = (
    "YES", "Yes please", "ok thank you!", "Thank you so much 🙏", "Gracias!", "Sí, ahí estaré", "what time again?", "5",
    "4", "Can my sister pick up for me?", "No car this week, sorry", "Do you have diapers?", "who is this", "Cảm ơn",
    "👍", "I will be there, 2 adults, 3 kids", "Is there parking?", "Can you deliver? My knee is bad",
)  # fmt: skip
OPENERS = (
    "Hi, are you open today?", "I moved, how do I change my address?", "Do I need an ID?", "I'd like to volunteer",
    "Hola, ¿tienen leche para bebé?", "My delivery did not come, can you check?", "Is there still food left?",
    'The door said "closed", is that right?', "How do I sign up?", "Can I get a box for my neighbor, she is 84?",
)  # fmt: skip
ANSWERS = (
    "Hi {first}, yes, we are here until 6 pm.", "No ID needed, just come by.",
    "Of course. I put it in your file, {first}.", "Sorry about that! I am asking the driver and will text you back.",
    "Yes, we have parking behind the building.",
    "Sí, tenemos. Pase cuando guste.", "You are welcome, {first}!", "We can deliver on Thursday, would that help?",
    "Saved a spot for you. Please use the side entrance,\nring the bell, and ask for Grace.",
)  # fmt: skip
CLOSERS = ("Great, thanks", "perfect", "Thank you Grace!", "ok see you then", "Muchas gracias", "😊")
WHISPERS = ("Called twice, no answer.", "Please watch this one, insulin in the box.", "Duplicate of an older record?")
STOPS = ("STOP", "Stop", "stop", "UNSUBSCRIBE")
STARTS = ("START", "UNSTOP")

FAILURES = (
    ("30003", "Unreachable destination handset"),
    ("30005", "Unknown destination handset"),
    ("30006", "Landline or unreachable carrier"),
    ("4432", "Carrier rejected message: invalid destination number"),
)
UNDELIVERED = (("30008", "Unknown error from the carrier"), ("4770", "Carrier rejected as SPAM"))
OPTED_OUT = ("21610", "Contact has opted out")


def fill(text: str, name: str) -> str:
    """A template with the person's first name in it."""
    return text.replace("{first}", name.partition(" ")[0])


def segments(text: str | None, mms: bool) -> int:
    """Number of SMS segments: 160 characters, or 153 each of several; 70 and 67 beyond plain characters."""
    if mms or not text:
        return 1
    alone, joined = (160, 153) if text.isascii() else (70, 67)
    return 1 if len(text) <= alone else -(-len(text) // joined)


def token(rng: Random) -> str:
    """A provider's message id, in the shape of a UUID."""
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class Place(NamedTuple):
    """One area code. ``country``: two letters; ``region``: US state or Canadian province, two letters."""

    area_code: str
    region: str
    country: str
    timezone: str


_PLACES = """
CA US America/Los_Angeles 209 213 310 323 408 415 510 530 559 619 626 650 661 707 714 805 831 909 916 925
OR US America/Los_Angeles 503 541
WA US America/Los_Angeles 206 253 360 425 509
NV US America/Los_Angeles 702 775
AZ US America/Phoenix 480 520 602 623 928
CO US America/Denver 303 719 970
UT US America/Denver 385 801
NM US America/Denver 505 575
TX US America/Chicago 210 214 281 512 713 817 956
IL US America/Chicago 217 312 630 773
MN US America/Chicago 218 612 651
GA US America/New_York 404 478 770
NY US America/New_York 212 315 518 646 718
FL US America/New_York 305 407 813
MI US America/Detroit 248 313 616
HI US Pacific/Honolulu 808
AK US America/Anchorage 907
BC CA America/Vancouver 250 604 778
AB CA America/Edmonton 403 780
ON CA America/Toronto 416 613 905
"""


def places() -> tuple[Place, ...]:
    """Every area code, home region first (California)."""
    found = []
    for row in _PLACES.strip().splitlines():
        region, country, timezone, *codes = row.split()
        found += [Place(code, region, country, timezone) for code in codes]
    return tuple(found)


def phone_number(place: Place, turn: int) -> str:
    """The ``turn``-th (from 0, below 10,000) number of an area code, all different, in the fictional exchange 555."""
    if not 0 <= turn < 10_000:
        raise ValueError(f"area code {place.area_code} has no fictional number left")
    return f"+1{place.area_code}555{turn * 7919 % 10_000:04d}"

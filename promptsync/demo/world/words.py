"""What the simulated organisation is called and what is said in its messages, as data. Knows no people."""

from collections.abc import Sequence
from random import Random

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

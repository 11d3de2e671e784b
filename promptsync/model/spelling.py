"""Names as vendors spell them, made comparable. Owns the one rule; knows no vendor."""


def plain(text: str) -> str:
    """What is left of a name when only letters and digits count: ``Start date/time`` is ``startdatetime``."""
    return "".join(sign for sign in text.casefold() if sign.isalnum())

"""Who a person is at each vendor.

Owns what proves that two vendors mean one person: the same phone number as E.164 has it, or the ID of the one that the
other keeps. The same e-mail address, or an ID that happens to be the same number, proves nothing: such people are named
to whoever looks, and not joined; nor is anybody whom two others could be.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from promptsync.browse import phones
from promptsync.browse.queries.reader import OUT, Reader, Row

_FEW: Final = 20
_MANY: Final = 500
_PHONE_END: Final = "substr(replace(replace(replace(attribute_value, ' ', ''), '-', ''), '.', ''), -4)"
_COLUMNS: Final = "workspace_id, internal_customer_id, customer_id, email_addr, deleted, suppressed, created_at"
_CUSTOMER: Final = f"SELECT {_COLUMNS} FROM cio_people"
_PHONE: Final = (
    "SELECT attribute_value FROM cio_attributes WHERE workspace_id = :workspace AND internal_customer_id = :id "
    "AND attribute_name = 'phone' ORDER BY timestamp DESC LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Who:
    """One person. ``contact``: their ID at Prompt; ``customer``: their row in Customer.io; ``numbers``: how Qlara may
    write their number. ``contacts`` and ``customers``: who may be the same, and is not known to be."""

    contact: int | None = None
    customer: Row | None = None
    numbers: tuple[str, ...] = ()
    contacts: list[Row] = field(default_factory=list)
    customers: list[Row] = field(default_factory=list)


def of_contact(reader: Reader, contact: Row) -> Who:
    """A contact of Prompt's. ``contact``: their ``id`` and ``phone``, and what is known of them as ``fields``."""
    region = _region(reader, contact["id"])
    number = phones.e164(contact["phone"], region)
    others = [row for row in _contacts(reader, number) if row["id"] != contact["id"]]
    spelled = phones.spellings(number, region) if number and not others else ()
    by_id = _customers_by_id(reader, contact["id"])
    by_phone = _customers_by_phone(reader, number, region) if number else []
    proved = _once([*by_id, *by_phone])
    alone = len(proved) == 1 and (bool(by_id) or not others)
    mails = [field["value"] for field in contact["fields"] if "mail" in (field["key"] or "").casefold()]
    mails += [row["email"] for row in qlara_contacts(reader, spelled)]
    like = _once([*proved, *_customers_by_mail(reader, mails), *_customers_named(reader, str(contact["id"]))])
    joined = proved[0] if alone else None
    return Who(contact["id"], joined, spelled, others, [row for row in like if row != joined])


def of_customer(reader: Reader, workspace: int, id_: str) -> Who | None:
    """A person of Customer.io's; with ``contact`` if it is one of Prompt's. None: nobody, and nothing sent to them."""
    values = {"workspace": workspace, "id": id_}
    sql = f"{_CUSTOMER} WHERE workspace_id = :workspace AND internal_customer_id = :id"
    customer = reader.row(sql, **values)
    if customer is None:
        sent = "SELECT 1 FROM cio_deliveries WHERE internal_customer_id = :id AND +workspace_id = :workspace LIMIT 1"
        if reader.value(sql=sent, **values) is None:
            return None
        customer = dict.fromkeys(("customer_id", "email_addr", "deleted", "suppressed", "created_at"))
        customer |= {"workspace_id": workspace, "internal_customer_id": id_}
    region = _region(reader, None)
    number = phones.e164(reader.value(_PHONE, **values), region)
    contacts = _once([*_contacts(reader, number), *_contacts_by_id(reader, customer["customer_id"])], ("id",))
    if len(contacts) == 1 and (found := of_contact(reader, contacts[0] | {"fields": []})).customer == customer:
        return found
    others = [row for row in _customers_by_phone(reader, number, region) if row != customer] if number else []
    numbers = phones.spellings(number, region) if number and not contacts and not others else ()
    return Who(None, customer | {"phone": number}, numbers, contacts, others)


def of_number(reader: Reader, text: str) -> Who | None:
    """Whoever has a number that Qlara sent to. None: Qlara knows nothing of it."""
    region = _region(reader, None)
    number = phones.e164(text, region)
    spelled = phones.spellings(number, region) if number else (text,)
    contacts = _contacts(reader, number)
    if len(contacts) == 1:
        return Who(contacts[0]["id"])
    customers = _customers_by_phone(reader, number, region) if number else []
    if len(customers) == 1 and not contacts:
        return Who(None, customers[0])
    tables = (("qlara_contact", "phone"), ("qlara_message", "destination"), ("qlara_delivery_report", "destination"))
    if not any(
        reader.value(f"SELECT 1 FROM {table} WHERE {column} = :number LIMIT 1", number=one)
        for one in spelled
        for table, column in tables
    ):
        return None
    return Who(None, None, spelled, contacts, customers)


def qlara_contacts(reader: Reader, numbers: Iterable[str]) -> list[Row]:
    """``name``, ``email``, ``lists`` and ``status`` of the contacts that Qlara has under these spellings."""
    names = "coalesce(nullif(name, ''), trim(coalesce(first_name, '') || ' ' || coalesce(last_name, '')))"
    sql = f"SELECT id, phone, {names} AS name, email, lists, status FROM qlara_contact WHERE phone = :number LIMIT :n"
    return [row for number in numbers for row in reader.rows(sql, number=number, n=_FEW)]


def elsewhere(reader: Reader, text: str) -> tuple[list[Row], list[Row]]:
    """People of Customer.io's, and contacts of Qlara's, by an e-mail address, an ID or a whole phone number."""
    region = _region(reader, None)
    number = phones.e164(text, region) if phones.digits_of(text) else None
    customers = [*_customers_by_mail(reader, [text]), *_customers_named(reader, text)]
    customers += _customers_by_phone(reader, number, region) if number else []
    return _once(customers), qlara_contacts(reader, phones.spellings(number, region) if number else ())


def _region(reader: Reader, contact: int | None) -> str | None:
    """The organisation's country, by the number that it last talked to somebody with; None if it is not known."""
    whose = "" if contact is None else "WHERE contact_id = :contact "
    newest = f"SELECT org_phone FROM message {whose}ORDER BY created_timestamp DESC LIMIT :n"
    rows = reader.rows(newest, contact=contact, n=_FEW)
    found = {phones.region_of(row["org_phone"]) for row in rows} - {None}
    if not found and contact is not None:
        return _region(reader, None)
    return found.pop() if len(found) == 1 else None


def _contacts(reader: Reader, number: str | None) -> list[Row]:
    sql = f"SELECT p.id, p.display_name AS name, p.phone, {OUT} AS out FROM contact p WHERE p.phone = :number LIMIT :n"
    return reader.rows(sql, number=number, n=_FEW) if number else []


def _contacts_by_id(reader: Reader, customer: str | None) -> list[Row]:
    sql = (
        f"SELECT p.id, p.display_name AS name, p.phone, {OUT} AS out FROM contact_identity i JOIN contact p "
        "ON p.id = i.contact_id WHERE i.key = :customer AND +i.type = 'CUSTOMER_EXTERNAL' AND i.removed_at IS NULL "
        "LIMIT :n"
    )
    return reader.rows(sql, customer=customer, n=_FEW) if customer else []


def _customers_by_id(reader: Reader, contact: int) -> list[Row]:
    keys = (
        "SELECT key FROM contact_identity WHERE contact_id = :contact AND type = 'CUSTOMER_EXTERNAL' "
        "AND removed_at IS NULL LIMIT :n"
    )
    return [row for one in reader.rows(keys, contact=contact, n=_FEW) for row in _customers_named(reader, one["key"])]


def _customers_named(reader: Reader, key: str) -> list[Row]:
    return reader.rows(f"{_CUSTOMER} WHERE customer_id = :key LIMIT :n", key=key, n=_FEW)


def _customers_by_mail(reader: Reader, addresses: Iterable[str | None]) -> list[Row]:
    wanted = {spelled for address in addresses if address and "@" in address for spelled in (address, address.lower())}
    sql = f"{_CUSTOMER} WHERE email_addr = :address LIMIT :n"
    return [row for address in sorted(wanted) for row in reader.rows(sql, address=address.strip(), n=_FEW)]


def _customers_by_phone(reader: Reader, number: str, region: str | None) -> list[Row]:
    """Whose newest ``phone`` is this number."""
    sql = (
        "SELECT DISTINCT workspace_id AS workspace, internal_customer_id AS id, attribute_value AS phone "
        f"FROM cio_attributes WHERE attribute_name = 'phone' AND {_PHONE_END} = :end LIMIT :n"
    )
    found = []
    for row in reader.rows(sql, end=number[-4:], n=_MANY):
        values = {"workspace": row["workspace"], "id": row["id"]}
        if phones.e164(row["phone"], region) == number == phones.e164(reader.value(_PHONE, **values), region):
            one = f"{_CUSTOMER} WHERE workspace_id = :workspace AND internal_customer_id = :id"
            found += reader.rows(one, **values)
    return _once(found)


def _once(rows: Iterable[Row], key: tuple[str, ...] = ("workspace_id", "internal_customer_id")) -> list[Row]:
    return list({tuple(row[name] for name in key): row for row in rows}.values())

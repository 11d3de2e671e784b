"""How often someone may try to log in.

Owns the count, in bounded memory. Pure but for that: the time comes in, and what is done about a refusal is the gate's.
"""

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

_MOST = 10_000
_LONGEST = 64
_INEXACT = 1e-6  # seconds that sums of floats may be off


class Attempts:
    """A number of tries at once, then one each interval, for every key of its own (the generic cell rate algorithm).

    ``at_once``: tries; ``interval``: seconds. Remembers ``most`` keys, those tried last.
    """

    def __init__(self, at_once: int, interval: float, most: int = _MOST) -> None:
        self._slack = (at_once - 1) * interval
        self._interval = interval
        self._most = most
        self._due: OrderedDict[str, float] = OrderedDict()

    def wait(self, key: str, now: float) -> float:
        """Seconds to wait before the next try; 0: this one counts and may go on. ``now``: seconds, of any clock.

        >>> attempts = Attempts(2, 60.0)
        >>> [attempts.wait("ana", now) for now in (0.0, 1.0, 2.0, 60.0)]
        [0.0, 0.0, 58.0, 0.0]
        """
        due = max(self._due.get(key, now), now)
        if due - now > self._slack + _INEXACT:
            return due - now - self._slack
        self._due[key] = due + self._interval
        self._due.move_to_end(key)
        if len(self._due) > self._most:
            self._due.popitem(last=False)
        return 0.0

    def forget(self, key: str) -> None:
        """It was the right one: its tries do not count."""
        self._due.pop(key, None)


class LoginLimit:
    """Tries by address, and by address and user. Nobody can keep a user out from another address."""

    def __init__(self) -> None:
        self._by_address = Attempts(20, 15.0)
        self._by_user = Attempts(5, 60.0)

    def wait(self, address: str, user: str, now: float) -> float:
        """Seconds to wait; 0: this try counts and may go on."""
        return self._by_user.wait(_key(address, user), now) or self._by_address.wait(_network(address), now)

    def succeeded(self, address: str, user: str) -> None:
        """The password was right."""
        self._by_user.forget(_key(address, user))


def _key(address: str, user: str) -> str:
    return f"{_network(address)} {user[:_LONGEST]}"


def _network(address: str) -> str:
    """The address, or the network of 64 bits that one IPv6 host can choose its addresses from."""
    try:
        found = ip_address(address)
    except ValueError:
        return address[:_LONGEST]
    return str(IPv6Address(int(found) >> 64 << 64)) if isinstance(found, IPv6Address) else str(found)

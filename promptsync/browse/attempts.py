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


class Delays:
    """A number of tries at once, then a wait that doubles with each, up to ``longest``, for every key of its own.

    After a quiet time all is forgotten. Nobody is locked out: a few wrong tries cost the next one seconds. Remembers
    ``most`` keys, those tried last.
    """

    def __init__(self, at_once: int, first: float, longest: float, quiet: float, most: int = _MOST) -> None:
        self._at_once = at_once
        self._first = first
        self._longest = longest
        self._quiet = quiet
        self._most = most
        self._tried: OrderedDict[str, tuple[int, float]] = OrderedDict()  # how often, and when the next may be

    def wait(self, key: str, now: float) -> float:
        """Seconds to wait before the next try; 0: this one counts and may go on. ``now``: seconds, of any clock.

        >>> delays = Delays(1, 4.0, 60.0, 900.0)
        >>> [delays.wait("ana", now) for now in (0.0, 1.0, 4.0, 5.0)]
        [0.0, 3.0, 0.0, 7.0]
        """
        times, due = self._tried.get(key, (0, now))
        if due > now:
            return due - now
        times = 1 if now - due > self._quiet else times + 1
        beyond = times - self._at_once
        delay = min(self._longest, self._first * 2.0 ** min(beyond, 32)) if beyond >= 0 else 0.0
        self._tried[key] = (times, now + delay)
        self._tried.move_to_end(key)
        if len(self._tried) > self._most:
            self._tried.popitem(last=False)
        return 0.0

    def forget(self, key: str) -> None:
        """It was the right one: its tries do not count."""
        self._tried.pop(key, None)


class LoginLimit:
    """Tries by address, by address and user, and by browser and user.

    Nobody can keep a user out from another address. Where all visitors have one address, because the proxy in front is
    not named, nobody can from another browser either: one in which the user has logged in before has tries of its own.
    """

    def __init__(self) -> None:
        self._by_address = Attempts(20, 15.0)
        self._by_user = Delays(5, 4.0, 60.0, 900.0)
        self._by_browser = Delays(5, 4.0, 60.0, 900.0)

    def wait(self, address: str, user: str, now: float, browser: str = "") -> float:
        """Seconds to wait; 0: this try counts and may go on. ``browser``: one that the user is known to have."""
        if browser:
            return self._by_browser.wait(browser, now)
        return self._by_user.wait(_key(address, user), now) or self._by_address.wait(_network(address), now)

    def succeeded(self, address: str, user: str, browser: str = "") -> None:
        """The password was right."""
        if browser:
            self._by_browser.forget(browser)
        else:
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

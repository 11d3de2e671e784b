"""Logging in and out as a browser does it: with the form's token, and the cookies that were set."""

import re
from dataclasses import dataclass, field

import httpx

from promptsync.browse.serve import MirrorDatasette


@dataclass
class Browser:
    """Keeps cookies. ``headers``: sent with everything, as by a proxy; ``address``: where it seems to be."""

    site: MirrorDatasette
    headers: dict[str, str] = field(default_factory=dict)
    address: str = "127.0.0.1"
    cookies: dict[str, str] = field(default_factory=dict)

    async def ask(self, method: str, path: str, form: dict[str, str] | None = None) -> httpx.Response:
        """One request, no redirect followed."""
        transport = httpx.ASGITransport(app=self.site.client.app, client=(self.address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            cookie = {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
            headers = self.headers | (cookie if self.cookies else {})
            answer = await client.request(method, path, data=form, headers=headers)
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
            if value in ("", '""'):
                del self.cookies[name]
        return answer

    async def post(self, path: str, form: dict[str, str]) -> httpx.Response:
        """A form, with its token."""
        page = await self.ask("GET", path)
        token = re.search('name="csrftoken" value="([^"]+)"', page.text)
        assert token, page.text
        return await self.ask("POST", path, {**form, "csrftoken": token[1]})

    async def log_in(self, user: str, password: str) -> httpx.Response:
        """Try a password."""
        return await self.post("/-/login", {"username": user, "password": password})

    async def log_out(self) -> httpx.Response:
        """Press the button."""
        return await self.post("/-/logout", {})

    async def reads(self) -> bool:
        """Whether a page is shown."""
        return (await self.ask("GET", "/mirror/contact")).status_code == 200

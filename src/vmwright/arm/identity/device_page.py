"""The page on which somebody confirms a device: it takes the code and a login."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from vmwright.arm.http.answer import Answer
from vmwright.arm.identity.logins import LoginError
from vmwright.arm.identity.oauth import PRIVATE, OAuthError, form_of, refused_login

if TYPE_CHECKING:
    from vmwright.arm.http.call import Call
    from vmwright.arm.identity.devices import Devices
    from vmwright.arm.identity.logins import Logins

HEADERS = {
    **PRIVATE,
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>vmwright: log in on another device</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 26rem; margin: 3rem auto; padding: 0 1rem }}
label {{ display: block; margin: 1rem 0 .25rem }}
input {{ font: inherit; width: 100%; box-sizing: border-box; padding: .5rem }}
button {{ font: inherit; margin-top: 1.5rem; padding: .5rem 1.5rem }}
</style>
<h1>Log in on another device</h1>
{content}
</html>
"""
FORM = """<p role="status">{said}</p>
<form method="post">
<label for="user_code">Code that the device shows</label>
<input id="user_code" name="user_code" value="{code}" required autocomplete="off" spellcheck="false">
<label for="login">Client id or user name</label>
<input id="login" name="login" value="{login}" required autocomplete="username" spellcheck="false">
<label for="secret">Secret or password</label>
<input id="secret" name="secret" type="password" required autocomplete="current-password">
<button>Log in</button>
</form>"""
EXPLAINED = "Go on only if you have started this login yourself: whoever shows you the code acts as you."
NO_DEVICE = "No device waits with this code. It may have expired: begin the login anew."
DONE = '<p role="status">You are logged in on the device. This page can be closed.</p>'


class DevicePage:
    """Shows the page, and takes what was filled in."""

    def __init__(self, devices: Devices, logins: Logins) -> None:
        self._devices = devices
        self._logins = logins

    async def show(self, call: Call) -> Answer:
        """Answer with the empty form; a link may bring the code along."""
        return _form(EXPLAINED, code=call.query.get("user_code", ""))

    async def take(self, call: Call) -> Answer:
        """Let a device in, or say what is wrong."""
        try:
            form = form_of(call)
        except OAuthError as error:
            return _form(error.text, status=error.status)
        code, login = form.get("user_code", ""), form.get("login", "")
        if not self._devices.is_waiting(code):
            return _form(NO_DEVICE, code=code, login=login, status=400)
        try:
            account = await self._logins.check(login, form.get("secret", ""))
        except LoginError as error:
            return _form(refused_login(error, is_app=False).text, code=code, login=login, status=403)
        if not self._devices.confirm(code, account):
            return _form(NO_DEVICE, code=code, login=login, status=400)
        return _page(DONE)


def _form(said: str, *, code: str = "", login: str = "", status: int = 200) -> Answer:
    filled = FORM.format(said=html.escape(said), code=html.escape(code), login=html.escape(login))
    return _page(filled, status=status)


def _page(content: str, *, status: int = 200) -> Answer:
    return Answer(status=status, body=PAGE.format(content=content).encode(), headers=HEADERS)

"""Somebody with a browser, who signs in as people do."""

import httpx2

from http_face import Client

RIGHT = "correct horse battery"
COOKIE = "tokenhouse"
FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"}, {"Sec-Fetch-Site": "cross-site", "Origin": "SAME"},
]  # fmt: skip


class Person:
    """Somebody with a browser: cookies of their own."""

    def __init__(self, client, account, email):
        self.account, self.email = account, email
        self.http = httpx2.AsyncClient(base_url=client.http.base_url, timeout=30)
        self.api = Client(self.http, client.description, None)
        self.base = str(client.http.base_url).rstrip("/")
        self.ours = {"Origin": self.base}

    async def form(self, path, _headers=None, **fields):
        return await self.http.post(path, data=fields, headers=self.ours if _headers is None else _headers)

    async def sign_in(self, password=RIGHT, **more):
        return await self.form("/login", email=self.email, password=password, **more)

    @property
    def token(self):
        return self.http.cookies.get(COOKIE)


def signed_in(answer):
    return answer.status_code == 303 and COOKIE in answer.headers.get("set-cookie", "")

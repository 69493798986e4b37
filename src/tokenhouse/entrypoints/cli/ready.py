"""Tells the person where to look, and when it is ready."""

import http.client
import threading
import time
from collections.abc import Callable

from tokenhouse.entrypoints.cli.output import say

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - listened to, and named by what reaches them
_ASK_SECONDS = 0.1


class Announcer:
    """Says the address at once and `ready` when /readyz answers 200; then calls `then`, once."""

    def __init__(self, host: str, port: int, then: Callable[[], object] | None = None) -> None:
        self._host = _EVERYWHERE.get(host, host)
        self._port = port
        self._then = then
        self._ready = threading.Event()
        self._said = False
        shown = f"[{self._host}]" if ":" in self._host else self._host
        self._url = f"http://{shown}:{port}"
        say(f"Tokenhouse on {self._url}  (API reference: {self._url}/docs)")
        threading.Thread(target=self._ask, name="ready", daemon=True).start()

    def tick(self) -> None:
        """Say that it is ready, once it is."""
        if self._ready.is_set() and not self._said:
            self._said = True
            say("Ready. Ctrl-C ends it.")
            if self._then is not None:
                self._then()

    def _ask(self) -> None:
        while True:
            time.sleep(_ASK_SECONDS)
            connection = http.client.HTTPConnection(self._host, self._port, timeout=2)
            try:
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    self._ready.set()
                    return
            except (OSError, http.client.HTTPException):
                continue
            finally:
                connection.close()

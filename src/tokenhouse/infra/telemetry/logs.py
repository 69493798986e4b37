"""Structured logs on stderr: one JSON object a line, or coloured text on a terminal.

Nothing secret is written: fields named like secrets are blanked, and whatever looks like one of our keys or
like a bearer token is cut out of the line, wherever it stands.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog.typing import Processor

_SECRET_NAMES = frozenset({"authorization", "cookie", "password", "secret", "token", "key", "api_key", "admin_key"})
_SECRET_TEXT = re.compile(
    r"(?i)\b(?:th_(?:live|test)_|bearer\s+)[^\s\"',}]+|(?<=password=)\S+|(?<=://)[^/\s:@]+:[^@\s/]+(?=@)"
)
_NOISY = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "psycopg.pool", "asyncio")


def configure(level: str = "info", form: str | None = None) -> None:
    """Send all logs of this process, the libraries' too, to stderr.

    form: "json" or "console"; None: console on a terminal, else JSON.
    """
    console = form == "console" or (form is None and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _without_secrets,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _NOISY:
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = name != "uvicorn.access"  # the gate logs requests
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def _without_secrets(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if name in _SECRET_NAMES:
            event[name] = "(hidden)"
        elif isinstance(value, str):
            event[name] = _SECRET_TEXT.sub("(hidden)", value)
    return event

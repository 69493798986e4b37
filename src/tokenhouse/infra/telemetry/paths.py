"""Addresses as logs and traces have them: without the secret of a mailed link."""

_SECRET_PATHS = ("/reset/", "/invitations/")
_MOST = 300


def shown(path: str) -> str:
    """Give a path without the secret of a mailed link, and not too long."""
    for start in _SECRET_PATHS:
        if path.startswith(start):
            return f"{start}…"
    return path[:_MOST]

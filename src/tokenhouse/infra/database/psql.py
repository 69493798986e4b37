"""How to start psql on our database without a password or a token among its arguments."""

from __future__ import annotations

from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo


def environment(conninfo: str, token: str, *, read_only: bool = True) -> dict[str, str]:
    """Return libpq's variables for a session of this connection whose queries see what ``token`` may see."""
    variables = {option.keyword.decode(): option.envvar.decode() for option in Conninfo.get_defaults() if option.envvar}
    given = {name: str(value) for name, value in conninfo_to_dict(conninfo).items() if value is not None}
    given["options"] = f"-c TimeZone=UTC -c tokenhouse.token={token}"
    if read_only:
        given["options"] += " -c default_transaction_read_only=on"
    return {variables[name]: value for name, value in given.items() if name in variables}

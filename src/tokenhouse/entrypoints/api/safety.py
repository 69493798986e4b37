"""The last net: what the database refused and no verb foresaw still gets the right status, and tells nothing."""

from tokenhouse.infra.database import sqlstate
from tokenhouse.infra.kernel.errors import Conflict, Forbidden, TokenhouseError, Unavailable, ValidationFailed

_AGAIN = ("40", "53", "55P03")  # races, too little of something, a lock not to be had


def our_fault(request_id: str) -> TokenhouseError:
    """Say what a caller is told of an error that nobody foresaw."""
    return TokenhouseError(f"Something went wrong here. Tell the operator the request's id: {request_id}.")


def from_database(error: Exception) -> TokenhouseError | None:
    """Say what a caller is told of a database's error; None where it is none, or our own fault."""
    state = sqlstate(error)
    if state is None:
        return None
    if state.startswith(_AGAIN):
        return Unavailable("The database is busy. Retry with the same idempotency key.")
    if state.startswith("22"):
        return ValidationFailed("A value cannot be kept. Look at texts, times and figures.")
    if state.startswith("23"):
        return Conflict("Somebody else was quicker, or what this names is gone. Look again, then retry.")
    if state == "TH403":
        return Forbidden("This key may not do that.")
    return None

"""The character NUL, which the database cannot keep: refused wherever it stands."""

from tokenhouse.infra.kernel.errors import NotFound, ValidationFailed


def refuse_nul_in(path: str) -> None:
    """Refuse it in a path: no id holds it, and the database cannot be asked for one."""
    if "\0" in path:
        raise NotFound("There is nothing at this address.")


def refuse_nul(value: object, place: tuple[str | int, ...]) -> None:
    """Refuse the character NUL in any text: the database cannot keep it."""
    found = False
    if isinstance(value, str):
        found = "\0" in value
    elif isinstance(value, list):
        for number, one in enumerate(value):
            refuse_nul(one, (*place, number))
    elif isinstance(value, dict):
        for name, one in value.items():
            found = found or "\0" in name
            refuse_nul(one, (*place, name))
    if found:
        field = ".".join(str(part).replace("\0", "\\u0000")[:80] for part in place) or "body"
        raise ValidationFailed.of(field, "holds the character NUL, which cannot be kept; take it out")

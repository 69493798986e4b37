"""What happened on each day of the demo: pure, the same for one seed and day wherever and whenever it is asked.

Days are independent of each other, so a demo loaded again tomorrow gains one day and changes none.
"""

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from tokenhouse.entrypoints.cli.demo.cast import MEMBERS, PEOPLE

DAYS = 90
_USES_A_DAY = 76
_HELD = 100
_ORGANIZATIONS = {"demo-birch": 2, "demo-northwind": 6, "demo-helios": 12}
_FEATURES = (("generate_lead", 5), ("generate_goal", 3), ("analyze_strategy", 3), ("forecast", 2), ("general", 4))
# What people do with which model, and how often.
_CHATS = (
    ("demo-luna", 22), ("demo-aiko", 18), ("demo-kira", 16), ("demo-vera", 10), ("demo-orion", 8),
    ("demo-echo", 6), ("demo-atlas", 6),
)  # fmt: skip
_CHARACTERS = {
    "demo-luna": ("demo-luna-skyborn", "demo-luna-night"),
    "demo-aiko": ("demo-aiko-aiko",),
    "demo-kira": ("demo-kira-kira",),
    "demo-vera": ("demo-vera-vera",),
    "demo-orion": ("demo-orion-sir",),
    "demo-echo": ("demo-echo-echo",),
    "demo-atlas": ("demo-atlas-mr",),
}
_KINDS = (("chat", 66), ("image", 12), ("draft", 10), ("document", 5), ("feature", 5), ("avatar", 1), ("picture", 1))
_SCENES = ("a lighthouse in fog", "a fox in the snow", "a harbour at dawn", "a city under glass", "two moons rising")
_HOURS = (1, 1, 1, 1, 1, 2, 3, 5, 7, 8, 8, 8, 9, 8, 8, 8, 9, 10, 12, 14, 15, 13, 8, 3)


@dataclass(frozen=True, slots=True)
class Use:
    """One use. number: of the day, in order of time; body: of POST /v1/charges.

    held: credits set aside first, of which `captured` are taken; the body is then that of POST /v1/holds.
    """

    day: date
    number: int
    account: str
    body: Mapping[str, object]
    held: int = 0
    captured: int = 0

    @property
    def name(self) -> str:
        """A name for it, for its idempotency key."""
        return f"{self.day:%Y%m%d}-{self.number:04d}"


def days_until(end: date) -> list[date]:
    """Return the demo's days, the last included."""
    return [end - timedelta(days=back) for back in reversed(range(DAYS))]


def months_of(days: list[date]) -> list[str]:
    """Return the months that the days fall in, as 2030-01."""
    return sorted({f"{day:%Y-%m}" for day in days})


def uses_of(day: date, seed: int) -> list[Use]:
    """Return what was used on a day, in order of time."""
    chance = random.Random(f"tokenhouse demo {seed} {day.isoformat()}")  # noqa: S311 - a story, no secret
    bodies = [*_of_people(chance, day), *_of_organizations(chance, day)]
    timed = sorted(
        ((_moment(chance, day), n, account, body) for n, (account, body) in enumerate(bodies)),
        key=lambda one: one[:2],
    )
    return [
        _made(Use(day, number, account, {"account_id": account, **body, "occurred_at": at.isoformat()}))
        for number, (at, _, account, body) in enumerate(timed)
    ]


def _made(use: Use) -> Use:
    """Let some drafts, whose length nobody knows before, be held for and captured."""
    tokens = use.body.get("quantity")
    if use.body.get("model_id") != "demo-muse" or use.number % 4 or not isinstance(tokens, dict):
        return use
    body = {name: value for name, value in use.body.items() if name != "quantity"} | {"amount": _HELD}
    return replace(use, body=body, held=_HELD, captured=1 + sum(tokens.values()) // 80)


def _busy(day: date) -> float:
    """How busy a day is: weekends more than Mondays, with a slow swell and a steady rise."""
    weekly = (0.82, 0.86, 0.9, 0.95, 1.1, 1.25, 1.2)[day.weekday()]
    swell = 1 + 0.15 * math.sin(day.toordinal() / 11)
    return weekly * swell


def _of_people(chance: random.Random, day: date) -> Iterator[tuple[str, dict[str, object]]]:
    users = [one.account.external_id or "" for one in PEOPLE if one.weight]
    weights = [one.weight for one in PEOPLE if one.weight]
    for _ in range(round(_USES_A_DAY * _busy(day) * chance.uniform(0.85, 1.15))):
        (user,) = chance.choices(users, weights)
        yield user, _use(chance)


def _use(chance: random.Random) -> dict[str, object]:
    match _pick(chance, _KINDS):
        case "chat":
            model = _pick(chance, _CHATS)
            return {
                "operation": "chat",
                "model_id": model,
                "character_id": chance.choice(_CHARACTERS[model]),
                **_cost(chance, 900, "demo-chat-1"),
            }
        case "image":
            count = chance.choice((1, 1, 1, 2, 4))
            return {
                "model_id": "demo-nova",
                "quantity": {"image": count},
                "usage_type": "image_generation",
                "metadata": {"prompt": chance.choice(_SCENES), "imageCount": count, "size": "1024x1024"},
                **_cost(chance, 4_000_000 * count, "demo-image-1"),
            }
        case "draft":
            tokens = {"input_token": chance.randint(200, 2_000), "output_token": chance.randint(100, 900)}
            return {
                "model_id": "demo-muse",
                "character_id": "demo-muse-muse",
                "quantity": tokens,
                "usage_type": "chat",
                **_cost(chance, 150 * sum(tokens.values()), "demo-chat-1"),
            }
        case "document":
            return {"operation": "document_upload", "quantity": chance.randint(1, 12)}
        case "avatar":
            return {"operation": "avatar_generation", **_cost(chance, 40_000_000, "demo-image-1")}
        case "picture":
            return {"operation": "avatar_upload"}
        case _:
            return {"operation": "general"}


def _of_organizations(chance: random.Random, day: date) -> Iterator[tuple[str, dict[str, object]]]:
    for organization, weight in _ORGANIZATIONS.items():
        members = [user for where, user, _ in MEMBERS if where == organization]
        operations = _FEATURES if organization != "demo-birch" else (("generate_lead", 2), ("general", 1))
        weekend = 0.2 if day.weekday() > 4 else 1.0
        for _ in range(round(weight * weekend * chance.uniform(0.5, 1.5))):
            yield (
                organization,
                {
                    "operation": _pick(chance, operations),
                    "user_id": chance.choice(members),
                    **_cost(chance, 30_000, "demo-chat-1"),
                },
            )


def _cost(chance: random.Random, nanos: int, model: str) -> dict[str, object]:
    """What the provider asked for it."""
    return {"upstream_model": model, "provider": "demo", "cost_nano_usd": nanos * chance.randint(60, 140) // 100}


def _pick(chance: random.Random, weighted: tuple[tuple[str, int], ...]) -> str:
    (found,) = chance.choices([name for name, _ in weighted], [weight for _, weight in weighted])
    return found


def _moment(chance: random.Random, day: date) -> datetime:
    (hour,) = chance.choices(range(24), _HOURS)
    return datetime(day.year, day.month, day.day, hour, chance.randrange(60), chance.randrange(60), tzinfo=UTC)

"""Which uses look odd: one account's, or linked ones', of one model. Pure: figures of a day in, findings out.

Signs have points, and a payer's uses of a model are held at two:

- share (2): many uses, and most of the model's. Accounts that are linked to an earner of the model are counted
  together, and a quarter of the uses and half of the share are enough of them.
- rate (2): many uses a minute, in many minutes.
- linked (1): the payer has to do with an earner of the model.
- night (1): most of the uses were at night by the payer's own clock; not of few uses.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

HELD_AT = 2
NIGHT_HOURS = (0, 5)
"""From the first hour to before the second."""

PUBLIC_MAIL = (
    "163.com", "aol.com", "fastmail.com", "gmail.com", "gmx.de", "gmx.net", "googlemail.com", "hey.com",
    "hotmail.com", "icloud.com", "live.com", "mac.com", "mail.com", "mail.ru", "me.com", "msn.com", "naver.com",
    "outlook.com", "pm.me", "proton.me", "protonmail.com", "qq.com", "t-online.de", "web.de", "yahoo.com",
    "yandex.ru", "ymail.com",
)  # fmt: skip
"""Mail domains of everybody: to share one is no link."""


class Thresholds(NamedTuple):
    """From where on use is odd, in a day. uses, share_percent: of one payer at one model.

    per_minute, minutes: more than so many uses a minute, in at least so many minutes.
    """

    uses: int = 500
    share_percent: int = 60
    per_minute: int = 30
    minutes: int = 60

    @property
    def few(self) -> int:
        """Uses that are too few to look at."""
        return max(1, self.uses // 40)


@dataclass(frozen=True, slots=True)
class Pair:
    """What one payer used of one model in a day, beside reviews there were; since: from when it was looked at.

    model_uses: everybody's, these included. busy_minutes: with more uses than a minute may have. earners: whose uses
    they counted as.
    """

    bucket: int
    account_id: int
    model_id: int
    since: datetime
    uses: int
    nanos: int
    model_uses: int
    busy_minutes: int
    night_uses: int
    earners: list[int]


@dataclass(frozen=True, slots=True)
class Link:
    """A payer has to do with an earner. how: organization, same_organization, referred, same_referrer, ….

    The others: same_mail_domain, same_address.
    """

    account_id: int
    earner_id: int
    how: str


class Finding(NamedTuple):
    """Uses to be held, and why: reasons as data, accounts by their numbers."""

    pair: Pair
    reasons: list[dict[str, object]]


def odd_uses(pairs: Iterable[Pair], links: Iterable[Link], limits: Thresholds) -> list[Finding]:
    """Pick the pairs that look odd, in their order."""
    pairs = list(pairs)
    by_payer: dict[int, list[Link]] = defaultdict(list)
    for link in links:
        by_payer[link.account_id].append(link)
    linked: dict[tuple[int, int, int], list[Link]] = {
        (pair.bucket, pair.account_id, pair.model_id): [
            link for link in by_payer[pair.account_id] if link.earner_id in pair.earners
        ]
        for pair in pairs
    }
    together: dict[int, int] = defaultdict(int)
    for pair in pairs:
        if linked[pair.bucket, pair.account_id, pair.model_id]:
            together[pair.model_id] += pair.uses
    found = []
    for pair in pairs:
        theirs = linked[pair.bucket, pair.account_id, pair.model_id]
        points, reasons = _judge(pair, theirs, together[pair.model_id], limits)
        if points >= HELD_AT and pair.nanos > 0:
            found.append(Finding(pair, reasons))
    return found


def _judge(pair: Pair, links: Sequence[Link], together: int, limits: Thresholds) -> tuple[int, list[dict[str, object]]]:
    points = 0
    reasons: list[dict[str, object]] = []
    uses = together if links else pair.uses
    enough = limits.uses // 4 if links else limits.uses
    half = 2 if links else 1
    if uses >= enough and uses * 100 * half > limits.share_percent * pair.model_uses:
        points += 2
        reasons.append({"sign": "share", "uses": uses, "of": pair.model_uses})
    if pair.busy_minutes >= limits.minutes:
        points += 2
        reasons.append({"sign": "rate", "minutes": pair.busy_minutes, "per_minute_over": limits.per_minute})
    reasons += [{"sign": "linked", "earner": link.earner_id, "how": link.how} for link in links]
    points += bool(links)
    if pair.uses >= limits.uses // 4 and pair.night_uses * 2 > pair.uses:
        points += 1
        reasons.append({"sign": "night", "uses": pair.night_uses, "of": pair.uses})
    return points, reasons

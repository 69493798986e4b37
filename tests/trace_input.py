"""Real input: 19,366 chat requests to an LLM service, who sent them to which model, and what must come of it.

Azure Public Dataset, "Azure LLM inference trace 2023" (CC-BY 4.0; Patel et al., "Splitwise: Efficient generative LLM
inference using phase splitting", ISCA 2024). The file lies beside the repository; tests that need it say so when they
skip. Users, models and owners are ours: the trace has none.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import NamedTuple

import pytest

FILE = Path(__file__).parents[1] / "../shared/data/azure_llm_inference_2023_conversation.csv"
REQUESTS, PROMPT_TOKENS, GENERATED_TOKENS = 19_366, 22_361_870, 4_088_665  # summed with another tool

USERS, MODELS, OWNERS, CREDITS = 200, 20, 15, 10_000
OPERATION = "llm"  # of the tests' terms: credits per prompt token and per generated token, as below
PROMPT_PRICE, GENERATED_PRICE = Decimal("0.0015"), Decimal("0.006")
NANOS_A_CREDIT = 100_000  # policy `flat`


class Request(NamedTuple):
    """A request of the trace: key, when, by whom, to which model, how many tokens in and out."""

    key: str
    at: str
    user: str
    model: str
    prompt: int
    generated: int


class Outcome(NamedTuple):
    """What came of a request: credits charged, {earner: nano-dollars}, whether it was charged before."""

    amount: int
    earned: dict[str, int]
    replayed: bool


Sender = Callable[[Sequence[Request]], Awaitable[list[Outcome]]]
"""Sends up to a thousand requests at once; an outcome each, in order. In process, or over HTTP."""


def read() -> list[Request]:
    """Read the trace, or skip the test."""
    if not FILE.is_file():
        pytest.skip(f"the real trace is not here: {FILE}")
    with FILE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        Request(
            f"trace-{place}",
            f"{row['TIMESTAMP'][:26].replace(' ', 'T')}+00:00",
            f"user-{place * 37 % USERS}",
            f"model-{place * 11 % MODELS}",
            int(row["ContextTokens"]),
            int(row["GeneratedTokens"]),
        )
        for place, row in enumerate(rows)
    ]


def owners_of(model: int) -> list[str]:
    """Who owns a model: one of the fifteen, every fourth model three of them. The first five are users as well."""
    names = [f"user-{number}" if number < 5 else f"owner-{number}" for number in range(OWNERS)]
    return [names[(model + step) % OWNERS] for step in ((0, 5, 9) if model % 4 == 0 else (0,))]


def expected(requests: Iterable[Request]) -> list[Outcome]:
    """What must come of each, worked out by hand."""
    outcomes = []
    for request in requests:
        exact = request.prompt * PROMPT_PRICE + request.generated * GENERATED_PRICE
        amount = int(exact.to_integral_value(ROUND_CEILING))
        owners = owners_of(int(request.model.removeprefix("model-")))
        nanos = amount * NANOS_A_CREDIT
        earned = {
            owner: nanos // len(owners) + (1 if place < nanos % len(owners) else 0)
            for place, owner in enumerate(owners)
        }
        outcomes.append(Outcome(amount, {} if request.user in owners else earned, replayed=False))
    return outcomes


def sums(requests: Sequence[Request], outcomes: Sequence[Outcome]) -> tuple[Counter[str], Counter[str]]:
    """Credits by user and nano-dollars by earner."""
    spent: Counter[str] = Counter()
    earned: Counter[str] = Counter()
    for request, outcome in zip(requests, outcomes, strict=True):
        spent[request.user] += outcome.amount
        earned.update(outcome.earned)
    return spent, earned


async def send_all(requests: Sequence[Request], send: Sender) -> list[Outcome]:
    """Send everything, a thousand at a time."""
    outcomes: list[Outcome] = []
    for start in range(0, len(requests), 1000):
        outcomes += await send(requests[start : start + 1000])
    return outcomes

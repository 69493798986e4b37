"""The real trace, charged by LLM tokens through the group commit: every credit and nano-dollar, and once only."""

import pytest_asyncio

import trace_input as trace
from economy import Economy, clean, source
from tokenhouse.domain.metering.types import Done


@pytest_asyncio.fixture
async def market(db):
    """200 users with credits, 20 models, 15 owners, five of whom are users."""
    requests = trace.read()
    economy = await Economy.found(db, source())
    people = {}
    names = [f"user-{number}" for number in range(trace.USERS)]
    names += [f"owner-{number}" for number in range(5, trace.OWNERS)]
    for name in names:
        people[name] = await economy.account(name, credits=trace.CREDITS if name.startswith("user") else 0)
    for number in range(trace.MODELS):
        await economy.model(f"model-{number}", *(people[name] for name in trace.owners_of(number)))
    yield economy, people, requests
    await economy.till.close()


async def test_every_credit_and_every_nano_dollar(market):
    economy, people, requests = market
    assert len(requests) == trace.REQUESTS
    assert sum(request.prompt for request in requests) == trace.PROMPT_TOKENS
    assert sum(request.generated for request in requests) == trace.GENERATED_TOKENS

    async def send(some):
        orders = [
            economy.order(
                people[request.user], key=request.key, operation=trace.OPERATION, model_id=request.model,
                quantity={"input_token": request.prompt, "output_token": request.generated}, occurred_at=request.at,
            )
            for request in some
        ]  # fmt: skip
        return [outcome_of(done) for done in await economy.till.submit_all(orders)]

    wanted = trace.expected(requests)
    first = await trace.send_all(requests, send)
    assert first == wanted
    await books_say(economy, people, requests, wanted)
    # All of it again under the same keys: the same answers, and nothing more.
    again = await trace.send_all(requests, send)
    assert again == [outcome._replace(replayed=True) for outcome in wanted]
    await books_say(economy, people, requests, wanted)


def outcome_of(done):
    assert isinstance(done, Done), done
    earned = {share.account_id: share.nanos for share in done.receipt.earnings}
    return trace.Outcome(done.receipt.amount, earned, done.replayed)


async def books_say(economy, people, requests, wanted):
    spent, earned = trace.sums(requests, wanted)
    tokens = (
        "select count(*), sum((quantity ->> 'input_token')::bigint)::bigint, "
        "sum((quantity ->> 'output_token')::bigint)::bigint from metering.usage"
    )
    assert await economy.rows(tokens) == [(trace.REQUESTS, trace.PROMPT_TOKENS, trace.GENERATED_TOKENS)]
    balances = (
        "select i.external_id, a.role, sum(a.balance)::bigint from ledger.account a "
        "join access.identity i on i.account_id = a.owner_id group by 1, 2"
    )
    found = {(name, role): balance for name, role, balance in await economy.rows(balances)}
    for name in people:
        if name.startswith("user"):
            assert found[name, "wallet"] == trace.CREDITS - spent[name]
        assert found.get((name, "earnings"), 0) == earned[name]
    assert sum(spent.values()) == sum(outcome.amount for outcome in wanted)
    await clean(economy.db)

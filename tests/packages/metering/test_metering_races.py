"""Two processes of the service on one database: every wallet, hold, key and tier comes out as if they took turns."""

import asyncio
import json
import random
import sys
from collections import Counter
from contextlib import asynccontextmanager
from pathlib import Path

import racer
from economy import FLAT_RATE, TELLER, Economy, clean, party
from tokenhouse.domain import ledger, metering
from tokenhouse.domain.metering import GroupCommit
from tokenhouse.infra.kernel.errors import Conflict

SCRIPT = Path(racer.__file__)
CALLERS = 32  # in each of the two processes


@asynccontextmanager
async def another_process(economy, booted, admin, orders, callers=CALLERS):
    """A process that waits with these orders; gives what starts it and returns its outcomes."""
    ((key,),) = admin.execute("select key from access.secret").fetchall()
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), booted.app_conninfo, key.hex(), str(economy.buckets), str(callers),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2**26,
    )  # fmt: skip
    try:
        process.stdin.write(json.dumps([racer.written(order) for order in orders]).encode() + b"\n")
        assert await process.stdout.readline() == b"ready\n"

        async def go():
            process.stdin.write(b"go\n")
            return json.loads(await process.stdout.readline())

        yield go
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def race(economy: Economy, booted, admin, ours, theirs, *beside):
    """Carry out orders in this process and in another at once, and whatever else beside them."""
    till = GroupCommit(economy.db, buckets=economy.buckets)
    async with another_process(economy, booted, admin, theirs) as go:
        mine, others, *rest = await asyncio.gather(racer.carry_out(till, ours, CALLERS), go(), *beside)
    await till.close()
    return [*mine, *others], rest


async def test_a_balance_of_500_pays_500_of_1000(economy, booted, admin):
    payer, owner = await economy.account("payer", credits=500), await economy.account("owner")
    model = await economy.model("m", owner)
    orders = [economy.order(payer, amount=1, model_id="m") for _ in range(1000)]
    outcomes, _ = await race(economy, booted, admin, orders[::2], orders[1::2])
    assert Counter(outcome[0] for outcome in outcomes) == {"done": 500, "insufficient_tokens": 500}
    assert await economy.balance(payer) == 0
    assert (await economy.standing(model), await economy.earned(owner)) == (
        (500, 500, 500 * FLAT_RATE),
        500 * FLAT_RATE,
    )
    await clean(economy.db)


async def test_twins_in_two_processes_are_one_charge(economy, booted, admin):
    payers = [await economy.account(f"p{place}", credits=100) for place in range(5)]
    orders = [economy.order(payer, key="k", amount=7) for payer in payers] * 25
    outcomes, _ = await race(economy, booted, admin, orders, orders)
    assert [outcome[0] for outcome in outcomes] == ["done"] * 250
    for place in range(5):
        twins = outcomes[place::5]
        assert Counter(replayed for _, _, replayed, _ in twins) == {False: 1, True: 49}
        assert len({(id, said) for _, id, _, said in twins}) == 1
    assert [await economy.balance(payer) for payer in payers] == [93] * 5
    await clean(economy.db)


async def test_a_hold_ends_once_whoever_ends_it(economy, booted, admin):
    """Captures in one process, voids in another, sweeps beside; a third of the holds end by time while they run."""
    payers = [await economy.account(f"p{place}", credits=1000) for place in range(6)]
    holds = [(payer, await economy.hold(payer, amount=10)) for payer in payers for _ in range(10)]
    captures = [economy.ending(payer, hold, "capture", 4) for payer, hold in holds]
    voids = [economy.ending(payer, hold, "void") for payer, hold in holds]

    async def sweep():
        await asyncio.sleep(0.01)
        admin.execute("update ledger.hold set expires_at = clock_timestamp() where mod(hashtext(id::text), 3) = 0")
        for _ in range(5):
            for bucket in range(economy.buckets):
                async with economy.db.transaction(TELLER) as tx:
                    await ledger.expire_holds(tx, bucket)

    outcomes, _ = await race(economy, booted, admin, captures, voids, sweep())
    await sweep()
    assert {outcome[0] for outcome in outcomes} <= {"done", "hold_ended"}
    states = [await economy.hold_state(hold) for _, hold in holds]
    assert "live" not in states
    for state, captured, voided in zip(states, outcomes[:60], outcomes[60:], strict=True):
        assert (captured[0] == "done", voided[0] == "done") == (state == "captured", state == "voided")
    assert states.count("captured") + states.count("voided") == sum(outcome[0] == "done" for outcome in outcomes)
    spent = Counter(payer.external_id for (payer, _), state in zip(holds, states, strict=True) if state == "captured")
    for payer in payers:
        view = await economy.wallet(payer)
        assert (view.balance, view.held) == (1000 - 4 * spent[payer.external_id], 0)
    await clean(economy.db)


async def test_many_wallets_hot_models_and_everything_at_once(economy, booted, admin):
    """Charges, holds and their ends by two processes on few models, tiered ones among them; reversals, purchases,
    grants, changes of plan and settlements beside. No error of the database reaches a caller, and the books hold."""
    chance = random.Random(7)
    owners = [await economy.account(f"o{place}") for place in range(3)]
    payers = [await economy.account(f"p{place}", plan="large") for place in range(24)]
    hot = await economy.model("hot", *owners, earnings_policy="dynamic", creator_id="o0", creator_share_bps=2500)
    warm = await economy.model("warm", owners[1])
    tiered = await economy.model("tiered", owners[2], earnings_policy="steps")
    await economy.character("hero", "tiered")
    used = [await economy.charge(payer, amount=9, model_id="hot") for payer in payers]
    holds = [(payer, await economy.hold(payer, amount=5, model_id="warm")) for payer in payers for _ in range(4)]

    def orders(seed):
        draw = random.Random(seed)
        made = [
            economy.order(
                draw.choice(payers), draw.choice(["charge"] * 5 + ["hold", "report"]), amount=draw.randint(1, 3),
                **draw.choice([{"model_id": "hot"}] * 2 + [{"model_id": "warm"}, {"character_id": "hero"}, {}]),
            )
            for _ in range(600)
        ]  # fmt: skip
        made += [economy.ending(payer, hold, draw.choice(["capture", "void"]), 3) for payer, hold in holds]
        draw.shuffle(made)
        return made

    async def reversals():
        outcomes = []
        for payer, done in zip(payers, used, strict=True):
            outcomes += await asyncio.gather(
                *(economy.reverse(payer, done.id, 5) for _ in range(2)), return_exceptions=True
            )
        return outcomes

    async def the_rest():
        for place in range(40):
            payer = chance.choice(payers)
            await asyncio.gather(
                economy.grant(payer, 5),
                economy.change_plan(chance.choice(payers), chance.choice(["large", "pro"])),
                metering.settle_account(economy.db, economy.terms, party(chance.choice(payers))),
                *([economy.buy(payers[place // 10], "hot")] if place % 10 == 0 else []),
            )

    outcomes, (reversed_, _) = await race(economy, booted, admin, orders(1), orders(2), reversals(), the_rest())
    codes = Counter(outcome[0] for outcome in outcomes)
    assert codes.keys() <= {"done", "hold_ended"}, codes
    assert codes["hold_ended"] == len(holds)
    assert [type(one) for one in reversed_ if isinstance(one, BaseException)] == [Conflict] * len(payers)
    ((uses,),) = await economy.rows("select count(*) from metering.usage where counted")
    assert sum([(await economy.standing(model))[0] for model in (hot, warm, tiered)]) == uses
    await clean(economy.db)


async def test_tiers_over_two_processes_count_every_use_once(economy, booted, admin):
    """Payers of one bucket: its row's lock makes the processes take turns, so that every use pays by those before."""
    owner = await economy.account("owner")
    crowd = [await economy.account(f"p{place}", credits=1000) for place in range(economy.buckets * 4)]
    payers = [payer for payer in crowd if payer.bucket == crowd[0].bucket]
    await economy.model("m", owner, earnings_policy="dynamic")
    orders = [economy.order(payers[place % 4], amount=1, model_id="m") for place in range(300)]
    outcomes, _ = await race(economy, booted, admin, orders[:150], orders[150:])
    assert {outcome[0] for outcome in outcomes} == {"done"}
    nanos = await economy.rows("select nanos, count(*) from metering.usage group by 1 order by 1")
    # (0.001 + 0.0001) × 0.6, and × 1.2 from the hundredth use on.
    assert nanos == [(660_000, 100), (792_000, 200)]
    await clean(economy.db)

"""Reviews of odd use: what looks odd and is held, until somebody clears or rejects it."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query, Response
from pydantic import ConfigDict, Field

from tokenhouse.domain import access, metering
from tokenhouse.domain.access.acts import Act
from tokenhouse.domain.metering import ReviewRow
from tokenhouse.entrypoints.api.call import Call, uuid_of
from tokenhouse.entrypoints.api.cursor import cursor_of, uuid_after
from tokenhouse.entrypoints.api.patience import patiently
from tokenhouse.entrypoints.api.reference import COMMAND, LIST, READ, WRITE, created, found
from tokenhouse.entrypoints.api.routing import TheCall, answer, page, replayable, router
from tokenhouse.entrypoints.api.types import Answer, Body
from tokenhouse.entrypoints.api.v1.awards import Reason
from tokenhouse.infra.database import PLATFORM, Actor, Tx
from tokenhouse.infra.kernel.money import usd_text

routes = router("Earnings")
REVIEWS = "/v1/earnings-reviews"


class ReviewSignOut(Answer):
    """One thing that looks odd; its figures depend on the sign."""

    model_config = ConfigDict(extra="allow")

    sign: Literal["share", "rate", "linked", "night"] = Field(
        description="share: most of the model's uses; rate: many a minute; linked: the payer has to do with an earner; "
        "night: most of them at night by the payer's clock."
    )
    uses: int | None = None
    of: int | None = None
    minutes: int | None = None
    per_minute_over: int | None = None
    earner_id: str | None = None
    how: str | None = Field(
        None,
        description="organization, same_organization, referred, same_referrer, same_mail_domain or same_address.",
    )


class ReviewOut(Answer):
    """Uses of one model by one payer that are held for review."""

    id: str
    account_id: str | None = Field(description="Who paid.")
    model_id: str
    since: datetime = Field(serialization_alias="from", description="Uses that happened from here on.")
    until: datetime = Field(serialization_alias="to", description="And were recorded before this.")
    earner_ids: list[str] = Field(description="Who earned by them.")
    uses: int
    amount_nano_usd: int = Field(description="What they earned when they were found.")
    amount_usd: str
    reasons: list[ReviewSignOut]
    state: Literal["open", "cleared", "rejected"]
    reason: str | None = Field(description="Why it was cleared or rejected.")
    taken_nano_usd: int | None = Field(description="What a rejection took from the earners.")
    lost_nano_usd: int | None = Field(description="What it found paid out already: the platform's loss.")
    opened_at: datetime
    ended_at: datetime | None


class DecisionBody(Body):
    """Why."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "A class uses it for its lessons."}]})

    reason: Reason


class RejectedOut(Answer):
    """What a rejection took back."""

    id: str
    state: str
    taken_nano_usd: int
    taken_usd: str
    lost_nano_usd: int
    lost_usd: str
    reason: str


@routes.get(
    REVIEWS,
    operation_id="earnings_reviews_list",
    summary="List reviews of odd use",
    responses={**found(ReviewOut, listed=True), **LIST},
)
async def earnings_reviews_list(
    call: TheCall,
    state: Annotated[Literal["open", "cleared", "rejected"] | None, Query(description="Only those.")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """List what looked odd, the newest first. For platform keys and admins."""
    call.require_admin()
    before = uuid_after(cursor)
    async with call.runtime.database.read(PLATFORM) as tx:
        rows = await metering.reviews(tx, state=state, before=before, most=limit + 1)
        told = await _told(tx, rows[:limit])
    return answer(page(told, cursor_of(rows[limit - 1].id) if len(rows) > limit else None))


@routes.get(
    REVIEWS + "/{review_id}",
    operation_id="earnings_reviews_get",
    summary="Read a review of odd use",
    responses={**found(ReviewOut), **READ},
)
async def earnings_reviews_get(call: TheCall, review_id: str) -> Response:
    """Read what looked odd and why. For platform keys and admins."""
    call.require_admin()
    async with call.runtime.database.read(PLATFORM) as tx:
        (told,) = await _told(tx, [await metering.find_review(tx, uuid_of(review_id, "review"))])
    return answer(told)


@routes.post(
    REVIEWS + "/{review_id}/clear",
    operation_id="earnings_reviews_clear",
    summary="Clear a review",
    responses={**found(ReviewOut, description="Cleared."), **WRITE},
)
async def earnings_reviews_clear(call: TheCall, review_id: str, body: DecisionBody) -> Response:
    """Let what is held mature as ever. For platform keys and admins; a review ends once."""
    call.require_admin()
    number = uuid_of(review_id, "review")

    async def clear(tx: Tx) -> dict[str, Any]:
        review = await metering.clear(tx, number, body.reason)
        (told,) = await _told(tx, [review])
        await _record(tx, call, "review.clear", review, told)
        return told

    return answer(await patiently(call.runtime.database, PLATFORM, clear))


@routes.post(
    REVIEWS + "/{review_id}/reject",
    operation_id="earnings_reviews_reject",
    summary="Reject odd use",
    responses={**created(RejectedOut, 200), **COMMAND},
)
async def earnings_reviews_reject(call: TheCall, review_id: str, body: DecisionBody) -> Response:
    """Take back what the uses under a review earned. For platform keys and admins; a review ends once.

    The payer gets nothing back: reverse the charges for that. What was paid out already is the platform's loss.
    """
    call.require_key()
    call.require_admin()
    number = uuid_of(review_id, "review")
    async with call.runtime.database.read(PLATFORM) as tx:
        review = await metering.find_review(tx, number)
        payer = (await access.accounts_by_number(tx, [review.account_id]))[review.account_id]
    command = call.command(await call.existing(payer.external_id), call.body, f"{REVIEWS}/{number}/reject")

    async def reject(tx: Tx) -> tuple[dict[str, Any], bool]:
        told, replayed = await metering.reject(tx, command, number, body.reason, call.runtime.maturity_days)
        if not replayed:
            await _record(tx, call, "review.reject", review, told)
        return told, replayed

    told, replayed = await patiently(call.runtime.database, Actor((0,), teller=True), reject)
    return replayable(told, 200, replayed=replayed)


async def _record(tx: Tx, call: Call, act: str, review: ReviewRow, told: object) -> None:
    await access.record(tx, call.by(), Act(act, "review", str(review.id), review.account_id, after=told))


async def _told(tx: Tx, rows: list[ReviewRow]) -> list[dict[str, Any]]:
    earners = {number for row in rows for number in row.earners}
    names = {number: one.external_id for number, one in (await access.accounts_by_number(tx, earners)).items()}
    return [_view(row, names) for row in rows]


def _view(row: ReviewRow, names: dict[int, str]) -> dict[str, Any]:
    reasons = []
    for sign in row.reasons if isinstance(row.reasons, list) else []:
        said = dict(sign)
        if "earner" in said:
            said["earner_id"] = names.get(said.pop("earner"))
        reasons.append(said)
    return {
        "id": str(row.id),
        "account_id": row.payer,
        "model_id": row.model_id,
        "from": row.since,
        "to": row.until,
        "earner_ids": [names[number] for number in row.earners if number in names],
        "uses": row.uses,
        "amount_nano_usd": row.nanos,
        "amount_usd": usd_text(row.nanos),
        "reasons": reasons,
        "state": row.state,
        "reason": row.reason,
        "taken_nano_usd": row.taken,
        "lost_nano_usd": row.lost,
        "opened_at": row.opened_at,
        "ended_at": row.ended_at,
    }

"""What those who used a model say of it, and who watches over what they say."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query, Response
from pydantic import ConfigDict, Field

from tokenhouse.domain import access, market, metering
from tokenhouse.domain.access.acts import Act
from tokenhouse.domain.market.rules import REVIEW_CHARACTERS
from tokenhouse.domain.market.types import Review, ReviewState
from tokenhouse.entrypoints.api.call import party_of, uuid_of
from tokenhouse.entrypoints.api.cursor import cursor_of, uuid_after
from tokenhouse.entrypoints.api.patience import patiently
from tokenhouse.entrypoints.api.reference import LIST, READ, WRITE, found, refusals
from tokenhouse.entrypoints.api.routing import TheCall, answer, page, router
from tokenhouse.entrypoints.api.types import Answer, Body, Note
from tokenhouse.entrypoints.api.v1.models import known, reader, visible
from tokenhouse.infra.database import PLATFORM, Tx

routes = router("Reviews")


class ModelReviewBody(Body):
    """What the caller says of a model."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"stars": 5, "text": "Listens well."}]})

    stars: Annotated[int, Field(ge=1, le=5)]
    text: Annotated[str, Field(min_length=1, max_length=REVIEW_CHARACTERS)] | None = None


class ModelReviewModerateBody(Body):
    """Whether everybody may see a review, and why."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"state": "hidden", "reason": "advertising"}]})

    state: Literal["published", "hidden"]
    reason: Note | None = None
    """Why, for the records."""


class ModelReviewOut(Answer):
    """What somebody says of a model."""

    id: str
    model_id: str
    author: str
    """A pseudonym: the same for all readers, another for each model."""
    account_id: str | None
    """The author, for the platform and for the author."""
    stars: int
    text: str | None
    state: str
    """`published`; `hidden` by a moderator; `pending` where it waits for one."""
    created_at: datetime
    updated_at: datetime


def _review_json(review: Review) -> dict[str, Any]:
    return {
        "id": review.id,
        "model_id": review.model_id,
        "author": review.author,
        "account_id": review.account_id,
        "stars": review.stars,
        "text": review.text,
        "state": review.state,
        "created_at": review.created_at,
        "updated_at": review.updated_at,
    }


@routes.put(
    "/v1/models/{model_id}/review",
    operation_id="model_reviews_put",
    summary="Review a model",
    responses={**found(ModelReviewOut, description="Written."), **WRITE},
)
async def model_reviews_put(call: TheCall, model_id: str, body: ModelReviewBody) -> Response:
    """Say what the caller, or whom a platform key names by X-User-ID, thinks of a model that they used.

    Each account has one review of a model; another PUT replaces it. Owners and creators have none.
    """
    party = party_of(await call.caller())
    call.require("market:write")

    async def write(tx: Tx) -> Review:
        return await metering.review_model(
            tx, party, known(model_id), body.stars, body.text, moderated=call.runtime.moderated_reviews
        )

    return answer(_review_json(await patiently(call.runtime.database, PLATFORM, write)))


@routes.delete(
    "/v1/models/{model_id}/review",
    operation_id="model_reviews_remove",
    summary="Take one's review away",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "It is gone."}, **refusals(400), **READ},
)
async def model_reviews_remove(call: TheCall, model_id: str) -> Response:
    """Take away what the caller, or whom a platform key names by X-User-ID, said of a model."""
    account = await call.caller()
    call.require("market:write")
    async with call.runtime.database.transaction(PLATFORM) as tx:
        await market.remove_review(tx, known(model_id), account.id)
    return Response(status_code=204)


@routes.get(
    "/v1/models/{model_id}/reviews",
    operation_id="model_reviews_list",
    summary="List a model's reviews",
    responses={**found(ModelReviewOut, listed=True), **LIST},
)
async def model_reviews_list(
    call: TheCall,
    model_id: str,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """List a model's reviews, the newest first: the published ones, one's own, and for the platform all."""
    before = uuid_after(cursor)
    async with call.runtime.database.read(reader(call)) as tx:
        model = await visible(call, tx, model_id)
        rows = await market.list_reviews(tx, model_id=model.id, before=before, most=limit + 1)
    return _page(rows, limit)


@routes.get(
    "/v1/reviews",
    operation_id="model_reviews_queue",
    summary="List reviews",
    responses={**found(ModelReviewOut, listed=True), **LIST},
)
async def model_reviews_queue(
    call: TheCall,
    state: Annotated[ReviewState | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """List the reviews of all models, the newest first. For platform keys and admins."""
    call.require_admin()
    before = uuid_after(cursor)
    async with call.runtime.database.read(PLATFORM) as tx:
        rows = await market.list_reviews(tx, state=state, before=before, most=limit + 1)
    return _page(rows, limit)


@routes.post(
    "/v1/reviews/{review_id}/moderate",
    operation_id="model_reviews_moderate",
    summary="Publish or hide a review",
    responses={**found(ModelReviewOut, description="Moderated."), **WRITE},
)
async def model_reviews_moderate(call: TheCall, review_id: str, body: ModelReviewModerateBody) -> Response:
    """Publish or hide a review; the model's rating changes with it. For platform keys and admins."""
    call.require_admin()
    number = uuid_of(review_id, "review")

    async def moderate(tx: Tx) -> Review:
        before, after = await market.moderate_review(tx, number, body.state)
        author = await access.find_account(tx, after.account_id) if after.account_id is not None else None
        told = {**_review_json(after), "reason": body.reason}
        act = Act("review.moderate", "review", review_id, author.id if author else None, _review_json(before), told)
        await access.record(tx, call.by(), act)
        return after

    return answer(_review_json(await patiently(call.runtime.database, PLATFORM, moderate)))


def _page(rows: list[Review], limit: int) -> Response:
    following = cursor_of(rows[limit - 1].id) if len(rows) > limit else None
    return answer(page([_review_json(row) for row in rows[:limit]], following))

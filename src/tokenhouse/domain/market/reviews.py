"""The verbs of reviews: what those who used a model say of it, each once, and its moderation.

A model's rating is the sum and the number of its published reviews; the database changes it with them.
"""

from dataclasses import replace
from typing import cast
from uuid import UUID

from tokenhouse.domain.market import rules, service
from tokenhouse.domain.market.types import Model, Review, ReviewState
from tokenhouse.infra.database import Tx, load_queries
from tokenhouse.infra.kernel.errors import NotFound
from tokenhouse.infra.kernel.ids import new_id

_Q = load_queries(__file__)
_EARNS = _Q.rows("earns", bool)
_WRITE_REVIEW = _Q.rows("write_review", UUID)
_REMOVE_REVIEW = _Q.rows("remove_review", bool)
_MODERATE_REVIEW = _Q.rows("moderate_review", str)
_REVIEWS = _Q.rows("reviews", Review)


async def write_review(
    tx: Tx, model: Model, account_id: int, stars: int, text: str | None, *, used: bool, moderated: bool
) -> Review:
    """Write what an account says of a model: its one review, made or changed. Needs the platform's token.

    used: whether the account used the model, which metering knows. moderated: whether a review waits for approval; one
    that was hidden waits in any case. Forbidden: never used it, owns it, or made it.
    """
    rules.check_review(used=used, earns=await tx.one(_EARNS, model_id=model.id, account_id=account_id))
    review_id = await tx.one(
        _WRITE_REVIEW,
        id=new_id(),
        model_id=model.id,
        account_id=account_id,
        stars=stars,
        text=text,
        state="pending" if moderated else "published",
    )
    return await find_review(tx, review_id)


async def remove_review(tx: Tx, model_id: str, account_id: int) -> None:
    """Take away what an account says of a model. Needs the platform's token. NotFound: it says nothing."""
    model = await service.find_model(tx, model_id, archived=True)
    if model is None or not await tx.one(_REMOVE_REVIEW, model_id=model.id, account_id=account_id):
        raise NotFound("There is no such review. PUT writes one.")


async def moderate_review(tx: Tx, review_id: UUID, state: ReviewState) -> tuple[Review, Review]:
    """Publish or hide a review: what it was, and what it is. The platform's. NotFound: no such review."""
    before = await tx.one(_MODERATE_REVIEW, id=review_id, state=state)
    after = await find_review(tx, review_id)
    return replace(after, state=cast("ReviewState", before)), after


async def find_review(tx: Tx, review_id: UUID) -> Review:
    """Return a review that the reader may see. NotFound: there is none."""
    found = await tx.first(
        _REVIEWS, model_id=None, account_id=None, state=None, id=review_id, before=None, most=1
    )  # fmt: skip
    if found is None:
        raise NotFound("There is no such review.")
    return found


async def list_reviews(
    tx: Tx,
    *,
    model_id: int | None = None,
    account_id: int | None = None,
    state: ReviewState | None = None,
    before: UUID | None = None,
    most: int = 100,
) -> list[Review]:
    """Return reviews that the reader may see, the newest first: published ones, one's own, for the platform all.

    model_id, account_id: our own numbers; None: of any. before: older than the one of that id.
    """
    return await tx.all(
        _REVIEWS, model_id=model_id, account_id=account_id, state=state, id=None, before=before, most=most
    )

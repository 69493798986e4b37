"""Reviewing a model: only who used it may, which is metering's to know."""

from tokenhouse.domain import market
from tokenhouse.domain.ledger.types import Party
from tokenhouse.domain.market.types import Review
from tokenhouse.infra.database import Tx, load_queries
from tokenhouse.infra.kernel.errors import NotFound

_Q = load_queries(__file__)
_USED = _Q.rows("used", bool)


async def review_model(tx: Tx, party: Party, model_id: str, stars: int, text: str | None, *, moderated: bool) -> Review:
    """Write what an account says of a model that it used: its one review, made or changed. Needs the platform's token.

    Used: by a charge that counts for the model and was not reversed whole. moderated: whether a review waits for
    approval. NotFound: no such model, or archived. Forbidden: never used it, owns it, or made it.
    """
    model = await market.find_model(tx, model_id)
    if model is None:
        raise NotFound("There is no such model.")
    used = await tx.one(_USED, bucket=party.bucket, account_id=party.id, model_id=model.id)
    return await market.write_review(tx, model, party.id, stars, text, used=used, moderated=moderated)

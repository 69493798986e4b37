"""The models of one account: what it bought, what that brings, and what it may still buy."""

from dataclasses import dataclass
from datetime import datetime

from tokenhouse.domain import earnings
from tokenhouse.domain.earnings.types import ModelEarnings
from tokenhouse.infra.database import Tx, load_queries

_MOST = 1000


@dataclass(frozen=True, slots=True)
class OwnedModel:
    """A model that an account bought: what it paid, in credits, and what others' uses brought it, in nano-dollars."""

    model_id: str
    name: str
    category: str
    price_credits: int
    bought_at: datetime
    uses: int
    credits: int
    nanos: int
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Portfolio:
    """The models of an account. on_offer: how many models there are for anyone.

    earned: what each model that was used brought it, as owner or creator, the highest first. to_buy: ids.
    """

    on_offer: int
    owned: tuple[OwnedModel, ...]
    earned: tuple[ModelEarnings, ...]
    to_buy: tuple[str, ...]


_Q = load_queries(__file__, "portfolio.sql")
_ON_OFFER = _Q.rows("models_on_offer", int)
_OWNED = _Q.rows("owned_models", OwnedModel)
_TO_BUY = _Q.rows("models_to_buy", str)


async def portfolio(tx: Tx, account_id: int) -> Portfolio:
    """Return the models of an account. As the platform: whether an exclusive model is sold is in others' rows."""
    return Portfolio(
        await tx.one(_ON_OFFER),
        tuple(await tx.all(_OWNED, account_id=account_id)),
        tuple(await earnings.model_earnings(tx, account_id)),
        tuple(await tx.all(_TO_BUY, account_id=account_id, most=_MOST)),
    )

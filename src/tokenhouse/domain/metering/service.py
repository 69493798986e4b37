"""Metering's verbs on one transaction: load and post a batch, check, read receipts."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from tokenhouse.domain import catalog as catalogs
from tokenhouse.domain import ledger, wallets
from tokenhouse.domain.catalog.types import Catalog, Price
from tokenhouse.domain.earnings.policies import formula_of
from tokenhouse.domain.ledger.types import Entry, Party
from tokenhouse.domain.metering.types import (
    AnyOrder,
    Burned,
    HeldNow,
    HoldOrder,
    Loaded,
    MeteringPosting,
    Receipt,
    ReceiptRow,
    Scene,
    Share,
    Spendable,
    Terms,
)
from tokenhouse.infra.database import Tx, arrays, load_queries

_Q = load_queries(__file__)
LOAD = _Q.rows("load", Loaded)
POST = _Q.nothing("post")
_RECEIPTS = _Q.rows("receipts", ReceiptRow)
_RECEIPTS_OF = _Q.rows("receipts_of", UUID)
_SPENDABLE = _Q.rows("spendable", Spendable)
_MODELS_OF = _Q.rows("models_of", list)


class Rates:
    """A catalog with its earnings formulas made ready."""

    __slots__ = ("catalog", "default_tiered", "formulas", "tiered")

    def __init__(self, catalog: Catalog, default_policy: str) -> None:
        self.catalog = catalog
        self.formulas = {policy.id: formula_of(policy) for policy in catalog.policies.values()}
        counting = [name for name, formula in self.formulas.items() if formula.counts_uses]
        self.tiered = arrays.texts(counting)
        self.default_tiered = default_policy in counting


def load_params(bucket: int, orders: Sequence[tuple[AnyOrder, int]], rates: Rates) -> dict[str, object]:
    """Give the parameters that load a batch of (order, asset)."""
    named = sorted({(order.command.party.id, asset) for order, asset in orders})
    models: set[str] = set()
    characters: set[str] = set()
    holds = []
    for order, _ in orders:
        if isinstance(order, HoldOrder):
            holds.append(order.hold_id)
        if order.model_id is not None:
            models.add(order.model_id)
        if order.character_id is not None:
            characters.add(order.character_id)
    return {
        "bucket": bucket,
        "owner": arrays.ints(owner for owner, _ in named),
        "asset": arrays.ints(asset for _, asset in named),
        "account": arrays.ints(order.command.party.id for order, _ in orders),
        "key": arrays.texts(order.command.key for order, _ in orders),
        "hold": arrays.ints(holds),
        "model": arrays.texts(models),
        "character": arrays.texts(characters),
        "tiered": rates.tiered,
        "default_tiered": rates.default_tiered,
    }


def scene_of(loaded: Loaded, rates: Rates, upgrade_url: str, settled: frozenset[int]) -> Scene:
    """Make what was loaded into what is decided on."""
    found = wallets.assemble(
        (loaded.owners, loaded.assets, loaded.accounts, loaded.balances, loaded.helds, loaded.dues),
        (
            loaded.lot_accounts,
            loaded.lot_assets,
            loaded.lot_ids,
            loaded.lot_lefts,
            loaded.lot_sources,
            loaded.lot_priorities,
            loaded.lot_expiries,
        ),
    )
    models: dict[str, Terms] = {}
    characters: dict[str, Terms] = {}
    for row in loaded.models or ():
        terms = _terms(row)
        if terms.character_external_id is None:
            models[terms.external_id] = terms
        else:
            characters[terms.character_external_id] = terms
    return Scene(
        catalog=rates.catalog,
        at=loaded.at,
        wallets=found,
        entries={(row[0], row[1]): Entry(*row) for row in loaded.entries or ()},
        holds={str(row[0]): HeldNow(*row) for row in loaded.holds or ()},
        models=models,
        characters=characters,
        standing={},
        owed={},
        formulas=rates.formulas,
        upgrade_url=upgrade_url,
        at_text=loaded.at.isoformat(),
        settled=settled,
    )


def _terms(row: Sequence[Any]) -> Terms:
    (
        model_id,
        external_id,
        character_id,
        character,
        active,
        monetized,
        policy,
        version,
        pricing,
        share,
        creator,
        owners,
        uses,
        nanos,
        accounts,
    ) = row
    names = dict(owners or ())
    ids = tuple(names)
    creator_id, creator_name = creator
    if creator_id is not None:
        names[creator_id] = creator_name
    return Terms(
        model_id,
        external_id,
        character_id,
        character,
        active,
        monetized,
        policy,
        version,
        _price(tuple(sorted(pricing.items()))) if pricing else None,
        creator_id,
        share,
        ids,
        names,
        uses,
        nanos or 0,
        {owner: (account, balance) for owner, account, balance in accounts or ()},
    )


@lru_cache(maxsize=4096)
def _price(rates: tuple[tuple[str, str], ...]) -> Price:
    return catalogs.parse_pricing(dict(rates))


def post_params(posting: MeteringPosting, at: datetime) -> dict[str, object]:
    """Give the parameters that write a batch: one array literal a column."""
    usage = ledger.columns(posting.usage, 24)
    uses = ledger.columns(posting.uses.values(), 4)
    shares = ledger.columns(posting.shares.values(), 4)
    ints, texts = arrays.ints, arrays.texts
    return {
        "bucket": posting.bucket,
        "at": at,
        **ledger.params(posting),
        **wallets.move_params(posting),
        "usage_id": ints(usage[0]),
        "usage_account": ints(usage[1]),
        "usage_asset": ints(usage[2]),
        "usage_kind": ints(usage[3]),
        "usage_counted": arrays.bools(usage[4]),
        "usage_type": ints(usage[5]),
        "usage_amount": ints(usage[6]),
        "usage_credits": ints(usage[7]),
        "usage_balance": ints(usage[8]),
        "usage_nanos": ints(usage[9]),
        "usage_reason": arrays.sparse_ints(usage[10]),
        "usage_operation": arrays.sparse(usage[11]),
        "usage_rate_version": arrays.sparse_ints(usage[12]),
        "usage_model": arrays.sparse_ints(usage[13]),
        "usage_character": arrays.sparse_ints(usage[14]),
        "usage_hold": arrays.sparse_ints(usage[15]),
        "usage_user_label": arrays.sparse(usage[16]),
        "usage_upstream_model": arrays.sparse(usage[17]),
        "usage_provider": arrays.sparse(usage[18]),
        "usage_cost_nanos": arrays.sparse_ints(usage[19]),
        "usage_quantity": arrays.sparse(usage[20]),
        "usage_metadata": arrays.sparse(usage[21]),
        "usage_occurred_at": arrays.sparse(usage[22]),
        "usage_earners": arrays.sparse(usage[23]),
        "use_model": ints(posting.uses),
        "use_count": ints(uses[0]),
        "use_credits": ints(uses[1]),
        "use_nanos": ints(uses[2]),
        "use_last": texts(uses[3]),
        "share_model": ints(model for model, _ in posting.shares),
        "share_earner": ints(earner for _, earner in posting.shares),
        "share_count": ints(shares[0]),
        "share_credits": ints(shares[1]),
        "share_nanos": ints(shares[2]),
        "share_last": texts(shares[3]),
    }


async def spendable(tx: Tx, wanted: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int, int, bool]]:
    """Read what wallets (bucket, owner, asset) have to spend: the same with credits available and if one is due."""
    rows = await tx.all(
        _SPENDABLE,
        bucket=arrays.ints(bucket for bucket, _, _ in wanted),
        owner=arrays.ints(owner for _, owner, _ in wanted),
        asset=arrays.ints(asset for _, _, asset in wanted),
    )
    return [(row.bucket, row.owner_id, row.asset_id, row.available, row.due) for row in rows]


async def terms_of(tx: Tx, bucket: int, models: Iterable[str], characters: Iterable[str]) -> list[Terms]:
    """Read what uses of models and of characters' models need to know, without a lock."""
    rows = await tx.one(_MODELS_OF, bucket=bucket, model=arrays.texts(models), character=arrays.texts(characters))
    return [_terms(row) for row in rows or ()]


async def receipts(tx: Tx, ids: Iterable[str]) -> dict[str, Receipt]:
    """Return receipts by id: those there are and that this transaction may see."""
    rows = await tx.all(_RECEIPTS, ids=arrays.ints(ids))
    return {str(row.id): receipt_of(row) for row in rows}


async def receipt_rows(tx: Tx, ids: Iterable[str]) -> dict[str, ReceiptRow]:
    """Return receipts by id with what later happened to them."""
    return {str(row.id): row for row in await tx.all(_RECEIPTS, ids=arrays.ints(ids))}


async def receipts_of(
    tx: Tx,
    party: Party,
    *,
    before: UUID | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    operation: str | None = None,
    model_id: int | None = None,
    user_label: str | None = None,
    most: int = 100,
) -> list[ReceiptRow]:
    """Return an account's receipts, newest first; since and until bound the time of use, until not included."""
    ids = await tx.all(
        _RECEIPTS_OF,
        bucket=party.bucket,
        account_id=party.id,
        before=before,
        since=since,
        until=until,
        operation=operation,
        model_id=model_id,
        user_label=user_label,
        most=most,
    )
    rows = await receipt_rows(tx, [str(found) for found in ids])
    return [rows[str(found)] for found in ids]


def receipt_of(row: ReceiptRow) -> Receipt:
    """Make a receipt of what its tables hold."""
    return Receipt(
        id=str(row.id),
        account_id=row.account_external_id or "",
        user_id=row.user_id,
        credit_type=row.credit_type,
        amount=row.amount,
        balance=row.balance,
        operation=row.operation,
        rate_card_version=row.rate_card_version,
        model_id=row.model_id,
        character_id=row.character_id,
        usage_type=row.usage_type,
        hold_id=str(row.hold_id) if row.hold_id else None,
        grants=tuple(Burned(lot, amount) for lot, amount in row.grants or ()),
        earnings=tuple(Share(str(name), row.model_id or "", int(nanos)) for name, nanos in row.earnings or ()),
        earnings_reason=row.earnings_reason,
        quantity=row.quantity,
        upstream_model=row.upstream_model,
        provider=row.provider,
        cost_nano_usd=row.cost_nanos,
        metadata=row.metadata,
        occurred_at=row.occurred_at,
        created_at=row.created_at,
    )

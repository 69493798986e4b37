"""Metering's verbs on one transaction: load and post a batch, check, read receipts."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from tokenhouse.domain import catalog as catalogs
from tokenhouse.domain import ledger, wallets
from tokenhouse.domain.catalog.types import Catalog, Price
from tokenhouse.domain.earnings import formula_of
from tokenhouse.domain.ledger.types import Entry, Party
from tokenhouse.domain.metering.types import (
    AnyOrder,
    Burned,
    Character,
    HeldNow,
    HoldOrder,
    Loaded,
    MeteringPosting,
    ModelColumns,
    Receipt,
    ReceiptRow,
    Scene,
    Share,
    Spendable,
    Terms,
    UsageRow,
)
from tokenhouse.domain.metering.uses import DEFAULT_POLICY
from tokenhouse.infra.database import Tx, arrays, load_queries

_Q = load_queries(__file__)
LOAD = _Q.rows("load", Loaded)
POST = _Q.nothing("post")
_RECEIPTS = _Q.rows("receipts", ReceiptRow)
_RECEIPTS_OF = _Q.rows("receipts_of", UUID)
_SPENDABLE = _Q.rows("spendable", Spendable)
TERMS_OF = _Q.rows("terms_of", list)
_FOUND_MODELS = _Q.rows("found_models", ModelColumns)
CATALOG_VERSION = _Q.rows("catalog_version", int)


class Rates:
    """A catalog with its earnings formulas made ready."""

    __slots__ = ("catalog", "formulas")

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.formulas = {policy.id: formula_of(policy) for policy in catalog.policies.values()}

    def counts_uses(self, terms: Terms) -> bool:
        """Whether what a use of the model earns depends on the uses before it."""
        formula = self.formulas.get(terms.policy or DEFAULT_POLICY)
        return formula is not None and formula.counts_uses


class TermsKept:
    """Terms of models as last read, by bucket and model; each holds while the model has its version.

    counting: names of models and characters, of the sort `model` or `character`, whose tiers count uses → the model.
    """

    __slots__ = ("_by_model", "_most", "counting")

    def __init__(self, most: int = 20_000) -> None:
        self._by_model: dict[tuple[int, int], Terms] = {}
        self._most = most
        self.counting: dict[tuple[str, str], int] = {}

    def get(self, bucket: int, model_id: int, version: int) -> Terms | None:
        """Return the terms of this version, if they are known."""
        terms = self._by_model.get((bucket, model_id))
        return terms if terms is not None and terms.version == version else None

    def counts(self, order: AnyOrder) -> bool:
        """Whether an order is for a use of a model whose tiers count, as far as is known."""
        counting = self.counting
        if not counting:
            return False
        return ("model", order.model_id) in counting or ("character", order.character_id) in counting

    def keep(self, bucket: int, rows: Iterable[Sequence[Any]]) -> None:
        """Keep what terms_of returned."""
        if len(self._by_model) >= self._most:
            self._by_model.clear()
        for row in rows:
            terms = _terms(row)
            self._by_model[bucket, terms.model_id] = terms

    def missing(self, bucket: int, loaded: Loaded | ModelColumns) -> list[int]:
        """Say which models of those found are not known at their version."""
        return [
            model_id
            for model_id, version in zip(loaded.models or (), loaded.versions or (), strict=True)
            if self.get(bucket, model_id, version) is None
        ]

    def found(self, bucket: int, loaded: Loaded | ModelColumns) -> tuple[dict[str, Terms], dict[str, Character]]:
        """Return the models and characters found, by the app's ids."""
        models: dict[str, Terms] = {}
        characters: dict[str, Character] = {}
        columns = (loaded.names or (), loaded.characters or (), loaded.models or ())
        for name, character_id, model_id in zip(*columns, strict=True):
            terms = self._by_model[bucket, model_id]
            if character_id is None:
                models[name] = terms
            else:
                characters[name] = Character(character_id, name, terms)
        return models, characters


def load_params(bucket: int, orders: Sequence[tuple[AnyOrder, int]], kept: TermsKept) -> dict[str, object]:
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
    counting: set[int] = set()
    if kept.counting:
        counting.update(kept.counting[key] for name in models if (key := ("model", name)) in kept.counting)
        counting.update(kept.counting[key] for name in characters if (key := ("character", name)) in kept.counting)
    return {
        "bucket": bucket,
        "owner": arrays.ints([owner for owner, _ in named]),
        "asset": arrays.ints([asset for _, asset in named]),
        "account": arrays.ints([order.command.party.id for order, _ in orders]),
        "key": arrays.texts([order.command.key for order, _ in orders]),
        "hold": arrays.ints(holds),
        "model": arrays.texts(models),
        "character": arrays.texts(characters),
        "counting": arrays.ints(sorted(counting)),
    }


def scene_of(
    loaded: Loaded,
    rates: Rates,
    models: dict[str, Terms],
    characters: dict[str, Character],
    upgrade_url: str,
    settled: frozenset[int],
    unearned: frozenset[tuple[int, str]],
) -> Scene:
    """Make what was loaded into what is decided on."""
    return Scene(
        catalog=rates.catalog,
        at=loaded.at,
        wallets=wallets.assemble(
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
        ),
        entries={(row[0], row[1]): Entry(*row) for row in loaded.entries or ()},
        holds={str(row[0]): HeldNow(*row) for row in loaded.holds or ()},
        models=models,
        characters=characters,
        uses=dict(zip(loaded.counting or (), loaded.uses or (), strict=True)),
        formulas=rates.formulas,
        upgrade_url=upgrade_url,
        at_text=loaded.at.isoformat(),
        settled=settled,
        unearned=unearned,
    )


def _terms(row: Sequence[Any]) -> Terms:
    (
        model_id,
        external_id,
        version,
        active,
        monetized,
        policy,
        pricing_version,
        pricing,
        creator_id,
        creator,
        share,
        owners,
        accounts,
    ) = row
    names = dict(owners or ())
    owner_ids = tuple(names)
    if creator_id is not None:
        names[creator_id] = creator
    price = _price(tuple(sorted(pricing.items()))) if pricing else None
    return Terms(
        model_id,
        external_id,
        version,
        active,
        monetized,
        policy,
        pricing_version,
        price,
        creator_id,
        share,
        owner_ids,
        names,
        dict(accounts or ()),
    )


@lru_cache(maxsize=4096)
def _price(rates: tuple[tuple[str, str], ...]) -> Price:
    return catalogs.parse_pricing(dict(rates))


def post_params(posting: MeteringPosting, at: datetime) -> dict[str, object]:
    """Give the parameters that write a batch: rows of tables as the literals of their types, changes by column."""
    uses = ledger.columns(posting.uses.values(), 4)
    earners = sorted(posting.earners)  # their rows are locked in this order
    shares = ledger.columns(posting.shares.values(), 4)
    ints, texts = arrays.ints, arrays.texts
    return {
        "bucket": posting.bucket,
        "at": at,
        **ledger.params(posting),
        **wallets.move_params(posting),
        "usage": arrays.rows([_usage(row) for row in posting.usage]),
        "holds": ledger.hold_rows(posting),
        "use_model": ints(posting.uses),
        "use_count": ints(uses[0]),
        "use_credits": ints(uses[1]),
        "use_nanos": ints(uses[2]),
        "use_last": texts(uses[3]),
        "share_model": ints([model for model, _ in posting.shares]),
        "share_earner": ints([earner for _, earner in posting.shares]),
        "share_count": ints(shares[0]),
        "share_credits": ints(shares[1]),
        "share_nanos": ints(shares[2]),
        "share_last": texts(shares[3]),
        "earner": ints(earners),
        "earner_nanos": ints([posting.earners[earner] for earner in earners]),
    }


def _usage(row: UsageRow) -> str:
    """Write a use as a row of metering.usage, in its columns' order; bucket, recording time and xact are left out."""
    (
        usage, account, asset, kind, counted, usage_type, amount, credit_sum, balance, nanos, reason, operation, rate,
        model, character, hold, earners, user_label, upstream_model, provider, cost, quantity, metadata, occurred_at,
    ) = row  # fmt: skip
    field = arrays.field
    return (
        f'"(,{usage},{account},{asset},{kind},{"t" if counted else "f"},{usage_type},{amount},{credit_sum},{balance},'
        f"{nanos},{reason or ''},{field(operation)},{'' if rate is None else rate},{'' if model is None else model},"
        f"{'' if character is None else character},{hold or ''},{_ids(earners)},{field(user_label)},"
        f"{field(upstream_model)},{field(provider)},{'' if cost is None else cost},{field(quantity)},"
        f'{field(metadata)},{field(occurred_at)},,)"'
    )


def _ids(ids: tuple[int, ...] | None) -> str:
    """Write ids as an array that is a field of a row."""
    return "" if ids is None else f'\\"{{{",".join(map(str, ids))}}}\\"'


async def spendable(tx: Tx, wanted: Sequence[tuple[int, int, int]]) -> list[Spendable]:
    """Read what wallets (bucket, owner, asset) have to spend."""
    return await tx.all(
        _SPENDABLE,
        bucket=arrays.ints(bucket for bucket, _, _ in wanted),
        owner=arrays.ints(owner for _, owner, _ in wanted),
        asset=arrays.ints(asset for _, _, asset in wanted),
    )


async def find_models(
    tx: Tx, bucket: int, models: Iterable[str], characters: Iterable[str], kept: TermsKept
) -> tuple[dict[str, Terms], dict[str, Character]]:
    """Return what uses of models and of characters' models need to know, by the app's ids, without a lock."""
    found = await tx.one(_FOUND_MODELS, model=arrays.texts(models), character=arrays.texts(characters))
    while missing := kept.missing(bucket, found):  # again: those kept before may have made room
        rows = await tx.one(TERMS_OF, bucket=bucket, models=arrays.ints(missing))
        kept.keep(bucket, rows or ())
    return kept.found(bucket, found)


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

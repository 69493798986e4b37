"""The verbs of the market. Models and characters are the platform's to change; a purchase is the buyer's."""

import json
from collections.abc import Iterable
from datetime import datetime

from tokenhouse.domain import access, catalog, ledger, wallets
from tokenhouse.domain.catalog.types import Catalog
from tokenhouse.domain.ledger import chart
from tokenhouse.domain.ledger.rules import refuse_other
from tokenhouse.domain.ledger.types import Command, EntryRow, LegRow
from tokenhouse.domain.market import rules
from tokenhouse.domain.market.types import (
    Character,
    Model,
    ModelChanges,
    ModelValues,
    NewCharacter,
    NewModel,
    Owned,
    PricingVersion,
    Sale,
)
from tokenhouse.domain.wallets.rules import burn
from tokenhouse.domain.wallets.types import Wallet, WalletPosting
from tokenhouse.infra.database import Tx, arrays, load_queries, sqlstate
from tokenhouse.infra.kernel.errors import Conflict, NotFound
from tokenhouse.infra.kernel.ids import new_id

_Q = load_queries(__file__)
_CREATE_MODEL = _Q.rows("create_model", int)
_UPDATE_MODEL = _Q.nothing("update_model")
_LOCK_MODEL = _Q.rows("lock_model", int)
_ARCHIVE_MODEL = _Q.nothing("archive_model")
_MODELS = _Q.rows("models", Model)
_MODEL_PAGE = _Q.rows("model_page", str)
_PRICING_VERSIONS = _Q.rows("pricing_versions", PricingVersion)
_CREATE_CHARACTER = _Q.rows("create_character", datetime)
_FIND_CHARACTER = _Q.rows("find_character", Character)
_OWNED_BY = _Q.rows("owned_by", Owned)
_LOCK_FOR_SALE = _Q.rows("lock_for_sale", Sale)
_OWN = _Q.nothing("own")

_TAKEN = "23505"


async def create_model(tx: Tx, terms: Catalog, new: NewModel) -> Model:
    """Put a model on the market. The platform's.

    Conflict (already_exists): the id is taken; the transaction is then lost. NotFound: no such creator.
    UnknownReference: no such earnings policy. ValidationFailed: a price that is none, no id as ids are.
    """
    external_id = new_id() if new.external_id is None else rules.check_external_id(new.external_id)
    rules.check_policy(terms, new.earnings_policy)
    pricing = _pricing(rules.price_given(new.pricing, new.credit_cost), new.credit_cost)
    values = rules.values_of(new, pricing, await _creator(tx, new.creator_id))
    try:
        await tx.one(_CREATE_MODEL, external_id=external_id, **_params(values))
    except Exception as error:
        _refuse_taken(error, "model", external_id)
        raise
    return (await find_models(tx, [external_id]))[external_id]


async def update_model(tx: Tx, terms: Catalog, external_id: str, changes: ModelChanges) -> Model:
    """Change a model; another price is another version of it. The platform's. Raises as `create_model`.

    NotFound: no such model, or archived. Conflict (already_owned): several own what is to be exclusive.
    """
    rules.check_policy(terms, changes.get("earnings_policy"))
    given = rules.price_given(changes.get("pricing"), changes.get("credit_cost"))
    pricing = _pricing(given, changes.get("credit_cost"))
    creator = await _creator(tx, changes.get("creator_id"))
    model, owners = await _locked(tx, external_id)
    values = rules.values_after(model, changes, pricing, creator)
    rules.check_owners(values, owners)
    await tx.run(_UPDATE_MODEL, id=model.id, **_params(values))
    return (await find_models(tx, [external_id]))[external_id]


async def remove_model(tx: Tx, external_id: str) -> Model:
    """Take a model off the market for good; its records, receipts and earnings stay. The platform's.

    NotFound: no such model, or archived before.
    """
    model, _ = await _locked(tx, external_id)
    await tx.run(_ARCHIVE_MODEL, id=model.id)
    return (await find_models(tx, [external_id]))[external_id]


async def lock_model(tx: Tx, external_id: str) -> Model:
    """Lock a model against other changes, and return it as it is now. NotFound: none, or archived. The platform's."""
    return (await _locked(tx, external_id))[0]


async def find_model(tx: Tx, external_id: str, *, archived: bool = False) -> Model | None:
    """Return the model of that id; one that is archived only if asked for."""
    model = (await find_models(tx, [external_id])).get(external_id)
    return model if model is None or archived or model.archived_at is None else None


async def find_models(tx: Tx, external_ids: Iterable[str]) -> dict[str, Model]:
    """Return models by their ids, archived ones too; the ids that are none are left out."""
    rows = await tx.all(_MODELS, external_ids=arrays.texts(set(external_ids)))
    return {row.external_id: row for row in rows}


async def list_models(
    tx: Tx,
    *,
    before: int | None = None,
    category: str | None = None,
    active: bool | None = None,
    most: int = 100,
) -> list[Model]:
    """Return models that are not archived, the newest first. before: older than the model of that number."""
    page = await tx.all(_MODEL_PAGE, before=before, category=category, active=active, most=most)
    found = await find_models(tx, page)
    return [found[external_id] for external_id in page]


async def pricing_versions(tx: Tx, model_id: int) -> list[PricingVersion]:
    """Return what a use of a model has cost over time, the latest price first."""
    return await tx.all(_PRICING_VERSIONS, model_id=model_id)


async def create_character(tx: Tx, new: NewCharacter) -> Character:
    """Make a character that speaks for a model. The platform's.

    NotFound: no such model, or archived. Conflict (already_exists): the id is taken; the transaction is lost.
    """
    external_id = new_id() if new.external_id is None else rules.check_external_id(new.external_id)
    model = await find_model(tx, new.model_id)
    if model is None:
        raise _no_model(new.model_id)
    try:
        created_at = await tx.one(
            _CREATE_CHARACTER,
            external_id=external_id,
            name=new.name,
            image_url=new.image_url,
            model_id=model.id,
        )
    except Exception as error:
        _refuse_taken(error, "character", external_id)
        raise
    return Character(external_id, new.name, new.image_url, model.external_id, created_at)


async def find_character(tx: Tx, external_id: str) -> Character | None:
    """Return the character of that id, if there is one."""
    return await tx.first(_FIND_CHARACTER, external_id=external_id)


async def owned_by(tx: Tx, account_id: int) -> list[Owned]:
    """Return what an account bought and still owns, the latest first."""
    return await tx.all(_OWNED_BY, account_id=account_id)


async def purchase(
    tx: Tx, terms: Catalog, command: Command, model_id: str, upgrade_url: str
) -> tuple[dict[str, object], bool]:
    """Buy a model with general credits: payment and ownership in one. A teller's, for the buyer.

    Returns the answer and whether it is a replay. NotFound: no such model. Conflict: model_inactive,
    already_owned. InsufficientTokens. Locks the buyer's wallets, then the model; in a race a retry of the
    transaction is safe.
    """
    party = command.party
    model = await find_model(tx, model_id, archived=True)
    # First of all: it locks every wallet in key order, whatever is due.
    await wallets.settle(tx, terms, party)
    wallet = await _open_wallet(tx, party.bucket, party.id, terms.credit_types[rules.CREDIT_TYPE])
    earlier = await ledger.entry_of(tx, party.bucket, party.id, command.key)
    if earlier is not None:
        refuse_other(earlier.fingerprint, command.fingerprint)
        return earlier.answer or {}, True
    if model is None or model.archived_at is not None:
        raise _no_model(model_id)
    sale = await tx.one(_LOCK_FOR_SALE, model_id=model.id, account_id=party.id)
    price = rules.decide_sale(sale, model_id, wallet.available, upgrade_url)
    at = await ledger.now(tx)
    answer: dict[str, object] = {
        "model_id": model_id,
        "account_id": party.external_id,
        "price_credits": price,
        "credit_type": rules.CREDIT_TYPE,
        "balance": wallet.balance - price,
        "bought_at": at.isoformat(),
        "ownership": sale.ownership,
    }
    entry = new_id()
    await wallets.post(tx, _payment(command, wallet, price, entry, answer), at)
    await tx.run(_OWN, model_id=model.id, account_id=party.id, price_credits=price, entry_id=entry, at=at)
    return answer, False


async def _open_wallet(tx: Tx, bucket: int, owner_id: int, asset_id: int) -> Wallet:
    """Lock a wallet, opened first where it is missing."""
    key = (owner_id, asset_id)
    found = await wallets.load(tx, bucket, [key])
    if not found:
        await ledger.open_accounts(tx, bucket, [key], "wallet")
        found = await wallets.load(tx, bucket, [key])
    return found[0]


def _payment(command: Command, wallet: Wallet, price: int, entry: str, answer: dict[str, object]) -> WalletPosting:
    """Take the price from the wallet's grants, in burn order, to the platform's revenue."""
    owner, asset = wallet.owner_id, wallet.asset_id
    posting = WalletPosting(command.party.bucket)
    posting.entries.append(EntryRow(owner, command.key, entry, "purchase", command.fingerprint, json.dumps(answer)))
    if not price:
        return posting
    for leg, (lot, part) in enumerate(burn(wallet.lots, price)):
        posting.move(owner, asset, lot.id, -part)
        posting.legs.append(
            LegRow(entry, leg, "purchase", asset, wallet.account, chart.revenue(asset), part, owner, lot.id)
        )
    posting.wallet(owner, asset, -price, 0, price)
    return posting


async def _locked(tx: Tx, external_id: str) -> tuple[Model, int]:
    """Lock a model; return it as it is now, and how many own it."""
    owners: int | None = await tx.one(_LOCK_MODEL, external_id=external_id)
    if owners is None:
        raise _no_model(external_id)
    return (await find_models(tx, [external_id]))[external_id], owners


async def _creator(tx: Tx, creator_id: str | None) -> int | None:
    if creator_id is None:
        return None
    account = await access.find_account(tx, creator_id)
    if account is None:
        raise NotFound(f"There is no account {creator_id!r} to be the creator. Create it with POST /v1/accounts.")
    return account.id


def _pricing(given: object, credit_cost: int | None) -> dict[str, str] | None:
    if given is None:
        return None
    field = "pricing" if credit_cost is None else "credit_cost"
    return catalog.written_rates(catalog.parse_pricing(given, field).rates)


def _params(values: ModelValues) -> dict[str, object]:
    return {**rules.written(values), "features": json.dumps(values.features)}


def _no_model(external_id: str) -> NotFound:
    return NotFound(f"There is no model {external_id[:128]!r}. Create it with POST /v1/models.")


def _refuse_taken(error: Exception, what: str, external_id: str) -> None:
    """Turn a unique violation into the Conflict that it means."""
    if sqlstate(error) == _TAKEN:
        raise Conflict(
            f"There is a {what} {external_id!r} already. Choose another id.", code="already_exists"
        ) from error

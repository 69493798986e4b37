"""The sources' own paths and field names over our verbs, so that an app written for them moves over unchanged."""

from typing import Any

from fastapi import Response

from tokenhouse.domain import earnings, market, metering, wallets
from tokenhouse.domain.access.types import Identity
from tokenhouse.domain.catalog.types import Catalog
from tokenhouse.domain.market.rules import credit_cost
from tokenhouse.domain.market.types import Model, Wanted
from tokenhouse.domain.metering.types import Done, Order, Receipt
from tokenhouse.entrypoints.api.call import Call, party_of, uuid_of
from tokenhouse.entrypoints.api.compat_shapes import (
    BalanceBody,
    BalanceOut,
    CompatPurchaseBody,
    CompatPurchaseOut,
    DeductBody,
    DeductOut,
    ModelEarningsOut,
    ModelsOut,
    StatsOut,
    TrackBody,
    TrackOut,
)
from tokenhouse.entrypoints.api.problems import exact_json
from tokenhouse.entrypoints.api.reference import COMPAT_COMMAND, COMPAT_READ, found
from tokenhouse.entrypoints.api.routing import TheCall, router
from tokenhouse.entrypoints.api.v1.model_shapes import rating
from tokenhouse.entrypoints.api.v1.models import purchase, reader
from tokenhouse.entrypoints.api.v1.wallets import looked_at
from tokenhouse.infra.database import Actor
from tokenhouse.infra.kernel.errors import BadRequest, Forbidden, InsufficientTokens, NotFound
from tokenhouse.infra.kernel.money import usd_number

routes = router("Compatibility")

_MOST_MODELS = 1000
_NOT_TRACKED = frozenset({"self_use", "no_owner", "no_model"})


def _answer(value: dict[str, Any], *, replayed: bool = False) -> Response:
    headers = {"Idempotency-Replayed": "true"} if replayed else None
    return Response(exact_json({"success": True, **value}), 200, headers, "application/json")


@routes.post(
    "/api/deduct-token",
    operation_id="compat_deduct_token",
    summary="Pay for a message",
    responses={**found(DeductOut, description="Paid."), **COMPAT_COMMAND},
)
async def deduct_token(call: TheCall, body: DeductBody) -> Response:
    """Take tokens for a message to a character, and pay the model's owners.

    An unknown character or a model without an owner does not fail the chat: it is charged, and earns nothing.
    """
    identity = await call.account(body.userId, "charges:write")
    catalog = (await call.runtime.commit.rates()).catalog
    order = Order(
        call.command(identity, call.body),
        "charge",
        operation=_chat(catalog),
        credit_type="general",
        amount=body.amount,
        character_id=body.characterId,
        usage_type="chat",
        lenient=True,
        at_price=not call.platform,
        fallback=1,
    )
    done = await call.runtime.submit(order)
    receipt = _receipt(done.receipt)
    message = (
        f"{receipt.amount:,} {'token' if receipt.amount == 1 else 'tokens'} deducted. {receipt.balance:,} remaining."
    )
    return _answer({"message": message, "newBalance": receipt.balance}, replayed=done.replayed)


def _chat(catalog: Catalog) -> str | None:
    """Name the operation of a message, where the catalog prices one by the piece in general tokens."""
    operation = catalog.operations.get("chat")
    priced = operation is not None and operation.credit_type == "general" and len(operation.price.rates) == 1
    return "chat" if priced else None


def _receipt(receipt: Receipt | None) -> Receipt:
    assert receipt is not None  # noqa: S101 - charges and reports have one
    return receipt


@routes.get(
    "/api/model-earnings",
    operation_id="compat_model_earnings",
    summary="What a user's models earned",
    responses={**found(ModelEarningsOut), **COMPAT_READ},
)
async def model_earnings(call: TheCall, userId: str | None = None) -> Response:  # noqa: N803 - the sources' name
    """Read what each of a user's models earned by others' uses, the highest earnings first."""
    if not userId:
        raise BadRequest("Say whose: /api/model-earnings?userId=…")
    identity = await call.account(userId, "wallets:read")
    async with call.runtime.database.read(Actor((identity.id,))) as tx:
        rows = await earnings.model_earnings(tx, identity.id)
    return _answer(
        {
            "totalTokens": sum(row.credits for row in rows),
            "totalEarnings": usd_number(sum(row.nanos for row in rows)),
            "modelsCount": len(rows),
            "models": [
                {
                    "modelId": row.model_id,
                    "modelName": row.model_name,
                    "modelCategory": row.model_category,
                    "characterName": row.character_name,
                    "characterImage": row.character_image,
                    "totalUsageCount": row.uses,
                    "totalTokensConsumed": row.credits,
                    "totalEarnings": usd_number(row.nanos),
                    "lastUsageAt": row.last_used_at,
                    "createdAt": row.created_at,
                    "updatedAt": row.updated_at,
                }
                for row in rows
            ],
        }
    )


@routes.post(
    "/api/track-model-usage",
    operation_id="compat_track_model_usage",
    summary="Report a use",
    responses={**found(TrackOut, description="Recorded."), **COMPAT_COMMAND},
)
async def track_model_usage(call: TheCall, body: TrackBody) -> Response:
    """Record a use that was paid for elsewhere, by whom X-User-ID names, and credit the owners. Nothing is deducted.

    It makes money out of a report, so it is for platform keys and keys with the scope usage:write. A user's own key may
    only name a charge of theirs that named no model (chargeId); it is credited once, and no more than it paid.
    """
    identity = await call.caller()
    if body.chargeId is not None:
        return await _credit(call, identity, body, body.chargeId)
    call.require("usage:write")
    order = Order(
        call.command(identity, call.body),
        "report",
        amount=body.tokensConsumed,
        model_id=body.modelId,
        usage_type=body.usageType,
        metadata=body.metadata,
        lenient=True,
    )
    return _tracked(await call.runtime.submit(order))


async def _credit(call: Call, identity: Identity, body: TrackBody, charge_id: str) -> Response:
    """Make a charge of the caller's own a use of a model."""
    call.require("charges:write")
    try:
        done = await metering.credit_charge(
            call.runtime.database,
            call.runtime.commit,
            party_of(identity),
            uuid_of(charge_id, "charge"),
            model_id=body.modelId,
            credit_count=body.tokensConsumed,
            usage_type=body.usageType,
            metadata=body.metadata,
        )
    except NotFound:
        if call.platform:
            raise
        raise Forbidden("There is no such charge of yours.") from None
    return _tracked(done)


def _tracked(done: Done | None) -> Response:
    receipt = done.receipt if done is not None else None
    tracked = receipt is not None and receipt.earnings_reason not in _NOT_TRACKED
    nanos = sum(share.nanos for share in receipt.earnings) if receipt is not None else 0
    replayed = done is not None and done.replayed
    return _answer({"tracked": tracked, "earnings": usd_number(nanos)}, replayed=replayed)


@routes.post(
    "/api/v1/tokens/check-balance",
    operation_id="compat_check_balance",
    summary="Check or deduct an organization's tokens",
    responses={**found(BalanceOut, description="Checked, or paid."), **COMPAT_COMMAND},
)
async def check_balance(call: TheCall, body: BalanceBody) -> Response:
    """Say whether an organization has enough tokens for a feature, or pay for it."""
    deducts = body.action == "deduct"
    identity = await call.account(
        body.organizationId, *(("charges:write",) if deducts else ("wallets:read", "charges:write"))
    )
    catalog = (await call.runtime.commit.rates()).catalog
    feature = body.feature if body.feature in catalog.operations else "general"
    known = feature in catalog.operations
    order = Order(
        call.command(identity, call.body),
        "charge",
        operation=feature if known else None,
        user_label=body.userId,
        metadata=body.metadata,
        at_price=not call.platform,
        fallback=None if known else 1,
    )
    if not deducts:
        verdict = await call.runtime.checks.check(order)
        return _answer({"hasEnough": verdict.allowed, "required": verdict.required, "balance": verdict.available})
    try:
        done = await call.runtime.submit(order)
    except InsufficientTokens as short:
        raise InsufficientTokens(
            "Insufficient tokens. Upgrade your plan.",
            required=short.required,
            available=short.available,
            upgrade_url=short.upgrade_url,
        ) from None
    receipt = _receipt(done.receipt)
    return _answer({"tokensDeducted": receipt.amount, "remainingBalance": receipt.balance}, replayed=done.replayed)


@routes.get(
    "/api/v1/tokens/stats",
    operation_id="compat_token_stats",
    summary="An organization's tokens",
    responses={**found(StatsOut), **COMPAT_READ},
)
async def token_stats(call: TheCall, organizationId: str | None = None) -> Response:  # noqa: N803 - the sources' name
    """Read an organization's plan and its tokens of every type."""
    if not organizationId:
        raise BadRequest("Say whose: /api/v1/tokens/stats?organizationId=…")
    identity = await call.account(organizationId, "wallets:read")
    looked = await looked_at(call, identity)
    catalog = (await call.runtime.commit.rates()).catalog
    return _answer(
        {
            "plan": looked.enrolment.plan_id if looked.enrolment else None,
            "tokens": [
                {
                    "tokenType": view.credit_type,
                    "balance": view.balance,
                    "totalAllocated": view.allocated,
                    "totalUsed": view.used,
                    "refreshDate": view.refreshes_at,
                    "lastUsedAt": view.last_used_at,
                }
                for view in wallets.views_of(catalog, looked)
            ],
        }
    )


def _model_json(model: Model, *, owned: bool) -> dict[str, Any]:
    return {
        "id": model.external_id,
        "name": model.name,
        "category": model.category,
        "price": model.price_credits,
        "description": model.description,
        "features": model.features,
        "tokenCost": credit_cost(model.pricing),
        "premium": model.premium,
        "active": model.active,
        "owned": owned,
        "image": model.image_url or model.character_image,
        "rating": rating(model),
    }


@routes.get(
    "/api/models",
    operation_id="compat_models",
    summary="Models on offer and owned",
    responses={**found(ModelsOut), **COMPAT_READ},
)
async def models(call: TheCall) -> Response:
    """List the models on offer, the newest first, and those that the caller (or X-User-ID) owns."""
    owner = await call.caller() if call.user is not None or call.authority.account is not None else None
    async with call.runtime.database.read(reader(call)) as tx:
        offered, _ = await market.list_models(tx, Wanted(active=True), most=_MOST_MODELS)
        owned = await market.owned_by(tx, owner.id) if owner is not None else []
        bought = await market.find_models(tx, [one.model_id for one in owned])
    return _answer(
        {
            "models": [_model_json(model, owned=model.external_id in bought) for model in offered],
            "purchasedModels": [_model_json(bought[one.model_id], owned=True) for one in owned],
        }
    )


@routes.post(
    "/api/purchase-model",
    operation_id="compat_purchase_model",
    summary="Buy a model",
    responses={**found(CompatPurchaseOut, description="Bought."), **COMPAT_COMMAND},
)
async def purchase_model(call: TheCall, body: CompatPurchaseBody) -> Response:
    """Buy a model with tokens, for the caller or for whom a platform key names by X-User-ID."""
    told, replayed = await purchase(call, body.modelId, call.body, call.path)
    async with call.runtime.database.read(reader(call)) as tx:
        model = (await market.find_models(tx, [body.modelId]))[body.modelId]
    return _answer({"newBalance": told["balance"], "model": _model_json(model, owned=True)}, replayed=replayed)

"""Every route that changes something says which act it records, or why its record is elsewhere."""

from collections.abc import Iterator
from pathlib import Path

from fastapi.routing import APIRoute

from house import tree
from tokenhouse.domain.access.acts import ACTS
from tokenhouse.entrypoints.api import app

# operation_id: the act that it records, in the transaction that does it
RECORDED = {
    "accounts_create": "account.create",
    "accounts_update": "account.update",
    "accounts_change_plan": "plan.change",
    "members_set": "member.set",
    "members_remove": "member.remove",
    "invitations_create": "invitation.create",
    "invitations_revoke": "invitation.revoke",
    "invitations_accept": "invitation.accept",
    "sessions_end": "session.end",
    "sessions_end_all": "session.end",
    "accounts_erase": "account.erase",
    "api_keys_create": "key.create",
    "api_keys_rotate": "key.rotate",
    "api_keys_revoke": "key.revoke",
    "grants_create": "grant.create",
    "charges_reverse": "charge.reverse",
    "payouts_create": "payout.request",
    "payouts_approve": "payout.approve",
    "payouts_complete": "payout.complete",
    "payouts_fail": "payout.fail",
    "payouts_cancel": "payout.cancel",
    "payouts_bulk": "payout.request",
    "payout_batches_create": "batch.create",
    "payout_method_set": "payout.method",
    "payout_method_reveal": "payout.reveal",
    "payout_schedule_set": "payout.schedule",
    "payout_schedule_drop": "payout.schedule",
    "models_create": "model.create",
    "models_update": "model.update",
    "models_remove": "model.remove",
    "models_approve": "model.approve",
    "models_bulk": "model.update",
    "models_refund": "model.refund",
    "models_reject": "model.reject",
    "models_transfer": "model.transfer",
    "characters_create": "character.create",
    "characters_update": "character.update",
    "characters_remove": "character.remove",
    "model_reviews_moderate": "review.moderate",
}
_LEDGER = "the ledger's entry is its record, and the chain covers it"
_AUTHORS = "its author's own word, which says itself whose it is and since when; moderating it is recorded"
# operation_id: why it records no act
UNRECORDED = {
    "charges_create": _LEDGER,
    "charges_create_batch": _LEDGER,
    "holds_create": _LEDGER,
    "holds_capture": _LEDGER,
    "holds_void": _LEDGER,
    "models_purchase": _LEDGER,
    "compat_deduct_token": _LEDGER,
    "compat_check_balance": _LEDGER,
    "compat_track_model_usage": _LEDGER,
    "compat_purchase_model": _LEDGER,
    "check": "it changes nothing",
    "model_reviews_put": _AUTHORS,
    "model_reviews_remove": _AUTHORS,
}


def _changing() -> Iterator[APIRoute]:
    for router in app._NOUNS:
        for route in router.routes:
            if isinstance(route, APIRoute) and (route.methods or set()) - {"GET", "HEAD"}:
                yield route


def test_every_route_that_changes_something_names_its_act() -> None:
    routes = {str(route.operation_id) for route in _changing()}
    assert len(routes) > 20
    known = RECORDED.keys() | UNRECORDED.keys()
    assert not RECORDED.keys() & UNRECORDED.keys()
    assert routes - known == set(), "say in RECORDED which act it records, or in UNRECORDED why none"
    assert known - routes == set(), "there is no such route any more"
    assert set(RECORDED.values()) <= ACTS.keys()


def test_what_needs_an_admin_or_manages_access_is_recorded() -> None:
    """By what its function asks for: an exception is not for those."""
    found = set()
    for route in _changing():
        function = route.endpoint.__code__
        asks = {*function.co_names, *function.co_consts}
        if asks & {"require_admin", "admin", "_managed"}:
            found.add(route.operation_id)
    assert len(found) >= 10
    assert found <= RECORDED.keys()


def test_every_act_is_named_where_it_is_recorded() -> None:
    """An act that the record of acts lists without anybody recording it is one that is yet to come, or a slip."""
    source = "".join(path.read_text() for path in _python(tree.PACKAGE) if path.name != "acts.py")
    assert {act for act in set(RECORDED.values()) if f'"{act}"' not in source} == set()


def _python(folder: Path) -> Iterator[Path]:
    return folder.rglob("*.py")

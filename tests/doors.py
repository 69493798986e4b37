"""Whose rows the tables hold and who may call which function: what the database is held to, a line each."""

# What whoever acts for anybody may see.
OFFERED = {
    "market.character",
    "market.model",
    "market.pricing",
}

PLATFORMS = {
    "access.audit",
    "access.audit_block",
    "access.audit_private",
    "access.credential",
    "access.mail_token",
    "access.rate_window",
    "access.session",
    "alerts.mail",
    "earnings.standing",
    "payouts.batch",
}

# Whose a row is.
OWNERS = {
    "access.account": ["id"],
    "access.invitation": ["organization_id"],
    "access.member": ["organization_id", "user_id"],
    "earnings.model_earner": ["earner_id"],
    "ledger.account": ["owner_id"],
    "ledger.transfer": ["owner_id"],
}

PLATFORM_DOORS = {
    "access.accept_invitation",
    "access.add_credential",
    "access.close_block",
    "access.create_account",
    "access.create_key",
    "access.end_session",
    "access.end_sessions",
    "access.forget_acts",
    "access.forget_sessions",
    "access.invite",
    "access.issue_token",
    "access.limit_key",
    "access.open_session",
    "access.rehash",
    "access.remove_member",
    "access.reset_password",
    "access.revoke_invitation",
    "access.revoke_key",
    "access.rotate_key",
    "access.set_disabled",
    "access.set_member",
    "access.set_password",
    "access.set_platform_role",
    "access.sweep_rate_windows",
    "access.take_hits",
    "access.tie_external",
    "access.touch_keys",
    "access.touch_sessions",
    "access.update_account",
    "access.verify_email",
    "alerts.end_mail",
    "alerts.fail_mail",
    "alerts.forget_recipient",
    "alerts.send_mail",
    "alerts.take_mail",
    "catalog.apply",
    "catalog.lock",
    "ledger.open_asset",
    "market.archive_model",
    "market.create_character",
    "market.create_model",
    "market.lock_model",
    "market.update_model",
    "metering.erase",
    "payouts.drop_schedule",
    "payouts.keep_batch",
    "payouts.lock_batches",
    "payouts.note_schedule",
    "payouts.reseal_batch",
    "payouts.reseal_method",
    "payouts.set_method",
    "payouts.set_schedule",
}

# The platform's, and a teller's of the account that it is about.
EITHER = {
    "access.record_act",
}

TELLER_DOORS = {
    "access.require_teller_of",
    "access.teller_scope",
    "earnings.lock_standings",
    "ledger.bring_forward",
    "ledger.end_holds",
    "ledger.lock_earners",
    "ledger.lock_earnings",
    "ledger.lock_wallets",
    "ledger.open_accounts",
    "ledger.post",
    "ledger.post_earnings",
    "ledger.schedule",
    "market.lock_for_sale",
    "market.own",
    "metering.find_models",
    "metering.load",
    "metering.maturing_by_bucket",
    "metering.post",
    "metering.record_reversal",
    "metering.terms_of",
    "payouts.forget_sending",
    "payouts.lock",
    "payouts.note_look",
    "payouts.note_sending",
    "payouts.open",
    "payouts.turn",
    "wallets.end_lots",
    "wallets.enrol",
    "wallets.lots_of",
    "wallets.move_lots",
    "wallets.next_lots",
    "wallets.open_lots",
}

# Of those, the ones that name no account, or that name earners, whom any payer's teller pays.
ANY_TELLER = {
    "access.teller_scope",
    "earnings.lock_standings",
    "ledger.end_holds",
    "ledger.lock_earners",
    "ledger.open_accounts",
    "metering.find_models",
    "metering.maturing_by_bucket",
    "metering.terms_of",
    "wallets.next_lots",
}

READERS = {
    "access.scope",
    "metering.accruals_of",
    "metering.earned_by",
    "metering.maturing_of",
    "metering.month_of",
    "metering.shares_of",
    "metering.uses_earned",
}

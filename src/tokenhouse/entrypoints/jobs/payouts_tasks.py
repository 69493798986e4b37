"""Tasks of payouts: those that are due by a schedule, and those that a method sends by itself."""

from typing import TYPE_CHECKING

from tokenhouse.domain import metering, payouts

if TYPE_CHECKING:
    from tokenhouse.entrypoints.jobs.tasks import Context


async def request_due_payouts(context: "Context") -> int:
    """Request what accounts have paid out every week or month, or once there is enough."""
    return await metering.run_schedules(context.database, context.payouts)


async def send_payouts(context: "Context") -> int:
    """Let methods send what they are to, and ask them what became of what they did not answer."""
    if context.sealer is None:
        return 0
    methods = payouts.senders(context.methods)
    return await payouts.send_due(context.database, methods, context.payouts, context.sealer)

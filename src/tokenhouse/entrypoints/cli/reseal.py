"""`keys reseal`: secrets in the database sealed anew, under the first key of the settings."""

from typing import TYPE_CHECKING

from tokenhouse.entrypoints.cli.output import say, table

if TYPE_CHECKING:
    from tokenhouse.infra.database import Resealed, SealedColumn


def columns() -> "tuple[SealedColumn, ...]":
    """Give every column of sealed values; the package that keeps it offers it."""
    from tokenhouse.domain import payouts

    return (payouts.SEALED,)


def reseal() -> None:
    """Seal secrets anew, under the first key of TOKENHOUSE_SEAL_KEYS.

    To rotate: put a new key first and keep the old one behind it, start all processes anew, run this, and take the old
    key out. It may be repeated, and interrupted.
    """
    from tokenhouse.entrypoints.cli.session import run

    done = run(_reseal())
    if done:
        rows = [[name, str(one.seen), str(one.resealed)] for name, one in done.items()]
        table(["column", "values", "sealed anew"], rows, right=["values", "sealed anew"])
    else:
        say("Nothing is sealed: no secrets are kept in the database.")


async def _reseal() -> "dict[str, Resealed]":
    from tokenhouse.domain import access
    from tokenhouse.domain.access.acts import Act, By
    from tokenhouse.entrypoints.cli.session import opened
    from tokenhouse.infra.database import PLATFORM, reseal
    from tokenhouse.infra.kernel.sealing import Sealer
    from tokenhouse.settings import seal_keys

    async with opened(connections=2) as session:
        sealer = Sealer(seal_keys(session.settings))
        done = {
            f"{column.table}.{column.column}": await reseal(session.database, sealer, column) for column in columns()
        }
        if done:
            async with session.database.transaction(PLATFORM) as tx:
                await access.record(tx, By("cli"), Act("seal.rotate", "seal", "columns"))
        return done

"""`models`: the market as a file: brought in, and given out."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tokenhouse.entrypoints.cli.output import Json, give, give_json, say

if TYPE_CHECKING:
    from tokenhouse.domain.catalog.types import Catalog
    from tokenhouse.domain.market.types import Model
    from tokenhouse.infra.database import Tx
    from tokenhouse.infra.kernel.errors import TokenhouseError

models = typer.Typer(no_args_is_help=True, help="The models on the market, as a file.")

_TTL_SECONDS = 3600
_AT_ONCE = 1000
# What no line of a file says of a model.
_NOT_SAID = frozenset({
    "id", "external_id", "pricing_version", "creator", "character_id", "character_name", "character_image",
    "approval", "stars", "reviews", "archived_at", "created_at", "updated_at",
})  # fmt: skip

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="CSV with a heading, UTF-8.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")]
Partial = Annotated[bool, typer.Option("--partial", help="Write the good lines although some are bad.")]

Fields = dict[str, object]


class _Undo(Exception):
    """What was done is not to stay."""


@models.command("import")
def import_(file: File, dry_run: DryRun = False, partial: Partial = False, as_json: Json = False) -> None:
    """Make and change models as FILE says; columns are the fields of POST /v1/models.

    The model of an id is changed where there is one, and made where there is none. An empty cell leaves a field as it
    is, `-` takes away what may be missing. Where a line is bad nothing is written, unless --partial. Exit 1 where a
    line was bad.
    """
    from tokenhouse.entrypoints.cli.session import run

    changes, problems, written = run(_import(file, dry_run=dry_run, partial=partial))
    if as_json:
        give_json({"changes": changes, "problems": problems, "written": written})
    else:
        _tell(changes, problems, written=written)
    if problems:
        raise typer.Exit(1)


@models.command()
def export(
    file: Annotated[Path | None, typer.Argument(dir_okay=False, help="Where to; none: stdout.")] = None,
) -> None:
    """Give out the models that are not archived as CSV that `models import` reads."""
    from tokenhouse.entrypoints.cli.session import run

    text, count = run(_export())
    if file is None:
        give(text.removesuffix("\n"))
    else:
        file.write_text(text, encoding="utf-8", newline="")
    say(f"{count:,} models.")


async def _import(
    file: Path, *, dry_run: bool, partial: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], bool]:
    """Do what the file says, all of it in one transaction: what changed, what was wrong, whether it stays."""
    from tokenhouse.domain import catalog, market
    from tokenhouse.entrypoints.cli.session import opened
    from tokenhouse.infra.database import PLATFORM
    from tokenhouse.infra.kernel.errors import TokenhouseError

    rows = list(market.read_sheet(_text(file)))
    changes: list[dict[str, Any]] = []
    problems: list[dict[str, Any]] = []
    async with opened() as session:
        try:
            async with session.database.transaction(PLATFORM, ttl_seconds=_TTL_SECONDS) as tx:
                terms = await catalog.load(tx)
                for line, fields in rows:
                    try:
                        changes.append({"line": line, **await _put(tx, terms, fields)})
                    except TokenhouseError as refusal:
                        problems.append({"line": line, "code": refusal.code, "reason": refusal.detail})
                _keep(not dry_run and (partial or not problems))
        except _Undo:
            return changes, problems, False
    return changes, problems, True


def _keep(kept: bool) -> None:
    """Leave the transaction, and what was done in it, unless it is kept."""
    if not kept:
        raise _Undo


def _text(file: Path) -> str:
    from tokenhouse.infra.kernel.errors import ValidationFailed

    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValidationFailed.of(str(file), "is not UTF-8; convert it first") from None


async def _put(tx: "Tx", terms: "Catalog", fields: "Fields | TokenhouseError") -> dict[str, Any]:
    """Make or change one model, and say what that changed. Raises what is wrong with it, and has then done nothing."""
    from tokenhouse.domain import access, market
    from tokenhouse.domain.access.acts import Act, By
    from tokenhouse.infra.kernel.errors import TokenhouseError

    if isinstance(fields, TokenhouseError):
        raise fields
    async with tx.connection.transaction():
        before, after = await market.put_model(tx, terms, fields)
        differences = _differences(before, after)
        if differences:
            name = "model.create" if before is None else "model.update"
            was = None if before is None else asdict(before)
            await access.record(tx, By("cli"), Act(name, "model", after.external_id, None, was, asdict(after)))
    change = "made" if before is None else "changed" if differences else "same"
    return {"id": after.external_id, "change": change, "fields": differences}


def _differences(before: "Model | None", after: "Model") -> dict[str, list[object]]:
    """Give what of a model is another than it was: [was, is]."""
    was = {} if before is None else asdict(before)
    now = {name: value for name, value in asdict(after).items() if name not in _NOT_SAID}
    return {name: [was.get(name), value] for name, value in now.items() if before is None or was[name] != value}


def _tell(changes: list[dict[str, Any]], problems: list[dict[str, Any]], *, written: bool) -> None:
    marks = {"made": "+", "changed": "~"}
    for one in changes:
        if one["change"] in marks:
            give(f"{marks[one['change']]} {one['id']}")
        if one["change"] == "changed":
            for name, (was, now) in one["fields"].items():
                give(f"    {name}: {was!r} -> {now!r}")
    for problem in problems:
        say(f"line {problem['line']}: {problem['reason']}")
    counts = {sort: sum(one["change"] == sort for one in changes) for sort in ("made", "changed", "same")}
    done = "Made" if written else "Would make"
    say(f"{done} {counts['made']:,} models and change {counts['changed']:,}; {counts['same']:,} stay as they are.")
    if not written:
        say("Nothing was written.")


async def _export() -> tuple[str, int]:
    from tokenhouse.domain import market
    from tokenhouse.entrypoints.cli.session import opened
    from tokenhouse.infra.database import PLATFORM

    found: list[Model] = []
    async with opened() as session, session.database.read(PLATFORM, ttl_seconds=_TTL_SECONDS) as tx:
        end = None
        while True:
            page, end = await market.list_models(tx, after=end, most=_AT_ONCE)
            found += page
            if end is None:
                return market.write_sheet(found), len(found)

"""The format of query files, and rows built from them."""

import dataclasses

import pytest

from tokenhouse.infra.database import queries
from tokenhouse.infra.database.queries import QueryError, load_queries
from tokenhouse.infra.database.token import PLATFORM

FILE = """\
-- Some words about the file.

-- pair : Pair*
-- Two columns.
-- And a second line of comment.
select %(a)s::bigint as a, 'x'::text || %(b)s::text as b
union all
select 1, '100%%';

-- answer : int
select 42;

-- swapped : Pair
select 'x'::text as b, 1::bigint as a;

-- mute : nothing
select set_config('th.x', %(b)s, true);
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    a: int
    b: str


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(queries, "REGISTRY", {})
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "queries.sql").write_text(FILE)
    return load_queries(str(folder / "__init__.py"))


def test_blocks_are_read(file):
    assert file.names == {"pair", "answer", "swapped", "mute"}
    pair = file.rows("pair", Pair)
    assert pair.many
    assert pair.params == {"a", "b"}
    assert pair.comment == "Two columns. And a second line of comment."
    assert pair.order == ("a", "b")
    assert b"$1::bigint" in pair.text
    assert b"'100%'" in pair.text
    assert pair.values({"b": 2, "a": 1}) == [1, 2]
    with pytest.raises(TypeError, match="takes"):
        pair.values({"a": 1})
    assert queries.REGISTRY["shop", "pair"] is pair


def test_mistakes_are_named(file):
    for wrong in (
        lambda: file.rows("pear", Pair),
        lambda: file.rows("answer", Pair),
        lambda: file.nothing("answer"),
        lambda: file.rows("mute", int),
        lambda: queries.parse("-- a : int\nselect 1;\n-- a : int\nselect 2;\n", "shop"),
        lambda: queries.parse("-- a : int\n-- only words\n", "shop"),
        lambda: queries.parse("select 1;\n-- a : int\nselect 1;\n", "shop"),
    ):
        with pytest.raises(QueryError, match="shop"):
            wrong()


async def test_rows_are_built(file, db):
    async with db.transaction(PLATFORM) as tx:
        assert await tx.all(file.rows("pair", Pair), a=5, b="y") == [Pair(5, "xy"), Pair(1, "100%")]
        assert await tx.one(file.rows("answer", int)) == 42
        assert await tx.first(file.rows("answer", int)) == 42
        assert await tx.run(file.nothing("mute"), b="z") == 1
        with pytest.raises(LookupError, match="2 rows"):
            await tx.one(file.rows("pair", Pair), a=5, b="y")
        with pytest.raises(TypeError, match="takes"):
            await tx.one(file.rows("answer", int), a=5)
        with pytest.raises(QueryError, match="columns"):
            await tx.one(file.rows("swapped", Pair))

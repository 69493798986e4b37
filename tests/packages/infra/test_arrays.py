"""Array literals mean to PostgreSQL what they were made of."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokenhouse.infra.database import arrays

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
# One session of the server serves every example.
SHARED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_shapes() -> None:
    assert arrays.ints([1, None, -3]) == "{1,NULL,-3}"
    assert arrays.ints([]) == arrays.texts([]) == arrays.rows([]) == "{}"
    assert arrays.texts(["a.b@c", None, "null", "", 'q"\\']) == '{a.b@c,NULL,"null","","q\\"\\\\"}'


@SHARED
@given(st.lists(st.none() | TEXT | st.sampled_from(["NULL", "null", "{}", ",", '"', "\\", " a ", "\n", "a,b"])))
def test_texts_survive(postgres_session, values) -> None:
    row = postgres_session.execute("select %s::text[]", [arrays.texts(values)]).fetchone()
    assert row[0] == values


@SHARED
@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)))
def test_integers_survive(postgres_session, values) -> None:
    row = postgres_session.execute("select %s::bigint[]", [arrays.ints(values)]).fetchone()
    assert row[0] == values


@SHARED
@given(
    st.lists(st.tuples(*[st.none() | TEXT | st.sampled_from(["NULL", "", ",", '"', "\\", "(", ")", " a ", "\n"])] * 2))
)
def test_fields_of_rows_survive(postgres_session, pairs) -> None:
    postgres_session.execute("create temp table if not exists pair (a text, n integer, b text)")
    literal = arrays.rows([f'"({arrays.field(a)},{place},{arrays.field(b)})"' for place, (a, b) in enumerate(pairs)])
    rows = postgres_session.execute("select * from unnest(%s::pg_temp.pair[])", [literal]).fetchall()
    assert rows == [(a, place, b) for place, (a, b) in enumerate(pairs)]

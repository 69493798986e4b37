"""Models as a file: what is read of it, what is wrong with it and where, and that what is written reads the same."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenhouse.domain.market import read_sheet, write_sheet
from tokenhouse.domain.market.sheet import COLUMNS, BadSheet
from tokenhouse.domain.market.types import Model
from tokenhouse.infra.kernel.errors import ValidationFailed

AT = datetime(2030, 1, 1, tzinfo=UTC)
EMMA = Model(
    1, "m-1", "Emma", "Realistic", "Listens.", ["voice", "pictures"], {"call": "3"}, 1, "gpt-4o-mini", "default", 450,
    True, True, False, 7, "maker", 2500, "shared", "flat", "emma", "Emma", None, "https://img.example/e.png",
    "approved", 9, 2, None, AT, AT,
)  # fmt: skip


def rows(text):
    return dict(read_sheet(text))


def test_what_is_written_reads_the_same():
    assert rows(write_sheet([EMMA])) == {
        2: {
            "id": "m-1", "name": "Emma", "category": "Realistic", "description": "Listens.",
            "features": ["voice", "pictures"], "pricing": {"call": "3"}, "upstream_model": "gpt-4o-mini",
            "provider": "default", "price_credits": 450, "premium": True, "active": True, "monetized": False,
            "creator_id": "maker", "ownership": "shared", "creator_share_bps": 2500, "earnings_policy": "flat",
            "image_url": "https://img.example/e.png",
        }
    }  # fmt: skip


@pytest.mark.parametrize("name", ["=1+1", "+1", "-", "-2", "@x", "'=1", "''=1", "'", "'x", "\t=1", "a\nb", '"', ";,"])
def test_no_cell_is_a_formula_and_none_is_altered(name):
    text = write_sheet([replace(EMMA, name=name, description=name)])
    (_, cells) = csv.reader(io.StringIO(text))
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\0")) for cell in cells)
    (read,) = rows(text).values()
    assert (read["name"], read["description"]) == (name, name)


@given(st.text(min_size=1).filter(lambda text: text.strip() and "\0" not in text and text.isprintable()))
def test_any_name_comes_back(name):
    (read,) = rows(write_sheet([replace(EMMA, name=name[:200])])).values()
    assert isinstance(read, ValidationFailed) or read["name"] == name[:200]


def test_what_cells_say():
    text = (
        "\ufeffid,features,premium,credit_cost,description,creator_id,pricing\r\n"
        'a,"[""x;y"", ""z""]",YES,3,-,-,\r\n'
        "\r\n"
        "b,one; two ;,0,,,,-\r\n"
        'c,-,false,-,"two\nlines",,"{""input_token"": ""0.1""}"\r\n'
    )
    assert rows(text) == {
        2: {"id": "a", "features": ["x;y", "z"], "premium": True, "credit_cost": 3, "description": None,
            "creator_id": None},
        4: {"id": "b", "features": ["one", "two"], "premium": False, "pricing": None},
        6: {"id": "c", "features": [], "premium": False, "credit_cost": None, "description": "two\nlines",
            "pricing": {"input_token": "0.1"}},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("price_credits", "1,000", "whole number"),
        ("price_credits", "-5", "whole number"),
        ("price_credits", "-", "cannot be taken away"),
        ("price_credits", "9" * 17, "whole number"),
        ("creator_share_bps", "10001", "whole number"),
        ("premium", "maybe", "true or false"),
        ("premium", "-", "cannot be taken away"),
        ("ownership", "mine", "exclusive or shared"),
        ("creator_id", "a b", "1-128 characters"),
        ("features", "[1]", "text of 1 to 200"),
        ("features", '{"a": 1}', None),
        ("features", "[", "a list"),
        ("pricing", "3", "must be JSON"),
        ("pricing", '{"call": 3}', "must be JSON"),
        ("image_url", "javascript:alert(1)", "begins with https://"),
        ("image_url", "https://x y", "begins with https://"),
        ("name", "x" * 201, "longer than 200"),
        ("name", "x\0", "NUL"),
    ],
)
def test_a_bad_cell_is_named(column, cell, said):
    out = io.StringIO()
    csv.writer(out).writerows([["id", column], ["m", cell]])
    (found,) = rows(out.getvalue()).values()
    if said is None:
        assert found == {"id": "m", "features": [cell]}
        return
    assert isinstance(found, ValidationFailed)
    assert found.errors[0]["field"] == column
    assert said in found.detail


def test_bad_rows_are_told_by_their_lines():
    text = 'id,name,credit_cost,pricing\na,A,,\n,B,,\nc,C\na,again,,\nd,D,1,"{""call"": ""1""}"\n' + "e e,E,,\n"
    found = rows(text)
    assert {line: one if isinstance(one, dict) else one.errors[0]["field"] for line, one in found.items()} == {
        2: {"id": "a", "name": "A"}, 3: "id", 4: "row", 5: "id", 6: "credit_cost", 7: "id",
    }  # fmt: skip
    assert "line 2" in found[5].detail


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column id"),
        ("name\nx\n", "no column id"),
        ("id,colour\nx,y\n", "colour"),
        ("id,name,name\nx,y,z\n", "two columns"),
        ('id,name\nx,"y\n', "not CSV at line 2"),
    ],
)
def test_files_that_are_no_sheets(text, said):
    with pytest.raises(BadSheet, match=said):
        rows(text)


def test_the_columns_are_the_fields_of_a_model():
    from tokenhouse.entrypoints.api.v1.model_shapes import ModelBody

    assert set(COLUMNS) == set(ModelBody.model_fields)
    assert json.loads(json.dumps(COLUMNS)) == list(COLUMNS)

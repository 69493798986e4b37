"""`tokenhouse prices`: the operator's own table of what upstream models cost."""

import json

import pytest

TOML = """
[[price]]
provider = "acme"
model = "large-1"
input_usd = "2.50"
cached_input_usd = 0.625
output_usd = 10

[[price]]
provider = "acme"
model = "large-1"
input_usd = "2.00"
output_usd = "8.00"
valid_from = 2030-01-31
"""
CSV = "provider,model,input_usd,output_usd,valid_from\n,small,0.000000001,0,2030-01-31T12:00:00+02:00\n"


def test_prices_are_imported_and_listed(cli, tmp_path, admin):
    assert cli.json("prices", "list") == []
    file = tmp_path / "prices.toml"
    file.write_text(TOML)
    assert "2 prices can be imported" in cli("prices", "import", str(file), "--dry-run").stderr
    assert cli.json("prices", "list") == []
    assert cli.json("prices", "import", str(file))["version"] == 1
    rows = cli.json("prices", "list")
    assert [(row["input_usd"], row["cached_input_usd"], row["output_usd"]) for row in rows] == [
        ("2.50", "0.625", "10.00"), ("2.00", "2.00", "8.00"),
    ]  # fmt: skip
    assert [row["valid_from"] for row in rows] == ["1970-01-01 00:00:00+00:00", "2030-01-31 00:00:00+00:00"]
    # A later list's price of the same time goes before.
    later = tmp_path / "later.json"
    later.write_text(json.dumps([{"provider": "acme", "model": "large-1", "input_usd": "3", "output_usd": "9"}]))
    assert cli.json("prices", "import", str(later))["version"] == 2
    assert [row["input_usd"] for row in cli.json("prices", "list")] == ["3.00", "2.00"]
    table = tmp_path / "small.csv"
    table.write_text(CSV)
    cli("prices", "import", str(table))
    (row,) = [row for row in cli.json("prices", "list") if row["model"] == "small"]
    assert (row["provider"], row["input_usd"], row["valid_from"]) == ("", "0.000000001", "2030-01-31 10:00:00+00:00")
    acts = admin.execute("select count(*) from access.audit where act = 'prices.import'").fetchone()
    assert acts == (3,)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.toml", "[[price]]\nmodel = 'm'", "input_usd is missing"),
        ("x.toml", "[[price]]\nmodel = 'm'\ninput_usd = '1e3'\noutput_usd = '1'", "plain decimal"),
        ("x.toml", "[[price]]\nmodel = 'm'\ninput_usd = '-1'\noutput_usd = '1'", "between 0"),
        ("x.toml", "[[price]]\nmodel = 'm'\ninput_usd = true\noutput_usd = '1'", "decimal number"),
        ("x.toml", "price = 5", "must have a list"),
        ("x.toml", "[[", "is not TOML"),
        ("x.json", "[]", "has no price"),
        ("x.json", '[{"model": "m", "input_usd": "1", "output_usd": "1", "x": 1}]', "'x' is no field"),
        ("x.csv", "model,input_usd,output_usd\nm,1,1\nm,2,2\n", "is there twice"),
        ("x.csv", "model,input_usd,output_usd,valid_from\nm,1,1,2030-01-31T12:00:00\n", "names no time zone"),
        ("x.csv", "model,input_usd,output_usd,valid_from\nm,1,1,soon\n", "price 1"),
    ],
)
def test_a_list_that_is_wrong_is_refused_whole(cli, tmp_path, name, text, said):
    file = tmp_path / name
    file.write_text(text)
    assert said in str(cli("prices", "import", str(file), status=1))
    assert cli.json("prices", "list") == []


def test_a_file_of_another_kind(cli, tmp_path):
    file = tmp_path / "prices.xlsx"
    file.write_text("")
    cli("prices", "import", str(file), status=2)


def test_what_has_no_price_is_listed(cli, admin):
    assert cli("prices", "missing").stdout.startswith("Every upstream model")
    admin.execute(
        "insert into metering.usage (bucket, id, account_id, asset_id, kind, counted, usage_type, amount, credits, "
        "balance_after, nanos, occurred_at, recorded_at) values (0, gen_random_uuid(), 1, 1, 'charge', false, 'other', "
        "1, 1, 0, 0, now(), now())"
    )
    admin.execute(
        "insert into metering.cost (bucket, usage_id, provider, model, tried) select 0, id, 'acme', 'odd-1', 'x' "
        "from metering.usage"
    )
    (row,) = cli.json("prices", "missing", status=1)
    assert (row["provider"], row["model"], row["uses"]) == ("acme", "odd-1", 1)
    assert "odd-1" in cli("prices", "missing", status=1).stdout

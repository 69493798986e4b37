"""The market as a file: a dry run, an import that is whole or nothing, a partial one; an export reads the same."""

from pathlib import Path

SHIPPED = Path(__file__).parents[3] / "src/tokenhouse/domain/catalog/catalog.toml"

SHEET = """\
id,name,category,price_credits,features,active
m-1,Emma,Realistic,450,voice;pictures,true
m-2,Nightjar,Fantasy,900,,false
"""


def sheet(folder, text, name="models.csv"):
    path = folder / name
    path.write_text(text)
    return str(path)


def stored(admin):
    return admin.execute("select external_id, name, price_credits, active from market.model order by id").fetchall()


def test_an_import_makes_and_changes(cli, tmp_path, admin):
    cli("catalog", "apply", str(SHIPPED))
    file = sheet(tmp_path, SHEET)
    asked = cli("models", "import", file, "--dry-run")
    assert "+ m-1" in asked.stdout
    assert "Nothing was written." in asked.stderr
    assert stored(admin) == []
    told = cli.json("models", "import", file)
    assert told["written"]
    assert [(one["line"], one["id"], one["change"]) for one in told["changes"]] == [
        (2, "m-1", "made"), (3, "m-2", "made"),
    ]  # fmt: skip
    assert stored(admin) == [("m-1", "Emma", 450, True), ("m-2", "Nightjar", 900, False)]
    # Again it changes nothing; a file of some columns changes these only.
    assert {one["change"] for one in cli.json("models", "import", file)["changes"]} == {"same"}
    dearer = sheet(tmp_path, "price_credits,id\n500,m-1\n,m-2\n", "dearer.csv")
    shown = cli("models", "import", dearer, "--dry-run").stdout
    assert "~ m-1\n    price_credits: 450 -> 500" in shown
    assert "m-2" not in shown
    cli("models", "import", dearer)
    assert stored(admin) == [("m-1", "Emma", 500, True), ("m-2", "Nightjar", 900, False)]
    acts = admin.execute(
        "select act, target_id, via from access.audit where target_kind = 'model' order by id"
    ).fetchall()
    assert acts == [("model.create", "m-1", "cli"), ("model.create", "m-2", "cli"), ("model.update", "m-1", "cli")]


def test_a_bad_line_keeps_all_from_being_written_unless_told(cli, tmp_path, admin):
    cli("catalog", "apply", str(SHIPPED))
    bad = SHEET + "m-3,,Anime,1,,\nm-4,Four,Anime,-1,,\nm-5,Five,Anime,1,,\nm-1,Emma,Realistic,1,,\n"
    file = sheet(tmp_path, bad)
    refused = cli("models", "import", file, status=1)
    assert [line.partition(":")[0] for line in refused.stderr.splitlines()[:3]] == ["line 4", "line 5", "line 7"]
    assert "Nothing was written." in refused.stderr
    assert stored(admin) == []
    told = cli.json("models", "import", file, "--partial", status=1)
    assert [problem["line"] for problem in told["problems"]] == [4, 5, 7]
    assert [row[0] for row in stored(admin)] == ["m-1", "m-2", "m-5"]
    # What only the database knows is told by its line, too: no such creator, no such policy.
    other = sheet(tmp_path, "id,creator_id,earnings_policy\nm-1,nobody,\nm-2,,no-such\nm-5,,dynamic\n", "other.csv")
    told = cli.json("models", "import", other, status=1)
    assert [(one["line"], one["code"]) for one in told["problems"]] == [(2, "not_found"), (3, "unknown_reference")]
    assert not told["written"]
    assert admin.execute("select count(*) from market.model where earnings_policy is not null").fetchone() == (0,)
    cli("models", "import", other, "--partial", status=1)
    assert admin.execute("select external_id from market.model where earnings_policy = 'dynamic'").fetchall() == [
        ("m-5",)
    ]


def test_what_is_given_out_reads_the_same(cli, tmp_path, admin):
    cli("catalog", "apply", str(SHIPPED))
    cli("models", "import", sheet(tmp_path, SHEET + 'm-3,\'=1+1,\'@evil,5,"[""=x""]",true\n'))
    assert ("m-3", "=1+1", 5, True) in stored(admin)
    out = tmp_path / "out.csv"
    cli("models", "export", str(out))
    assert cli("models", "export").stdout == out.read_text()
    assert "'=1+1,'@evil" in out.read_text()
    assert {one["change"] for one in cli.json("models", "import", str(out))["changes"]} == {"same"}
    admin.execute("update market.model set archived_at = now() where external_id = 'm-2'")
    assert "m-2" not in cli("models", "export").stdout
    (gone,) = cli.json("models", "import", str(out), status=1)["problems"]
    assert (gone["line"], gone["code"]) == (3, "already_exists")


def test_files_that_are_none(cli, tmp_path):
    cli("catalog", "apply", str(SHIPPED))
    assert "colour" in str(cli("models", "import", sheet(tmp_path, "id,colour\nx,y\n"), status=1))
    path = tmp_path / "latin.csv"
    path.write_bytes(b"id,name\nx,\xff\n")
    assert "UTF-8" in str(cli("models", "import", str(path), status=1))

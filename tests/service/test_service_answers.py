"""One question, three ways to ask it: the command line, Python and REST answer alike."""

import csv
import gzip
import io
import json
import re
from dataclasses import replace
from inspect import signature
from pathlib import Path

import pytest
import typer
from served import TOKEN, Served, running
from typer.testing import CliRunner

import tune_app
from tune_app.cli.commands import final_command, read_commands
from tune_app.config.search_file import parse_sweep
from tune_app.errors import (
    BudgetError,
    EnvironmentalError,
    SweepBusyError,
    SweepFileError,
    TuneAppError,
    UnknownSweepError,
    UnknownTrialError,
)
from tune_app.results.final_results import final_rows
from tune_app.results.store import open_store
from tune_app.results.tables.sweep_tables import rows_json
from tune_app.results.tables.trial_table import ranked_rows, sort_rows, sweep_summary, trial_rows
from tune_app.service.client.service_client import Service

SWEEPS = ["made", "curve"]


@pytest.fixture
def client(service: Served) -> Service:
    return tune_app.connect(service.url)


@pytest.fixture
def store(storage: Path):
    return open_store(storage)


def typed(storage: Path, *arguments: str) -> str:
    app = typer.Typer()
    read_commands.register(app)
    final_command.register(app)
    result = CliRunner().invoke(app, [*arguments, "--storage", str(storage)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_list_is_the_same_three_ways(client, store, storage):
    cli = json.loads(typed(storage, "list", "--json"))
    python = [sweep_summary(store, sweep) for sweep in store.list_sweeps()]
    rest = client.sweeps()
    assert cli == python
    assert [{key: sweep[key] for key in cli[0]} for sweep in rest] == cli


@pytest.mark.parametrize("name", SWEEPS)
def test_all_trials_are_the_same_three_ways(name, client, store, storage):
    cli = json.loads(typed(storage, "show", name, "--all", "--format", "json"))
    rows = rows_json(trial_rows(store, store.get_sweep(name)))
    rest = client.sweep(name).ranked_rows(every=True)
    paged = client.sweep(name).trials()
    assert rest == cli
    by_id = {row["trial_id"]: row for row in rows}
    assert {row["trial_id"]: row for row in cli} == by_id
    assert {row["trial_id"]: row for row in paged} == by_id


@pytest.mark.parametrize(
    ("name", "budget"), [("made", "20k"), ("made", "100k"), ("made", None), ("curve", None)]
)
def test_ranked_tables_are_the_same_three_ways(name, budget, client, store, storage):
    option = ["--budget", budget] if budget else []
    cli = json.loads(typed(storage, "show", name, *option, "--top", "7", "--format", "json"))
    record = store.get_sweep(name)
    budgets = [int(budget[:-1]) * 1000] if budget else record.budgets or [None]
    python = [
        row.to_json()
        for limit in budgets
        for row in ranked_rows(trial_rows(store, record), record, limit)[:7]
    ]
    assert client.sweep(name).ranked_rows(budget=budget, top=7) == cli == python
    local = tune_app.open_storage(storage)[name]
    assert client[name].ranked(budget, top=7).rows == local.ranked(budget, top=7).rows
    if len(budgets) == 1:
        best, mine = client.sweep(name).best(budget), local.best(budget)
        # Where the weights are is a whole path on the service's machine.
        assert best == replace(mine, checkpoint=best.checkpoint)


def test_a_client_has_the_verbs_of_a_local_storage_with_their_arguments(client, storage):
    # What a diagnostic reads, data and weights, is the service's: its pages show the quick ones.
    local, other = tune_app.open_storage(storage), {"store", "name", "diagnose"}
    assert [sweep.name for sweep in client] == [sweep.name for sweep in local]
    assert len(client) == len(local)
    mine, theirs = local["made"], client["made"]
    verbs = {name for name in dir(mine) if not name.startswith("_")} - other
    assert verbs == {"record", "status", "config", "ranked", "trials", "best", "export", "report",
                     "figures", "tested", "epochs", "final"}  # fmt: skip
    for name in verbs:
        own, remote = getattr(type(mine), name), getattr(type(theirs), name)
        assert isinstance(own, property) == isinstance(remote, property), name
        if not isinstance(own, property):
            wanted = set(signature(own).parameters) - {"data_root", "quiet"}  # the service's
            assert wanted <= set(signature(remote).parameters), name
    assert (theirs.status, theirs.config) == (mine.status, mine.config)
    assert theirs.record.created == mine.record.created
    assert theirs.record.resolved == mine.record.resolved
    assert str(theirs.ranked("20k")) == str(mine.ranked("20k"))
    assert str(theirs.tested()) == str(mine.tested())
    assert theirs.epochs().equals(mine.epochs())
    assert repr(theirs).startswith("<sweep made of http://127.0.0.1:")
    by_id = {row["trial_id"]: row for row in mine.trials()}
    assert {row["trial_id"]: row for row in theirs.trials()} == by_id
    for sweep in (mine, theirs):
        with pytest.raises(BudgetError, match="choose one of 10k, 20k, 50k, 100k with budget="):
            sweep.best()
        with pytest.raises(UnknownTrialError, match="no trial of sweep 'made' that fits"):
            sweep.best("1")


@pytest.mark.parametrize("format", ["csv", "json", "markdown", "latex", "html", "table"])
def test_ranked_tables_are_the_same_in_every_format(format, client, storage, tmp_path):
    path = tmp_path / "table"
    if format == "table":  # the command says more around it; the tables themselves are the same
        cli = typed(storage, "show", "made", "--pivot", "optimizer,kernel_size", "--format", format)
        assert (
            client.sweep("made").table(format, pivot="optimizer,kernel_size").split() == cli.split()
        )
        return
    typed(storage, "show", "made", "--format", format, "--output", str(path))
    assert client.sweep("made").table(format) == path.read_text()


def test_pivot_tables_are_the_same_two_ways(client, storage):
    by = "optimizer,kernel_size"
    cli = typed(storage, "show", "made", "--pivot", by, "--format", "csv")
    assert client.sweep("made").table("csv", pivot=by) == cli


def test_the_winners_are_the_same_two_ways(client, store):
    record = store.get_sweep("made")
    python = [
        {**row.to_json(), "budget": budget}
        for budget in record.budgets
        for row in final_rows(store, record, budget)
    ]
    assert list(client.sweep("made").tested()) == python
    assert python


@pytest.mark.parametrize("trial", ["t0001", "t0005", "f0001"])
def test_a_trial_is_the_same_three_ways(trial, client, store, storage):
    cli = json.loads(typed(storage, "trial", "made", trial, "--format", "json"))
    assert client.sweep("made").trial(trial) == cli
    curves = client.get("/sweeps/made/curves", trials=trial)["curves"][trial]
    assert curves == cli["history"]
    assert cli["val_accuracy"] == store.get_trial("made", trial).val_accuracy


def test_sorting_is_that_of_the_command_line_with_what_failed_last(client, store):
    rows = client.sweep("made").trials(sort="val_loss")
    record = store.get_sweep("made")
    expected = rows_json(sort_rows(trial_rows(store, record), "val_loss"))
    spoilt = ("failed", "diverged")
    order = [row["trial_id"] for row in expected if row["status"] not in spoilt]
    assert [row["trial_id"] for row in rows if row["status"] not in spoilt][:20] == order[:20]
    last = next(place for place, row in enumerate(rows) if row["status"] in spoilt)
    assert all(row["status"] in spoilt for row in rows[last:])
    turned = client.sweep("made").trials(sort="-val_loss")
    assert all(row["status"] in spoilt for row in turned[last:])
    assert turned[0]["val_loss"] == max(
        row["val_loss"] for row in rows[:last] if row["val_loss"] is not None
    )


@pytest.mark.parametrize(
    ("where", "keeps"),
    [
        (["lr>=0.01"], lambda row: row["parameters"]["lr"] >= 0.01),
        (["optimizer=adam|sgd"], lambda row: row["parameters"]["optimizer"] in ("adam", "sgd")),
        (["optimizer!=adam", "lr<1e-2"],
         lambda row: row["parameters"]["optimizer"] != "adam" and row["parameters"]["lr"] < 1e-2),
        (["weights<=20k"], lambda row: row["weights"] is not None and row["weights"] <= 20_000),
        (["momentum>0"], lambda row: (row["parameters"].get("momentum") or 0) > 0),
        (["status=failed"], lambda row: row["status"] == "failed"),
        (["trial_id~t001"], lambda row: "t001" in row["trial_id"]),
        (["budget=20k", "kernel_size=3"],
         lambda row: row["budget"] == 20_000 and row["parameters"]["kernel_size"] == 3),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_a_filter_keeps_what_it_says(where, keeps, client):
    every = client.sweep("made").trials()
    kept = client.sweep("made").trials(where=where)
    assert {row["trial_id"] for row in kept} == {row["trial_id"] for row in every if keeps(row)}


def test_a_download_has_every_row_of_the_view_not_those_of_a_page(service):
    said = service.get("/api/v1/sweeps/made/trials.csv?where=optimizer%3Dadam&sort=-lr&size=3")
    rows = list(csv.DictReader(io.StringIO(said.text)))
    page = service.get("/api/v1/sweeps/made/trials?where=optimizer%3Dadam&size=3").json()
    assert len(rows) == page["matching"] > 3
    rates = [float(row["lr"]) for row in rows if row["status"] not in ("failed", "diverged")]
    assert rates == sorted(rates, reverse=True)


def test_scripts_and_styles_are_packed_for_those_who_unpack_them(service):
    page = service.get("/sweeps/made").text
    addresses = re.findall(r"/static/[\w/.]+\.(?:js|css)", page)
    assert len(addresses) > 10
    for address in addresses:
        plain = service.get(address)
        packed = service.get(address, Accept_Encoding="gzip")
        assert packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(packed.body) == plain.body
        assert packed.headers["content-type"] == plain.headers["content-type"]
        assert "immutable" in packed.headers["cache-control"]


def test_charts_are_of_the_trials_that_meet_the_filters(service):
    every = service.get("/api/v1/sweeps/made/charts").json()
    adam = service.get("/api/v1/sweeps/made/charts?where=optimizer%3Dadam").json()
    rows = service.get("/api/v1/sweeps/made/trials?where=optimizer%3Dadam&size=100").json()
    ids = {row["trial_id"] for row in rows["trials"]}
    assert 0 < len(adam["points"]["trial"]) < len(every["points"]["trial"])
    assert set(adam["points"]["trial"]) <= ids
    assert adam["progress"]["ended"] < every["progress"]["ended"]
    lines = adam["parallel"]["lines"]
    assert {
        trial for trial, one in zip(lines["trial"], lines["matches"], strict=True) if one
    } == set(adam["points"]["trial"])
    assert adam["parallel"]["axes"] == every["parallel"]["axes"]
    assert all(len(column) == len(lines["trial"]) for column in lines["shares"].values())
    wrong = service.get("/api/v1/sweeps/made/charts?where=optimiser%3Dadam")
    assert (wrong.status, "did you mean 'optimizer'" in wrong.text) == (422, True)


def test_many_readers_get_what_one_got_and_304_if_they_have_it(service):
    for path in ("/", "/sweeps/made", "/api/v1/sweeps/made/charts", "/api/v1/sweeps"):
        first = service.get(path)
        again = service.get(path, If_None_Match=first.headers["etag"])
        assert (again.status, again.body) == (304, b"")
    packed = service.get("/sweeps/made", Accept_Encoding="gzip")
    assert packed.headers["content-encoding"] == "gzip"


def test_a_change_is_seen_within_two_seconds(service, client):
    before = service.get("/sweeps/curve").headers["etag"]
    client.sweep("curve").note("seen")
    assert client.sweeps()[-1]["note"] or any(one["note"] == "seen" for one in client.sweeps())
    assert service.get("/sweeps/curve").headers["etag"] != before


def test_the_first_event_is_the_state_and_the_next_is_a_change(client):
    stream = client.events("curve")
    first = next(stream)
    client.sweep("curve").note(f"after {first['revision']}")
    second = next(stream)
    assert first["sweep"] == second["sweep"] == "curve"
    assert first["revision"] != second["revision"]
    stream.close()


def test_a_client_raises_what_the_command_line_would(client, service, closed):
    with pytest.raises(UnknownSweepError, match="did you mean 'made'"):
        client.sweep("mad")
    with pytest.raises(UnknownTrialError, match="no trial 't9999'"):
        client.sweep("made").trial("t9999")
    with pytest.raises(SweepFileError) as wrong:
        client.run("name: x\nmodel: cnm\n")
    with pytest.raises(SweepFileError) as local:
        parse_sweep("name: x\nmodel: cnm\n", source="the search file")
    assert wrong.value.problems == local.value.problems
    assert client.check("name: x\nmodel: cnm\n") == list(local.value.problems)
    with pytest.raises(SweepBusyError, match="not running"):
        client.sweep("made").stop()
    with pytest.raises(TuneAppError, match="needs the token"):
        tune_app.connect(closed.url)
    assert tune_app.connect(closed.url, token=TOKEN).sweeps()
    with pytest.raises(EnvironmentalError, match="no service answers"):
        tune_app.connect("http://127.0.0.1:9")


def test_verbs_of_a_client_do_what_they_say(own_storage: Path, settings):
    with running(replace(settings, storage=own_storage)) as served:
        client = tune_app.connect(served.url)
        sweep = client.sweep("curve")
        sweep.rename("bend")
        assert sweep.name == "bend"
        assert [one["name"] for one in client.sweeps()].count("bend") == 1
        with pytest.raises(SweepBusyError, match="archive 'bend' first"):
            sweep.delete()
        sweep.archive()
        assert "bend" not in [one["name"] for one in client.sweeps()]
        assert "bend" in [one["name"] for one in client.sweeps(archived=True)]
        sweep.archive(undo=True)
        sweep.archive()
        sweep.delete()
        assert "bend" not in [one["name"] for one in client.sweeps(archived=True)]
        assert "freed" in client.sweep("made").prune(top=1)["message"]


@pytest.mark.parametrize("has_folder", [True, False], ids=["with files", "without files"])
def test_a_rename_to_a_name_that_is_taken_is_a_conflict_and_names_no_path(
    own_storage: Path, settings, has_folder
):
    if has_folder:
        (own_storage / "made").mkdir(exist_ok=True)
    with running(replace(settings, storage=own_storage)) as served:
        said = served.post("/api/v1/sweeps/curve/rename", {"name": "made"})
    assert said.status == 409
    assert said.json()["error"]["message"] == (
        "a sweep named 'made' exists already: choose another name"
    )


def test_a_name_from_the_network_cannot_lead_out_of_the_data_root(service, tmp_path, settings):
    secret = tmp_path / "secret.npz"
    secret.write_bytes(b"x")
    settings.data_root.mkdir(exist_ok=True)
    (settings.data_root / "link.npz").symlink_to(secret)
    for path in (str(secret), "../secret.npz", "~/x.npz", "link.npz", "/etc/passwd", "."):
        text = f"name: own\ndataset: {{name: arrays, path: '{path}'}}\nmodel: fcn\n"
        text += "parameters: {width: 4}\n"
        for route in ("/api/v1/sweeps", "/api/v1/forecast"):
            said = service.post(route, {"source": text})
            assert said.status == 422
            assert said.json()["error"]["problems"][0]["key"] == "dataset.path"
    assert service.get("/api/v1/queue").json() == []

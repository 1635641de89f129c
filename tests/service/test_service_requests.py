"""Rules of all REST requests: JSON bodies, known parameters, HEAD, repeated POSTs, no paths."""

import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from served import OPEN, Said, Served, running

import tune_app
from tune_app.errors import SweepBusyError
from tune_app.service.settings import Settings

NOTE = "/api/v1/sweeps/curve/note"
KEPT = ".service/answers"


@pytest.fixture
def own(own_storage: Path):
    """A service over a storage that the test may change."""
    with running(Settings(own_storage, own_storage / "data", limits=OPEN)) as served:
        yield served


def message(said: Said) -> str:
    return str(said.json()["error"]["message"])


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", "Expecting property name enclosed in double quotes at character 1"),
        (b'{"note": x}', "Expecting value at character 9"),
        (b"\xff\xfe", "Expecting value at character 0"),
    ],
    ids=["cut short", "not a value", "not UTF-8"],
)
def test_a_body_that_is_not_json_is_a_bad_request(body, why, service: Served):
    said = service.ask("POST", NOTE, body, Content_Type="application/json")
    assert (said.status, message(said)) == (400, f"the body is not valid JSON: {why}")


def test_a_missing_body_is_a_bad_request(service: Served):
    said = service.ask("POST", NOTE)
    text = "the body is missing; send a JSON object, at least {}"
    assert (said.status, message(said)) == (400, text)


def test_json_of_another_form_is_invalid(service: Served):
    said = service.post(NOTE, {"note": 1})
    assert (said.status, message(said)) == (422, "note: Input should be a valid string")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("sweeps/made/trials?sizee=3", "'sizee': did you mean 'size'?"),
        ("sweeps/made/ranked?budgets=5k", "'budgets': did you mean 'budget'?"),
        ("sweeps?size=3", "'size': expected archived"),
        ("queue?x=1", "'x': this route has none"),
    ],
)
def test_an_unknown_query_parameter_is_refused(path, why, service: Served):
    said = service.get(f"/api/v1/{path}")
    assert (said.status, message(said)) == (422, f"unknown query parameter {why}")


def test_links_to_pages_may_have_further_parameters(service: Served):
    assert service.get("/sweeps/made?utm_source=mail").status == 200
    assert service.get("/healthz?x=1").status == 200


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/metrics", "/api/v1/sweeps", "/api/v1/sweeps/none", "/none"]
)
def test_head_has_the_status_and_headers_of_get_and_no_body(path, service: Served):
    head, get = service.ask("HEAD", path), service.get(path)
    assert (head.status, head.body) == (get.status, b"")
    for name in ("content-type", "etag", "content-security-policy"):
        assert head.headers.get(name) == get.headers.get(name)


def test_head_of_an_event_stream_ends_and_leaves_no_stream_open(service: Served):
    said = service.ask("HEAD", "/api/v1/events")
    assert (said.status, said.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    deadline = time.monotonic() + 30
    while service.app.state.context.streams:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_pages_after_the_last_one_are_empty(service: Served):
    path = "/api/v1/sweeps/made/trials?size=30&where=stage=search"
    pages = [service.get(f"{path}&page={page}").json() for page in (1, 2, 3, 999)]
    assert [len(page["trials"]) for page in pages] == [30, 10, 0, 0]
    assert [page["page"] for page in pages] == [1, 2, 3, 999]
    assert {page["pages"] for page in pages} == {2}


def test_a_repeated_post_gets_the_first_answer_and_changes_nothing(own: Served):
    path = "/api/v1/sweeps/curve/rename"
    first = own.post(path, {"name": "bend"}, Idempotency_Key="a key of mine".replace(" ", "-"))
    again = own.post(path, {"name": "bend"}, Idempotency_Key="a-key-of-mine")
    assert (first.status, again.status, again.body) == (200, 200, first.body)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["content-type"] == first.headers["content-type"]
    assert own.post(path, {"name": "bend"}).status == 404, "without the key it is a new request"
    # With another key too; and an error is an answer that is repeated as well.
    for _ in range(2):
        assert own.post(path, {"name": "bend"}, Idempotency_Key="another").status == 404


def test_a_key_holds_for_one_path_and_one_body(own: Served):
    assert own.post(NOTE, {"note": "a"}, Idempotency_Key="k").status == 200
    said = own.post(NOTE, {"note": "b"}, Idempotency_Key="k")
    text = "this Idempotency-Key was used for a request with another body"
    assert (said.status, message(said)) == (422, text)
    assert own.get("/api/v1/sweeps/curve").json()["note"] == "a"
    other = own.post("/api/v1/sweeps/made/note", {"note": "b"}, Idempotency_Key="k")
    assert other.status == 200


def test_a_restarted_service_knows_the_keys_of_a_day(own_storage: Path):
    settings = Settings(own_storage, own_storage / "data", limits=OPEN)

    def queue() -> Said:
        with running(settings) as served:
            return served.post(NOTE, {"note": "a"}, Idempotency_Key="k")

    assert "idempotent-replayed" not in queue().headers
    files = list((own_storage / KEPT).iterdir())
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600]
    assert "idempotent-replayed" in queue().headers
    day_ago = time.time() - 86_401
    os.utime(files[0], (day_ago, day_ago))
    assert "idempotent-replayed" not in queue().headers


def test_of_too_many_kept_answers_the_oldest_go(own: Served, monkeypatch):
    monkeypatch.setattr("tune_app.service.http.idempotency.MOST_KEPT", 2)
    for number in range(4):
        own.post(NOTE, {"note": "a"}, Idempotency_Key=f"k{number}")
    assert len(list((own.settings.storage / KEPT).iterdir())) == 2
    last = own.post(NOTE, {"note": "a"}, Idempotency_Key="k3")
    assert "idempotent-replayed" in last.headers


@pytest.mark.parametrize("key", ["", "a b", "ä", "x" * 201])
def test_a_key_that_is_not_one_is_refused(key, service: Served):
    said = service.post(NOTE, {"note": "a"}, Idempotency_Key=key)
    assert said.status == 400
    assert message(said) == "Idempotency-Key must be 1 to 200 visible ASCII characters"


def test_a_key_whose_request_still_runs_is_a_conflict(own: Served, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()
    store, answers = own.app.state.context.store, []
    update = store.update_sweep

    def slowly(*args, **fields):
        begun.set()
        assert go_on.wait(60)
        return update(*args, **fields)

    monkeypatch.setattr(store, "update_sweep", slowly)

    def send() -> None:
        answers.append(own.post(NOTE, {"note": "a"}, Idempotency_Key="k"))

    first = threading.Thread(target=send)
    first.start()
    try:
        assert begun.wait(60)
        said = own.post(NOTE, {"note": "a"}, Idempotency_Key="k")
    finally:
        go_on.set()
        first.join()
    assert (said.status, answers[0].status) == (409, 200)
    assert own.post(NOTE, {"note": "a"}, Idempotency_Key="k").body == answers[0].body


def test_a_server_error_is_not_kept(own: Served, monkeypatch):
    def broken(*_args, **_fields):
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(own.app.state.context.store, "update_sweep", broken)
        assert own.post(NOTE, {"note": "a"}, Idempotency_Key="k").status == 500
    assert own.post(NOTE, {"note": "a"}, Idempotency_Key="k").status == 200


FILE = """\
name: study
dataset: {name: digits}
model: fcn
parameters: {width: {int: [2, 8]}, epochs: 1}
search: {sampler: random, trials: 2, start_from: %s}
"""


@pytest.mark.parametrize(
    ("path", "body", "status", "why"),
    [
        ("sweeps/made/final", {"budgets": ["7k"]}, 422,
         "sweep 'made' has no budget 7k; it has 10k, 20k, 50k, 100k"),
        ("sweeps/curve/final", {"budgets": ["7k"]}, 422,
         "sweep 'curve' has no budget 7k; it has none"),
        ("sweeps/nope/final", {}, 404, "no sweep 'nope' in the storage"),
        ("sweeps/made/extend", {"trials": 40}, 422,
         "sweep 'made' has 40 trials already; `trials` is the number in all"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_at_once(path, body, status, why, service: Served):
    said = service.post(f"/api/v1/{path}", body)
    assert (said.status, message(said).partition("; list the")[0]) == (status, why)
    assert service.get("/api/v1/queue").json() == []


@pytest.mark.parametrize("teacher", ["../../x", "nobody"])
def test_a_file_that_starts_from_an_unknown_sweep_is_refused_at_once(teacher, service: Served):
    said = service.post("/api/v1/sweeps", {"source": FILE % json.dumps(teacher)})
    problem = {
        "line": None,
        "key": "search.start_from",
        "text": f"there is no sweep '{teacher}' to start from",
    }
    assert (said.status, said.json()["error"]["problems"]) == (422, [problem])
    assert service.get("/api/v1/queue").json() == []


def test_answers_name_no_path_of_the_server_and_no_option_of_the_command_line(
    service: Served, storage: Path
):
    for method, path, body in [
        ("GET", "sweeps/nope", None),
        ("GET", "sweeps/made/trials/t9999", None),
        ("GET", "sweeps/made/export?budget=10k&trial=t0001", None),
        ("GET", "sweeps/made/ranked?pivot=lr", None),
        ("GET", "sweeps/made/ranked?pivot=lr,optimizer&all=true", None),
        ("POST", "sweeps/made/rename", {"name": "curve"}),
        ("POST", "sweeps/made/final", {"budgets": ["7k"]}),
        ("POST", "sweeps/made/stop", {}),
    ]:
        said = service.ask(method, f"/api/v1/{path}", body)
        assert said.status >= 400, path
        assert str(storage) not in said.text, path
        assert "--" not in message(said), path


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot write /srv/a/s/x.pt: full", "cannot write <storage>/x.pt: full"),
        ("no sweep 'x' in /srv/a/s", "no sweep 'x' in the storage"),
        ("nothing in /srv/a/data: empty", "nothing in the data root: empty"),
        ("/srv/a/s2 is another folder", "/srv/a/s2 is another folder"),
        ("not below /home/srv/a/s", "not below /home/srv/a/s"),
    ],
)
def test_paths_of_the_server_are_replaced_in_messages(text, shown):
    settings = Settings(Path("/srv/a/s"), Path("/srv/a/data"))
    assert settings.without_paths(text) == shown


def test_the_default_storage_is_replaced_where_it_is_a_path():
    settings = replace(Settings(Path("tune_results"), Path("/data")))
    text = f"tune_results/x.pt and {Path.cwd()}/tune_results, but not my_tune_results/x"
    shown = "<storage>/x.pt and the storage, but not my_tune_results/x"
    assert settings.without_paths(text) == shown


def test_a_change_while_a_sweep_is_read_is_seen_by_the_next_reader(own: Served, monkeypatch):
    snapshots = own.app.state.context.snapshots
    look = snapshots._look

    def look_and_forget(record):
        glance = look(record)
        snapshots.forget(record.name)  # as a change does, in another thread
        return glance

    with monkeypatch.context() as patch:
        patch.setattr(snapshots, "_look", look_and_forget)
        snapshots.forget("curve")
        assert len(snapshots.snapshot("curve").rows) == 12
    own.app.state.context.store.update_sweep("curve", note="changed")
    assert snapshots.snapshot("curve").record.note == "changed"


def test_a_client_extends_a_sweep_to_more_trials(own: Served, monkeypatch):
    launcher = own.app.state.context.launcher
    monkeypatch.setattr(launcher, "tick", lambda: None)
    sweep = tune_app.connect(own.url).sweep("made")
    assert sweep.extend(60)["verb"] == "resume"
    assert launcher.commands()[0].arguments == ("resume", "made", "--trials", "60")
    with pytest.raises(SweepBusyError, match="sweep 'made' is in the queue already"):
        sweep.extend(70)
    launcher.cancel("made")  # before the real `tick` is back

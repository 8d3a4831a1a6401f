"""What holds for a judge: both orders are asked, answers are kept, and none is ever guessed."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image

from imagic_lora.bench import lines
from imagic_lora.bench.items import Item
from imagic_lora.bench.judging import server as asking
from imagic_lora.bench.judging.both_orders import verdict
from imagic_lora.bench.judging.judge import Judge, judge_all, judged
from imagic_lora.bench.judging.server import Server
from imagic_lora.bench.made import Made
from imagic_lora.bench.suites import tedbench
from imagic_lora.errors import JudgeError
from tests.bench import layouts
from tests.support.command import runner

YES, NO = "It does.\nAnswer: yes", "It does not.\n**Answer: no**"


class Stub(ThreadingHTTPServer):
    """A server of a judge; `answers` are given in turn, and `asked` is what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.answers: list[tuple[int, Any]] = []
        self.asked: list[dict[str, Any]] = []

    @property
    def judge(self) -> Judge:
        """A judge that is asked here."""
        return Judge(Server(self.flags[1], self.flags[3]))

    @property
    def flags(self) -> tuple[str, str, str, str]:
        """The flags of a command that asks it."""
        return "--judge", f"http://127.0.0.1:{self.server_port}/v1/", "--judge-model", "vlm"

    def say(self, *answers: str | None) -> None:
        """Answer so from now on."""
        self.answers = [(200, {"choices": [{"message": {"content": one}}]}) for one in answers]


class _Answers(BaseHTTPRequestHandler):
    server: Stub

    def log_message(self, *_: object) -> None:
        """Write nothing."""

    def do_POST(self) -> None:
        """Answer a question."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        key = self.headers.get("Authorization")
        self.server.asked.append({"path": self.path, "key": key, **json.loads(body)})
        code, answer = self.server.answers.pop(0)
        self.send_response(code)
        self.end_headers()
        self.wfile.write(
            answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        )


@pytest.fixture(autouse=True)
def _no_network() -> None:
    """Allow connections: the server is on this machine, and its address has no name to look up."""


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    """Give a server on this machine."""
    monkeypatch.setattr(asking, "_PAUSE", 0)
    with Stub() as served:
        threading.Thread(target=served.serve_forever, args=(0.02,), daemon=True).start()
        yield served
        served.shutdown()


@pytest.fixture
def made(tmp_path: Path) -> list[Made]:
    """Give two edited pictures, darker than their inputs."""
    before = layouts.picture(tmp_path / "before.png")
    found: list[Made] = []
    for name in ("one", "two"):
        edited = tmp_path / f"{name}.png"
        Image.new("RGB", (32, 32), (len(found), 0, 0)).save(edited)
        found.append(Made("ours", Item(name, "any", before, "a red cat", f"{name}.png"), edited))
    return found


def _pictures(asked: dict[str, Any]) -> list[int]:
    """Return the highest level of each picture of a question."""
    (message,) = asked["messages"]
    found = []
    for part in message["content"][:-1]:
        with urlopen(part["image_url"]["url"]) as data, Image.open(BytesIO(data.read())) as image:  # noqa: S310
            found.append(int(np.asarray(image).max()))
    return found


def test_each_edit_is_asked_about_in_both_orders(
    stub: Stub, made: list[Made], tmp_path: Path
) -> None:
    """The question says which picture is which; done is what both orders say."""
    stub.say(YES, YES, YES, NO)
    log = tmp_path / "answers.jsonl"

    judge_all(made, stub.judge, log, lambda _: None)

    first, second, *_ = stub.asked
    assert ("/v1/chat/completions", "vlm", 0) == (
        first["path"],
        first["model"],
        first["temperature"],
    )
    assert [True, False] == [one > 1 for one in _pictures(first)]
    assert [False, True] == [one > 1 for one in _pictures(second)]
    texts = [one["messages"][0]["content"][-1]["text"] for one in (first, second)]
    assert ["The first picture is the photo", "The second picture is the photo"] == [
        text[text.index("The ") :][: len(f"The {place} picture is the photo")]
        for text, place in zip(texts, ("first", "second"), strict=True)
    ]
    assert all("'a red cat'" in text for text in texts)
    scores = list(judged(made, stub.judge, log))
    assert [1.0, 0.5] == [one["judged"] for one in scores]
    assert [YES, YES, YES, NO] == [line[-1] for line in lines.read(log)]


def test_what_was_answered_is_not_asked_again(stub: Stub, made: list[Made], tmp_path: Path) -> None:
    """A server that goes away stops the stage in one sentence, and the next run asks the rest."""
    log = tmp_path / "answers.jsonl"
    stub.say(YES)
    stub.answers += [(404, "no such model")]
    with pytest.raises(JudgeError, match=r"did not answer \(404, 'no such model'\)"):
        judge_all(made, stub.judge, log, lambda _: None)

    stub.say(YES, NO)
    judge_all(made[:1], stub.judge, log, lambda _: None)

    assert 1 == len(stub.answers)
    assert [1.0] == [one["judged"] for one in judged(made[:1], stub.judge, log)]
    assert [{}] == list(judged(made[1:], stub.judge, log))


def test_a_refusal_is_counted_and_never_guessed(
    stub: Stub, made: list[Made], tmp_path: Path
) -> None:
    """So is an answer that says neither yes nor no, a filter of the server, and no answer at all."""
    log = tmp_path / "answers.jsonl"
    stub.say("I cannot help with that.", YES, None)
    stub.answers += [(400, {"error": {"code": "content_filter"}})]

    judge_all(made, stub.judge, log, lambda _: None)

    assert [(None, 1.0)] * 2 == [
        (one["judged"], one["unanswered"]) for one in judged(made, stub.judge, log)
    ]


def test_a_judge_is_a_column_of_the_report(
    stub: Stub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It needs no other score, and what it did not answer stands beside what it did."""
    data, theirs = layouts.tedbench(tmp_path / "data"), tmp_path / "theirs"
    for item in tedbench.load(data).items:
        layouts.picture(theirs / item.result)
    stub.say(YES, YES, NO, NO, "No idea.", YES)
    asked = (*stub.flags, "--stages", "judge,report")

    done = runner(capsys)(
        *("bench", "tedbench", "--data", data, "-o", tmp_path / "out", "--score", theirs), *asked
    )

    assert 0 == done.code, done.err
    page = (tmp_path / "out" / "report.md").read_text()
    assert "| theirs | 50.0 [0.0, 100.0] n=2 | 33.3 [0.0, 100.0] n=3 |" in page


def test_a_busy_server_is_asked_again(stub: Stub, made: list[Made], tmp_path: Path) -> None:
    """A few times; then it is one sentence."""
    stub.answers = [(503, "busy"), (429, "slow down")]
    stub.answers += [(200, {"choices": [{"message": {"content": YES}}]})]
    assert YES == stub.judge.who.ask(["Is it?"])

    stub.answers = [(503, "busy")] * 3
    with pytest.raises(JudgeError, match="give the same command again"):
        judge_all(made, stub.judge, tmp_path / "answers.jsonl", lambda _: None)
    assert [] == stub.answers


def test_what_is_no_such_server_is_one_sentence(stub: Stub) -> None:
    """Whatever it answers."""
    stub.answers = [(200, "<html>hello</html>"), (200, {"choices": []})]

    for _ in range(2):
        with pytest.raises(JudgeError, match="look at the address given by --judge"):
            stub.judge.who.ask(["Is it?"])


def test_a_key_is_sent_where_there_is_one(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is that of the environment, and of no other service."""
    stub.say(YES, YES)
    stub.judge.who.ask(["Is it?"])
    monkeypatch.setenv("JUDGE_API_KEY", "k")
    stub.judge.who.ask(["Is it?"])

    assert [None, "Bearer k"] == [one["key"] for one in stub.asked]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (YES, True),
        (NO, False),
        ("answer: YES.", True),
        ("Answer: yes\nBut I am not sure.", None),
        ("yes", None),
        ("Answer: yes or no", None),
        ("", None),
    ],
)
def test_the_last_line_is_the_verdict(answer: str, expected: bool | None) -> None:  # noqa: FBT001
    """What is not the form that was asked for is no verdict."""
    assert expected is verdict(answer)

"""What holds for questions: they are their authors' own, and a mark that is none is never guessed."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image

from imagic_lora.bench import lines
from imagic_lora.bench.items import Item
from imagic_lora.bench.judging.asking import Content
from imagic_lora.bench.judging.judge import Judge, judge_all, judged
from imagic_lora.bench.judging.local import Local
from imagic_lora.bench.judging.rubrics import Rubrics
from imagic_lora.bench.judging.viescore import VieScore
from imagic_lora.bench.made import Made
from imagic_lora.bench.metrics.base import Pair
from imagic_lora.bench.suites import imgedit, tedbench
from imagic_lora.errors import InputError, ModelError
from tests.bench import layouts, networks
from tests.support.command import runner


@dataclass(frozen=True)
class Said:
    """A model that gives an answer, and keeps what it was asked."""

    answer: str
    model: str = "said"
    asked: list[Content] = field(default_factory=list)

    def ask(self, content: Content) -> str:
        """Return the answer."""
        self.asked.append(content)
        return self.answer


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """Give an edited picture of an item with an instruction."""
    before = layouts.picture(tmp_path / "before.png")
    item = Item("1", "add", before, "a hat", "1.png", instruction="Add a hat.")
    return Pair.of(item, Image.new("RGB", (32, 32)))


def test_the_rubrics_of_imgedit_are_its_authors(pair: Pair, tmp_path: Path) -> None:
    """The rubric of the item's kind with its instruction comes first, and the mark is their mean."""
    path, log = tmp_path / "judge_prompt.json", tmp_path / "answers.jsonl"
    path.write_text(json.dumps({kind: f"Grade {kind}: <edit_prompt>" for kind in imgedit.KINDS}))
    who = Said("Brief reasoning: fine.\nCompliance: 4\nNaturalness: 3\nCoherence: 4")
    judge = Judge(who, Rubrics.read(path, imgedit.KINDS))
    edited = layouts.picture(tmp_path / "edited.png")

    judge_all([Made("ours", pair.item, edited)], judge, log, lambda _: None)

    ((text, *pictures),) = who.asked
    assert ("Grade add: Add a hat.", 2) == (text, len(pictures))
    (scores,) = judged([Made("ours", pair.item, edited)], judge, log)
    assert {"imgedit": 3.67, "unanswered": 0.0} == scores
    assert judge.asked.startswith("said, Rubrics ")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("A: 4\nB: 3\nC: 5", {"imgedit": 4.0, "unanswered": 0.0}),
        ("A: 4\nB: 3", {"imgedit": None, "unanswered": 1.0}),
        ("A: 4\nB: 3\nC: 6", {"imgedit": None, "unanswered": 1.0}),
        ("I cannot.", {"imgedit": None, "unanswered": 1.0}),
    ],
)
def test_marks_of_rubrics_are_never_guessed(answer: str, expected: dict[str, float | None]) -> None:
    """There must be three, of 1 to 5."""
    assert expected == Rubrics(()).scores([answer])


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (('{"score": [9, 4]}', '```json\n{"score": [10, 9]}\n```'), (4.0, 9.0, 6.0, 0.0)),
        (('{"score": [9, 0], "reasoning": "{}"}', '{"score": [8, 8]}'), (0.0, 8.0, 0.0, 0.0)),
        (('{"score": [9]}', '{"score": [8, 8]}'), (None, None, None, 1.0)),
        (('{"score": [9, 11]}', '{"score": [8, 8]}'), (None, None, None, 1.0)),
        (("no", '{"score": [8, 8]}'), (None, None, None, 1.0)),
    ],
)
def test_marks_of_viescore_are_the_least_and_their_root(
    answers: tuple[str, ...], expected: tuple[float | None, ...]
) -> None:
    """Each question has two marks of 0 to 10; without one of them, there is no score at all."""
    names = ("vie_sc", "vie_pq", "vie_overall", "unanswered")

    assert dict(zip(names, expected, strict=True)) == VieScore("", "").scores(answers)


def test_the_questions_of_gedit_are_read_and_not_run(pair: Pair, tmp_path: Path) -> None:
    """Of the authors' Python file, four texts are taken; nothing in it is carried out."""
    path = tmp_path / "vie_prompts.py"
    path.write_text(
        "raise SystemExit\n_context_no_delimit = 'Be fair.'\n"
        '_prompts_0shot_two_image_edit_rule = """Two."""\n'
        "_prompts_0shot_tie_rule_SC = 'Of: <instruction>'\n_prompts_0shot_rule_PQ = 'One.'\n"
    )
    questions = VieScore.read(path)

    asked = "Be fair.\nTwo.\nOf: Add a hat."
    assert [pair.before, pair.after, asked] == questions.content(pair, "SC")
    assert [pair.after, "Be fair.\nOne."] == questions.content(pair, "PQ")
    path.write_text("x = 1")
    with pytest.raises(
        InputError, match=r"has no text _context_no_delimit; it is 'vie_prompts\.py'"
    ):
        VieScore.read(path)


def test_questions_that_are_not_read_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """So is a file that is another one; each in one sentence, before anybody is asked."""
    run, file = runner(capsys), tmp_path / "judge_prompt.json"
    file.write_text('{"add": "Grade it."}')
    asked = ("--questions", file, "-o", tmp_path / "out")
    judge = ("--judge", "here", "--judge-model", tmp_path)
    rubrics = ("bench", "imgedit", "--data", layouts.imgedit(tmp_path / "imgedit"), *asked)
    others = ("bench", "tedbench", "--data", layouts.tedbench(tmp_path / "tedbench"), *asked)

    assert "has no rubric with <edit_prompt> for add, adjust" in run(*rubrics, *judge).error
    assert "authors of TEdBench are not read; leave out" in run(*others, *judge).error
    assert "needs both --judge and" in run(*rubrics).error


def test_a_judge_in_this_process_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tiny model in the true layout: its answers are kept as they are, and none is guessed."""
    data, theirs, out = layouts.tedbench(tmp_path / "data"), tmp_path / "theirs", tmp_path / "out"
    for item in tedbench.load(data).items:
        layouts.picture(theirs / item.result)
    words = ("bench", "tedbench", "--data", data, "-o", out, "--score", theirs)
    judge = ("--judge", "here", "--judge-model", networks.llava(tmp_path / "llava"))

    done = runner(capsys)(*words, *judge, "--stages", "judge,report")

    assert 0 == done.code, done.err
    said = [line[-1] for line in lines.read(out / "answers.jsonl")]
    assert 6 == len(said)
    assert all(said)
    assert "| theirs | 100.0 [100.0, 100.0] n=3 |" in (out / "report.md").read_text()
    runner(capsys)(*words, *judge, "--stages", "judge")
    assert 6 == len(lines.read(out / "answers.jsonl"))


def test_a_judge_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    """It says why it cannot be loaded, and what can be given in its place."""
    with pytest.raises(ModelError, match=r"cannot be loaded .*by --judge-model, or the address"):
        Local(str(tmp_path)).ask(["Is it?"])

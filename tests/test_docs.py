import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import imagic_lora
from imagic_lora.objective import OBJECTIVES

ROOT = Path(__file__).parents[1]
COMMANDS = (
    "pip install -c constraints.txt . && imagic-lora demo",
    'pip install -c constraints.txt -e ".[dev]" && pytest',
)


def _python_blocks() -> list[str]:
    """Return every Python block of the pages that teach."""
    text = "\n".join((ROOT / page).read_text("utf-8") for page in ("README.md", "docs/guide.md"))
    return re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_the_generated_parts_are_current() -> None:
    """What the docs say of settings and commands is what the code says."""
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"],
        check=False,
        capture_output=True,
        text=True,
    )

    assert (0, "") == (done.returncode, done.stdout), done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_has_the_two_commands(command: str) -> None:
    """A newcomer finds both commands, each on a line of its own, near the top."""
    assert command in (ROOT / "README.md").read_text("utf-8").splitlines()[:40]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_gate_runs_what_the_readme_says(command: str) -> None:
    """The gate announces and runs the very commands of the README."""
    gate = (ROOT / ".ci" / "run").read_text("utf-8")

    assert command in gate
    for part in command.split(" && "):
        assert re.sub("^pip install", "pip install --quiet", part) in gate


@pytest.mark.parametrize("name", imagic_lora.__all__)
def test_every_public_name_is_on_the_api_page(name: str) -> None:
    """Nothing is public without being documented."""
    page = (ROOT / "docs" / "api.md").read_text("utf-8")

    assert re.search(rf"(^::: |`)imagic_lora\.{name}(`|$)", page, re.MULTILINE)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_is_on_the_page_of_the_format(name: str) -> None:
    """Whoever reads a file elsewhere can look up what each name that may stand in it means."""
    page = (ROOT / "docs" / "file-format.md").read_text("utf-8")

    assert re.search(rf"^\| `{name}` \|", page, re.MULTILINE)


def test_there_are_examples() -> None:
    """The README and the guide both show Python, so the next tests have something to read."""
    assert _python_blocks()


@pytest.mark.parametrize("block", _python_blocks())
def test_examples_use_what_is_there(block: str) -> None:
    """Every example compiles and imports public names only."""
    imported = {
        alias.name
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.ImportFrom) and node.module == "imagic_lora"
        for alias in node.names
    }

    assert set() == imported - set(imagic_lora.__all__)


@pytest.mark.parametrize(
    "page", sorted(p.relative_to(ROOT / "docs").as_posix() for p in (ROOT / "docs").rglob("*.md"))
)
def test_every_page_can_be_reached(page: str) -> None:
    """No page is missing from the navigation."""
    assert re.search(rf": {re.escape(page)}$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)

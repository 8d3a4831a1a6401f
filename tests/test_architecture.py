import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import imagic_lora

PACKAGE = Path(imagic_lora.__file__).parent

LAYERS = (
    {"errors"},
    {"settings", "progress", "seeding", "files", "hub", "model_card", "units"},
    {"image", "sheet", "conditioning", "objective", "memory", "lora"},
    {"adapter_format", "kohya", "modelspec", "slots"},
    {"compact"},
    {"adapter", "models", "picture"},
    {"export", "focus", "foreign", "fitting", "likelihood", "request", "sampling", "strength"},
    {"captions", "planning", "trail"},
    {"editing"},
    {"editor"},
    {"contact"},
    {"ui"},
    {"cli"},
    {"__main__"},
)
"""A module may import from the layers before its own, and from no other."""

FAMILIES = {"stable_diffusion", "stable_diffusion_xl"}
"""The modules of models/ that are one family each."""

OWNERS = {
    "huggingface_hub": {"hub", "models"},
    "peft": {"lora"},
    "diffusers": {"models"},
    "transformers": {"models"},
    "gradio": {"ui"},
    "fastapi": {"ui"},
    "uvicorn": {"ui"},
}
"""Who may import a package that others must not depend on."""

HEAVY = ("torch", "numpy", "PIL", "diffusers", "transformers", "peft", "gradio")
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base_utils"}
SOURCES = sorted(PACKAGE.rglob("*.py"))


def _part(path: Path) -> str:
    """Return the module or folder right below the package that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(path: Path) -> Iterator[str]:
    """Yield the dotted name of everything that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} uses a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _calls(path: Path) -> Iterator[tuple[str, set[str | None]]]:
    """Yield what each call in a file calls, by its last names, and the keywords that it passes."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            name = f"{owner.id if isinstance(owner, ast.Name) else ''}.{node.func.attr}"
            yield name, {keyword.arg for keyword in node.keywords}


def _layer(part: str) -> int:
    """Return the layer of a module."""
    (layer,) = (index for index, parts in enumerate(LAYERS) if part in parts)
    return layer


EACH_FILE = pytest.mark.parametrize("path", SOURCES, ids=lambda path: _part(path) + "/" + path.stem)
EACH_INNER_FILE = pytest.mark.parametrize(
    "path",
    [path for path in SOURCES if path != PACKAGE / "__init__.py"],
    ids=lambda path: _part(path) + "/" + path.stem,
)


def test_every_module_has_its_place() -> None:
    """A new module is given a layer before anything may import it."""
    placed = set().union(*LAYERS)

    assert set() == {_part(path) for path in SOURCES} - placed - {"__init__", "demo"}


@EACH_INNER_FILE
def test_imports_go_one_way(path: Path) -> None:
    """A module imports from lower layers only, so there are no cycles; models/ is one module."""
    inner = [name.split(".")[1] for name in _imports(path) if name.startswith("imagic_lora.")]

    wrong = {
        part for part in inner if part != _part(path) and not _layer(part) < _layer(_part(path))
    }

    assert set() == wrong


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_families_are_siblings(family: str) -> None:
    """No family of models imports another: what they share lies in modules of its own."""
    others = {f"imagic_lora.models.{other}" for other in FAMILIES - {family}}

    imported = set(_imports(PACKAGE / "models" / f"{family}.py"))

    assert set() == {name for name in imported for other in others if name.startswith(other + ".")}


@EACH_FILE
def test_foreign_packages_have_one_owner(path: Path) -> None:
    """What changes with a foreign release is kept in one place."""
    roots = {name.split(".")[0] for name in _imports(path)}

    assert set() == {root for root in roots if _part(path) not in OWNERS.get(root, {_part(path)})}


@EACH_FILE
def test_random_numbers_come_from_a_generator(path: Path) -> None:
    """Nothing draws from torch's global state, which belongs to the caller, or sets its seed."""
    drawing = (
        r"torch\.(rand.*|normal|bernoulli|multinomial|manual_seed|seed)|\w*\.(normal_|uniform_)"
    )

    drawn = {
        name
        for name, keywords in _calls(path)
        if re.fullmatch(drawing, name) and "generator" not in keywords
    }

    assert set() == drawn


@EACH_FILE
def test_only_memory_trades_memory(path: Path) -> None:
    """Every switch that trades memory for time or precision is named in one folder."""
    switch = r"\w*\.(enable|set)_\w*(checkpointing|slic(e|ing)|tiling|offload|attention\w*)"

    switched = {name for name, _ in _calls(path) if re.fullmatch(switch, name)}

    assert "memory" in path.parts or set() == switched


@EACH_FILE
def test_a_name_says_what_a_module_holds(path: Path) -> None:
    """No module is a drawer for whatever fits nowhere else, and none carries its history."""
    assert path.stem not in VAGUE
    assert not re.search(r"_(v\d+|old|new|extended)$", path.stem)


@pytest.mark.parametrize(
    "statement",
    [
        "import imagic_lora",
        "from imagic_lora import EditSettings, FitSettings, ImagicError, Progress",
        "sys.argv[1:] = ['--help']; runpy.run_module('imagic_lora', run_name='__main__')",
        "sys.argv[1:] = ['fit', '--help']; runpy.run_module('imagic_lora', run_name='__main__')",
        "sys.argv[1:] = ['ui', '--help']; runpy.run_module('imagic_lora', run_name='__main__')",
    ],
)
def test_a_quick_question_gets_a_quick_answer(statement: str) -> None:
    """Importing the package, its settings or the help of a command loads nothing heavy."""
    program = (
        f"import runpy, sys\ntry:\n    {statement}\nexcept SystemExit as end:\n"
        f"    assert not end.code\nprint([name for name in {HEAVY} if name in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )

    assert (0, "[]") == (done.returncode, done.stdout.splitlines()[-1]), done.stderr

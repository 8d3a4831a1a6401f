import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import imagic_lora
from imagic_lora.models.families import FAMILIES
from tests.support.architecture import INSIDE, OWNERS, ROWS

PACKAGE = Path(imagic_lora.__file__).parent

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


def _row(part: str) -> int:
    """Return the row of a part."""
    (row,) = (index for index, parts in enumerate(ROWS) if part in parts)
    return row


def _name(path: Path) -> str:
    """Return a file's place in the package, without its ending."""
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


def _dotted(path: Path) -> str:
    """Return a file's module, below the package."""
    return _name(path).replace("/", ".")


def test_every_module_has_its_place() -> None:
    """A new part is given a row before anything may import it."""
    placed = frozenset().union(*ROWS)

    assert placed == {_part(path) for path in SOURCES} - {"__init__"}


def test_the_root_is_a_hall_and_no_street() -> None:
    """What belongs together has a room; few modules stand alone."""
    alone = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}

    assert len(alone) <= 11, sorted(alone)


def test_rooms_are_of_a_size_to_be_read() -> None:
    """No module is longer than 300 lines, and no class than 250."""
    large = [_name(path) for path in SOURCES if len(path.read_text().splitlines()) > 300]
    large += [
        f"{_name(path)}.{node.name}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and (node.end_lineno or 0) - node.lineno >= 250
    ]

    assert [] == large


def test_imports_go_one_way() -> None:
    """A part imports from lower rows only, so there are no cycles; a folder is one part."""
    wrong = [
        f"{_name(path)} imports {name}"
        for path in SOURCES
        if path != PACKAGE / "__init__.py"
        for name in _imports(path)
        if name.startswith("imagic_lora.")
        and (part := name.split(".")[1]) != _part(path)
        and not _row(part) < _row(_part(path))
    ]

    assert [] == wrong


@pytest.mark.parametrize(("folder", "strangers"), INSIDE.items())
def test_rooms_keep_to_themselves(folder: str, strangers: str) -> None:
    """Inside a part, too, some rooms must not know others."""
    wrong = [
        f"{_name(path)} imports {name}"
        for path in SOURCES
        if re.fullmatch(folder, _name(path))
        for name in _imports(path)
        if re.match(strangers, name) and not name.startswith(f"imagic_lora.{_dotted(path)}.")
    ]

    assert [] == wrong


def test_only_its_row_and_its_module_spell_a_family() -> None:
    """Whatever differs between families is asked of the row or of the model, never of the name."""
    shipped = {
        name: family.model.partition(":")[0].removeprefix("imagic_lora.")
        for name, family in FAMILIES.items()
        if family.model.startswith("imagic_lora.")
    }

    spelled = [
        f"{_name(path)} spells {node.value!r}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and node.value in shipped
        and _dotted(path) not in ("models.families", shipped[str(node.value)])
    ]

    assert [] == spelled


def test_foreign_packages_have_one_owner() -> None:
    """What changes with a foreign release is kept in one place."""
    wrong = [
        f"{_name(path)} imports {root}"
        for path in SOURCES
        for root in {name.split(".")[0] for name in _imports(path)} & set(OWNERS)
        if not {_part(path), _name(path)} & OWNERS[root]
    ]

    assert [] == wrong


def test_random_numbers_come_from_a_generator() -> None:
    """Nothing draws from torch's global state, which belongs to the caller, or sets its seed."""
    drawing = (
        r"torch\.(rand.*|normal|bernoulli|multinomial|manual_seed|seed)|\w*\.(normal_|uniform_)"
    )

    drawn = [
        f"{_name(path)} calls {name}"
        for path in SOURCES
        for name, keywords in _calls(path)
        if re.fullmatch(drawing, name) and "generator" not in keywords
    ]

    assert [] == drawn


def test_only_levers_trade_memory() -> None:
    """Every switch that trades memory for time or precision is named in one folder."""
    switch = r"\w*\.(enable|set)_\w*(checkpointing|slic(e|ing)|tiling|offload|attention\w*)"

    switched = [
        f"{_name(path)} calls {name}"
        for path in SOURCES
        if _part(path) != "memory"
        for name, _ in _calls(path)
        if re.fullmatch(switch, name)
    ]

    assert [] == switched


def test_a_name_says_what_a_module_holds() -> None:
    """No module is a drawer for whatever fits nowhere else, and none carries its history."""
    vague = [
        _name(path)
        for path in SOURCES
        if path.stem in VAGUE or re.search(r"_(v\d+|old|new|extended)$", path.stem)
    ]

    assert [] == vague


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
    assert [] == _loaded(HEAVY, statement)


def test_an_editor_is_imported_without_what_loads_models() -> None:
    """Libraries of models and of fits are imported when the first model is loaded or fitted."""
    everything = "from imagic_lora import *"

    assert [] == _loaded(("diffusers", "transformers", "peft"), everything)


def _loaded(packages: Sequence[str], statement: str) -> list[str]:
    """Return which packages a statement imports in an interpreter of its own."""
    program = (
        f"import json, runpy, sys\ntry:\n    {statement}\nexcept SystemExit as end:\n"
        f"    assert not end.code\n"
        f"print(json.dumps([name for name in {tuple(packages)} if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert 0 == done.returncode, done.stderr
    loaded: list[str] = json.loads(done.stdout.splitlines()[-1])
    return loaded

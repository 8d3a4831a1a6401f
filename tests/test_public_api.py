import re
from pathlib import Path

import pytest

import imagic_lora

NAMES = [
    "Adapter",
    "AdapterError",
    "AdapterFileError",
    "AdapterMismatchError",
    "AlphaRange",
    "AlphaSearch",
    "DeviceError",
    "Edit",
    "EditRequest",
    "EditSettings",
    "Edits",
    "FitError",
    "FitSettings",
    "Frame",
    "HubError",
    "ImageError",
    "ImagicEditor",
    "ImagicError",
    "ImagicWarning",
    "InputError",
    "Jobs",
    "JobsError",
    "Labelled",
    "MemoryPlan",
    "MissingExtraError",
    "ModelError",
    "OutputError",
    "PictureScorer",
    "Progress",
    "PromptError",
    "Pull",
    "RunReport",
    "SamplingError",
    "SamplingSettings",
    "SettingsError",
    "StopFit",
    "Variation",
    "WorkerSettings",
    "__version__",
    "describe_image",
    "export_lora",
    "read_jobs",
    "run",
    "save_sheet",
]
NAMED = [name for name in NAMES if name != "__version__"]


def test_the_public_names_are_these() -> None:
    """Nothing becomes public, or stops being so, by accident."""
    assert NAMES == imagic_lora.__all__
    assert sorted(NAMES) == NAMES
    assert NAMES == dir(imagic_lora)


@pytest.mark.parametrize("name", NAMED)
def test_every_public_name_is_there(name: str) -> None:
    """Each name leads to the class or function of that name."""
    assert name == getattr(imagic_lora, name).__name__


@pytest.mark.parametrize("name", NAMED)
def test_everything_public_is_documented(name: str) -> None:
    """Each public class and function says what it is, in words of its own."""
    documentation = getattr(imagic_lora, name).__doc__

    assert documentation
    assert not documentation.startswith(f"{name}(")


def test_an_unknown_name_is_an_attribute_error() -> None:
    """Asking for what is not there fails as in any module."""
    with pytest.raises(AttributeError, match="module 'imagic_lora' has no attribute 'Fit'"):
        imagic_lora.Fit  # noqa: B018


def test_the_version_is_the_projects() -> None:
    """The installed version is the one that the project declares."""
    project = (Path(__file__).parents[1] / "pyproject.toml").read_text()

    assert [imagic_lora.__version__] == re.findall(r'(?m)^version = "(.+)"$', project)

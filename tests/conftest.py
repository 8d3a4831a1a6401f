"""How the tests are run: what they share is loaded, and the longest begin."""

import gc

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Load what tests share, which is heavy, but not in the process that only hands them out."""
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", default=None):
        gc.disable()  # until all is imported
        config.pluginmanager.import_plugin("tests.support.fixtures")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests, so that no process is left with one when the others are done."""
    items.sort(key=lambda item: not {"early", "slow"} & {mark.name for mark in item.iter_markers()})


def pytest_collection_finish() -> None:
    """Spare what was imported from every later search for garbage: it stays to the end."""
    gc.freeze()
    gc.enable()

from benchmarks.tables import by_name, number, percent, share
from imagic_lora.bench.tables import table


def test_columns_have_a_side_each() -> None:
    """The first is on the left; of the others the last letter counts for those that are left."""
    text = table(("name", "one", "two", "three"), [("a|b", "1", "2", "3")], "lr")

    assert ["| --- | --- | --: | --: |", "| a\\|b | 1 | 2 | 3 |"] == text.splitlines()[1:]


def test_what_is_known_of_a_row_becomes_cells() -> None:
    """Shares are written in percent, sizes in their unit, and what is missing as such."""
    rows = {"ours": {"rate": 0.254, "bytes": 2500}, "theirs": {"rate": None, "bytes": None}}

    text = by_name("method", rows, {"rate": share("rate"), "kB": number("bytes", 1, 1000)})

    assert ["| ours | 25 % | 2.5 |", "| theirs | - | 0.0 |"] == text.splitlines()[2:]
    assert "25.4 %" == percent(0.254, 1)

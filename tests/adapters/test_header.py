import json

import pytest

from imagic_lora import AdapterFileError
from imagic_lora.adapters.header import find_text

NAME = "settings"


def file(header: str) -> bytes:
    """Return a file of a header alone."""
    return len(header.encode()).to_bytes(8, "little") + header.encode()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('{"__metadata__":{"settings":"{}"}}', "{}"),
        ('{"__metadata__": {"a":"b", "settings" :\n "x"}, "t":{"shape":[1]}}', "x"),
        (r'{"__metadata__":{"a":"\\","settings":"\"\\"}}', '"\\'),
        (r'{"__metadata__":{"a":"\\\",\"settings\":\"y\\","settings":"猫😀"}}', "猫😀"),
        (r'{"__metadata__":{"sett\u0069ngs":"an escape"}}', "an escape"),
        ('{"__metadata__":{"settings":"first","settings":"last"}}', "last"),
        ('{"__metadata__":{"a":"settings","b":"settings"}}', None),
        ('{"__metadata__":{"other settings":"x"}}', None),
        ("{}", None),
        ("no JSON", None),
    ],
)
def test_a_text_is_found_as_json_means_it(header: str, expected: str | None) -> None:
    """Whatever stands in other texts, and however its name is written."""
    assert expected == find_text(file(header), NAME)


@pytest.mark.parametrize(
    "header",
    [
        '{"__metadata__":{"settings":1}}',
        '{"__metadata__":{"settings":{"a":"b"}}}',
        '{"__metadata__":{"settings":',
        '{"__metadata__":{"settings":"never ended',
        r'{"__metadata__":{"settings":"\x"}}',
        r'{"__metadata__":{"settings":"\ud800"}}',
        json.dumps({"settings": "x" * 8_000_001}),
    ],
)
def test_what_is_no_text_is_refused(header: str) -> None:
    """A number, an object, half a character, or what goes on for ever."""
    with pytest.raises(AdapterFileError, match="its header"):
        find_text(file(header), NAME)


def test_a_header_is_as_large_as_the_format_allows() -> None:
    """100 MB are looked through; one byte more is refused by its length."""
    size = 100_000_000

    with pytest.raises(AdapterFileError, match=f"has {size + 1} bytes"):
        find_text((size + 1).to_bytes(8, "little") + bytes(size + 1), NAME)

"""Durations and sizes: read from what people write, and written for people."""

import re

from imagic_lora.errors import SettingsError, quoted

_UNITS = {"": 1, "B": 1}
_UNITS.update({f"{letter}B": 1000 ** (n + 1) for n, letter in enumerate("KMGT")})
_UNITS.update({f"{letter}IB": 1024 ** (n + 1) for n, letter in enumerate("KMGT")})
_MOST_BYTES = 10**15
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")


def parse_size(size: str | int) -> int:
    """Return bytes from a size such as "8GB" (10^9 bytes each), "7.5 GiB" (2^30) or a number.

    Args:
        size: The size.

    Raises:
        SettingsError: When it is no size, not above zero, or more than any device has.
    """
    match = _SIZE.fullmatch(str(size))
    unit = match.group(2).upper() if match else None
    if isinstance(size, bool) or match is None or unit not in _UNITS:
        raise SettingsError(
            f"The memory was {quoted(size)}, allowed is a size such as '8GB' or '7.5GiB', a number of "
            "bytes, or 'auto'."
        )
    found = float(match.group(1)) * _UNITS[unit]
    if not 1 <= found <= _MOST_BYTES:
        raise SettingsError(
            f"The memory was {quoted(size)}, allowed is a size above zero, and a million GB at most."
        )
    return int(found)


def gigabytes(size: float) -> str:
    """Return a size in gigabytes (10^9 bytes), rounded up to two decimals, e.g. "3.85 GB"."""
    return f"{-(-size // 1e7) / 100:.2f} GB"


def seconds_text(seconds: float) -> str:
    """Return a duration in words, e.g. "2 min 5 s"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def bytes_text(count: int) -> str:
    """Return a number of bytes in words, in powers of ten, e.g. "1.2 GB"."""
    for power, unit in ((9, "GB"), (6, "MB"), (3, "kB")):
        value = count / 10**power
        if value >= 1:
            return f"{value:.{0 if value >= 10 else 1}f} {unit}"
    return f"{count} bytes"

"""Durations and sizes in words, for people."""


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

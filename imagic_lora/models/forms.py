"""The forms in which the weights of a part lie in a folder or a repository, told by file names.

A form is plain, or a variant such as "fp16", in one file or in several; a part may have more than
one. Knows no families and opens no file.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

_WEIGHTS = re.compile(
    r"(?:diffusion_pytorch_)?model(?:\.(?P<variant>[A-Za-z0-9_]+))?"
    r"(?:-(?P<number>\d+)-of-(?P<count>\d+))?(?:\.(?P<former>[A-Za-z0-9_]+))?\.safetensors"
)
PLAIN = ""
"""The form without a variant's name."""


def whole_forms(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the forms in which a part is there whole, each with its files.

    Args:
        names: Names of the files of the part.

    Returns:
        Files by the variant's name; of a form in one file and in several, the one file.
    """
    found: dict[str, dict[int, dict[int, str]]] = defaultdict(lambda: defaultdict(dict))
    for name in sorted(names):
        if read := _WEIGHTS.fullmatch(name):
            variant = read["variant"] or read["former"] or PLAIN
            found[variant][int(read["count"] or 1)][int(read["number"] or 1)] = name
    return {
        variant: tuple(files.values())
        for variant, splits in found.items()
        for count, files in sorted(splits.items(), reverse=True)
        if len(files) == count
    }


def choose_form(forms: Mapping[str, object], first: tuple[str, ...]) -> str | None:
    """Return which form to take: the first of the wanted that is there, else any; None if none is.

    Args:
        forms: What there is.
        first: Which forms are wanted before others.
    """
    return next((form for form in (*first, *sorted(forms)) if form in forms), None)

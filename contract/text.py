"""Text as it is written to files: names that are no UTF-8 (PEP 383) told apart, and JSON that a person can read."""

import json
import re
from collections.abc import Callable

_WHOLE_NUMBERS = re.compile(r"\[\n\s+((?:\d+,\n\s+)*\d+)\n\s+\]")


def is_writable(text: str) -> bool:
    """Whether `text` can be written to a UTF-8 file; one with a lone surrogate can't."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(text: str) -> str:
    r"""The same text, with what can't be written shown as an escape such as `\udcb2`."""
    return text.encode("utf-8", "backslashreplace").decode()


def as_json(value: object, default: Callable[[object], object] | None = None) -> str:
    """Indented JSON, with each list of whole numbers, such as a row of a confusion matrix, on one line."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=default)
    return _WHOLE_NUMBERS.sub(lambda found: "[" + re.sub(r"\s+", " ", found[1]) + "]", text) + "\n"


def counted(number: int, thing: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"

"""Pages of Markdown, taken apart: fences, inline code, sections and tables."""

import re
from pathlib import Path

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def fences(text: str, kind: str) -> list[str]:
    return [body for name, body in FENCE.findall(text) if name == kind]


def prose(text: str) -> str:
    """The text without its fences and its comments."""
    return re.sub(r"<!--.*?-->", "", FENCE.sub("", text), flags=re.DOTALL)


def spans(text: str) -> list[str]:
    """Inline code."""
    return SPAN.findall(prose(text))


def commands(text: str) -> list[str]:
    """Lines of shell, and inline code."""
    return [line for body in fences(text, "bash") for line in body.splitlines()] + spans(text)


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one of any level."""
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", prose(text), re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def rows(text: str) -> list[list[str]]:
    """The cells of tables, without their headings."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    rules = [number for number, row in enumerate(cells) if all(set(cell) <= set("-:") for cell in row)]
    return [row for number, row in enumerate(cells) if number not in rules and number + 1 not in rules]

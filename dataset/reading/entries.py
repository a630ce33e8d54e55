"""What a source of labelled images gives, and the words by which people call the splits."""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

SPLITS = ("train", "val", "test")
_WORDS = {
    "train": "train(?:ing)?|trn|训练",
    "val": "val(?:id|idation|idate|idating)?|dev(?:elopment)?|eval(?:uation)?|验证",
    "test": "test(?:s|ing)?|tst|测试",
}
# Around the word: seg_train, Train Data, test_images_2, x_train, val_resized, 训练集.
_AROUND = (
    "(?:seg|x|the|my|data(?:set)?|set|split|folder|images?|imgs?|pictures?|photos?|samples?|resized|cropped|new|final|"
    "集|数据|图片|图像|样本)*"
)
_SPLIT_NAMES = {split: re.compile(f"{_AROUND}(?:{words}){_AROUND}") for split, words in _WORDS.items()}
_NO_WIDTH = dict.fromkeys(map(ord, "\u200b\u2060\ufeff\u00ad"))


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One image file and its label. Entries that share a `group` must stay in one split."""

    path: Path
    label: str
    split: str | None = None
    group: str | None = None


@dataclass(frozen=True, kw_only=True)
class Source:
    """What was found: entries, sorted by path, and display names by label.

    `notes` say what was left out and how the input was understood, a short sentence each.
    """

    entries: list[Entry]
    notes: list[str]
    names: dict[str, str]


def split_of(name: str) -> str | None:
    """The split that a folder or a cell names in any usual word and spelling; None if it names none."""
    letters = re.sub(r"[\W\d_]", "", unicodedata.normalize("NFKC", name).casefold())
    return next((split for split, pattern in _SPLIT_NAMES.items() if pattern.fullmatch(letters)), None)


def as_label(name: str) -> str:
    """A class as it is compared and shown: composed (a Mac writes é as two characters), with single blanks.

    Blanks of no width, which come with text that is copied from web pages, are left out.
    """
    return " ".join(unicodedata.normalize("NFC", name).translate(_NO_WIDTH).split())


def has_controls(text: str) -> bool:
    """Whether `text` has control characters; the joiners that Persian or Hindi need are none."""
    return any(unicodedata.category(letter) == "Cc" for letter in text)

"""The bytes of a table or JSON file in, its text out, whatever program saved it."""

import codecs
from pathlib import Path

from dataset.errors import DataError

# In GB 2312, punctuation stands in these rows and the 3,755 characters of everyday use in those. Text of another
# encoding, read as GB18030, shows rarer ones.
_EVERYDAY_ROWS = {*range(0xA1, 0xA4), *range(0xB0, 0xD8)}


def read_text(path: Path) -> tuple[str, str]:
    """The text of a file as `decode_text` gives it. Raises `DataError`, also for a file that can't be opened."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} can't be read ({error.strerror}); expected a text file") from error
    return decode_text(data, path.name)


def decode_text(data: bytes, name: str) -> tuple[str, str]:
    """The text, and a note if it is not UTF-8. Raises `DataError` for an encoding that can't be told.

    UTF-8 with or without a byte order mark, UTF-16 with one (Excel's "Unicode text"), and GB18030, in which Excel on
    Chinese Windows saves a CSV.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _without_zeros(_strict(data, "utf-16", name), name), f"{name} was read as UTF-16"
    try:
        return _without_zeros(data.decode("utf-8-sig"), name), ""
    except UnicodeDecodeError:
        text = _strict(data, "gb18030", name)
    if not _is_chinese(text):
        raise _unknown(name)
    return text, f"{name} was read as GB18030, the encoding of Chinese Windows"


def _without_zeros(text: str, name: str) -> str:
    """The text, refused where zeros lie between its letters: UTF-16 without a mark, or UTF-32."""
    if 4 * text.count("\0") > len(text):
        raise _unknown(name)
    return text


def _strict(data: bytes, encoding: str, name: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise _unknown(name) from None


def _is_chinese(text: str) -> bool:
    foreign = [letter for letter in text if ord(letter) > 127]
    return 2 * sum(_is_common(letter) for letter in foreign) > len(foreign)


def _is_common(letter: str) -> bool:
    return letter.encode("gb2312", "replace")[0] in _EVERYDAY_ROWS


def _unknown(name: str) -> DataError:
    return DataError(f"{name} is in an encoding that can't be told; save it as UTF-8 (in Excel: CSV UTF-8)")

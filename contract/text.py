"""Text that can be written as UTF-8, told from text that can't: a file name's bytes in another encoding (PEP 383)."""


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

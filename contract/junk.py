"""Files and folders that no one means as data: what systems, notebooks and network drives leave behind."""

from pathlib import PurePath

_NAMES = {
    *("thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information"),  # Windows
    *("__macosx", "icon\r"),  # macOS
    *("@eadir", "#recycle", "#snapshot", "@recycle", "@tmp"),  # network drives of Synology and QNAP
    *("__pycache__", "lost+found"),
}


def is_junk(path: PurePath) -> bool:
    """Whether any part of `path`, which is relative to the folder that the user named, is junk or hidden."""
    return any(part.startswith(".") or part.lower() in _NAMES for part in path.parts)

"""Files and folders that no one means as data: what systems, notebooks and network drives leave behind."""

from pathlib import PurePath

_NAMES = {
    *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "picasa.ini"),  # Windows
    *("$recycle.bin", "recycler", "recycled", "system volume information", "found.000"),
    *("__macosx", "icon\r", "network trash folder", "temporary items"),  # macOS
    *("@eadir", "#recycle", "#snapshot", "@recycle", "@tmp", "@recently-snapshot"),  # drives of Synology and QNAP
    *("__pycache__", "lost+found", "lost.dir"),
}
# Word's and Excel's locks; what Windows and Synology keep about a file, as a file beside it.
_STARTS = (".", "~$")
_ENDS = (":zone.identifier", "@synoeastream", "@synoresource")


def is_junk(path: PurePath) -> bool:
    """Whether any part of `path`, which is relative to the folder that the user named, is junk or hidden."""
    return any(_is_junk(part.lower()) for part in path.parts)


def _is_junk(part: str) -> bool:
    return part in _NAMES or part.startswith(_STARTS) or part.endswith(_ENDS)

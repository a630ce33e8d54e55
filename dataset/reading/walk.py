"""One pass over a folder: folders in, what lies in them out; nothing but junk is passed over in silence."""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contract.junk import is_junk
from contract.text import printable
from dataset.errors import DataError

# What lies beside pictures. It decides only how the folders are understood: in a class, every file is a picture.
_DOCUMENTS = {
    *(".txt", ".md", ".rst", ".html", ".htm", ".pdf", ".doc", ".docx", ".csv", ".tsv", ".xls", ".xlsx", ".ods"),
    *(".json", ".xml", ".yaml", ".yml", ".ini", ".py", ".ipynb", ".m", ".mat", ".npy", ".npz", ".pkl", ".log"),
    *(".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".rar", ".7z", ".md5", ".sha256"),
}


def is_document(path: Path) -> bool:
    """Whether the name says that it is no picture, such as readme, labels.csv or archive.zip."""
    return path.suffix.lower() in _DOCUMENTS or path.name.lower() in {"readme", "license", "licence"}


@dataclass
class Walk:
    """One pass over a folder: what can't be read is collected, and so is what is left out."""

    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    _seen: dict[Path, tuple[list[Path], list[Path]]] = field(default_factory=dict)

    def children(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """Folders and files in `folder`, without junk, sorted; links are followed."""
        if folder not in self._seen:
            self._seen[folder] = self._read(folder)
        return self._seen[folder]

    def _read(self, folder: Path) -> tuple[list[Path], list[Path]]:
        folders: list[Path] = []
        files: list[Path] = []
        for path in self._listed(folder):
            if is_junk(Path(path.name)):
                continue
            try:
                mode = path.stat().st_mode
            except OSError as error:
                dangling = os.path.islink(path) and error.errno in (errno.ENOENT, errno.ELOOP)
                self.problems.append(
                    f"{path} is a link that leads nowhere" if dangling else f"{path}: {error.strerror}"
                )
                continue
            if stat.S_ISDIR(mode):
                folders.append(path)
            elif stat.S_ISREG(mode):
                files.append(path)
            else:
                self.problems.append(f"{path} is no file")
        return folders, files

    def pictures(self, folder: Path) -> list[Path]:
        """The files straight in `folder`, without those whose ending says that they are no pictures."""
        return [path for path in self.children(folder)[1] if not is_document(path)]

    def _listed(self, folder: Path) -> list[Path]:
        try:
            return sorted(folder.iterdir())
        except OSError as error:
            self.problems.append(f"{folder}: {error.strerror}")
            return []

    def files(self, folder: Path, above: Sequence[Path] = ()) -> Iterator[Path]:
        """Every file below `folder`; a link to a folder that it lies in is left out."""
        if folder.resolve() in above:
            self.notes.append(f"{folder} leads back to a folder that holds it, and was left out")
            return
        folders, files = self.children(folder)
        yield from files
        for inner in folders:
            yield from self.files(inner, [*above, folder.resolve()])

    def raise_for_problems(self) -> None:
        """Raise one `DataError` that lists what can't be read."""
        if self.problems:
            more = f"; … and {len(self.problems) - 20} more" if len(self.problems) > 20 else ""
            raise DataError(f"{printable('; '.join(self.problems[:20]))}{more}. Repair or remove them")

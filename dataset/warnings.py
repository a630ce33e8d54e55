"""Split entries in, warnings out: what makes the figures of a model of these images wrong."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from dataset.pictures.inspection import describe_unreadable, shorten
from dataset.reading.entries import Entry
from dataset.splits import absences


def warnings_about(
    entries: Sequence[Entry], hashes: Sequence[str], clusters: Sequence[int], unreadable: Mapping[Path, str]
) -> list[str]:
    """Those about the images. `hashes` and `clusters` are those of the entries; `unreadable` files were left out."""
    return _told(
        {
            "Unreadable files were skipped": describe_unreadable(unreadable),
            "The same image is in several classes, so a label is wrong": _differing(entries, hashes, "label"),
            "Images of one object are in several of the splits that were given, which makes the measured accuracy too "
            "high. The test figure is also given without them": _differing(entries, clusters, "split"),
        }
    )


def warnings_about_split(entries: Sequence[Entry], clusters: Sequence[int]) -> list[str]:
    """Those about what is held out once; folds, which hold out every image, make them void."""
    warnings = _told(
        {
            "Some classes are not in every split, as the images of one object stay together; no figure there stands "
            "for them. Add images of other objects, or leave these classes out with MIN_IMAGES=": absences(
                entries, clusters
            )
        }
    )
    if not any(entry.split == "test" for entry in entries):
        warnings.append(
            "There is no test split. The best epoch is chosen on the validation images, so their accuracy "
            "is a little too high."
        )
    return warnings


def _told(found: Mapping[str, Sequence[str]]) -> list[str]:
    return [f"{what} ({len(lines)}):\n{shorten(lines)}" for what, lines in found.items() if lines]


def _differing(entries: Sequence[Entry], keys: Sequence[object], attribute: str) -> list[str]:
    """A line for each set of entries with the same key whose `attribute` differs."""
    same: dict[object, list[Entry]] = defaultdict(list)
    for entry, key in zip(entries, keys, strict=True):
        same[key].append(entry)
    return [
        " = ".join(f"{entry.path} ({entry.split}, {entry.label})" for entry in found)
        for found in same.values()
        if len({getattr(entry, attribute) for entry in found}) > 1
    ]

"""A bundle, and pictures if there are any, in; a corpus out: files of every size, and the bundle's answers for them."""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from benchmarks.load.corpus import Entry, write_index
from contract import ImageError, UsageError, decode_image, preprocess
from contract.golden import read_golden
from contract.junk import is_junk
from contract.labels import by_label
from runtime import Model

# Shorter side and longer side, in pixels: a thumbnail, a web camera, a screen, a telephone.
SIZES = {"256 px": (256, 256), "640x480": (480, 640), "1080p": (1080, 1920), "12 MP": (3000, 4000)}
PER_SIZE = 4
QUALITY = 90


def write_corpus(
    model: Model, bundle: Path, sources: Path | None, folder: Path, names: Sequence[str] = ()
) -> list[Entry]:
    """Write JPEGs of the sizes in `names`, or without any of the model's own size, and their answers into `folder`.

    They are made from the pictures in `sources`, or from the bundle's golden files. Raises `UsageError` if there are
    none.
    """
    folder.mkdir(parents=True)
    resize = model.manifest.image.resize
    sizes = {name: SIZES[name] for name in names} or {f"{resize} px": (resize, resize)}
    pictures = _read_sources(bundle, sources)
    entries: list[Entry] = []
    for size, (shorter, longer) in sizes.items():
        for number in range(PER_SIZE):
            name = f"{len(entries):03}.jpg"
            data = _encode(pictures[number % len(pictures)], shorter, longer)
            (folder / name).write_bytes(data)
            entries.append(Entry(file=name, size=size, answer=_answer(model, data)))
    write_index(entries, folder)
    return entries


def _read_sources(bundle: Path, sources: Path | None) -> list[Image.Image]:
    if sources is None:
        paths = [bundle / golden.file for golden in read_golden(bundle)]
    else:
        kinds = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".avif", ".bmp"}
        paths = sorted(
            path
            for path in sources.rglob("*")
            if path.suffix.lower() in kinds and not is_junk(path.relative_to(sources))
        )
    if not paths:
        raise UsageError(f"{sources} has no images; expected JPEG, PNG, WebP, HEIC, AVIF or BMP files")
    return [_read_source(path) for path in paths[:PER_SIZE]]


def _read_source(path: Path) -> Image.Image:
    try:
        return decode_image(path.read_bytes())
    except ImageError as error:
        raise UsageError(f"{path} can't be used: {error}") from error


def _encode(picture: Image.Image, shorter: int, longer: int) -> bytes:
    """A JPEG of `longer` by `shorter` px, lying or standing as the picture is."""
    size = (longer, shorter) if picture.width >= picture.height else (shorter, longer)
    file = io.BytesIO()
    picture.resize(size, Image.Resampling.BICUBIC).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _answer(model: Model, data: bytes) -> dict[str, float]:
    probabilities = model.run(preprocess(data, model.manifest.image)[None]).probabilities[0]
    return by_label(model.predictions(probabilities, len(model.manifest.classes)))

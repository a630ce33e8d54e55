import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from contract import Adjustment, ImageSpec, Manifest, ManifestError
from contract.manifest import MANIFEST_FILE
from runtime import load_model

SPEC = asdict(ImageSpec(size=32, resize=33))


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    """The bundle, to be tampered with."""
    return shutil.copytree(bundle, tmp_path / "bundle")


def edit(folder: Path, **changes: object) -> None:
    path = folder / MANIFEST_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_read_returns_what_was_written(copy: Path, tmp_path: Path) -> None:
    manifest = Manifest.read(copy)
    manifest.write(tmp_path)
    assert Manifest.read(tmp_path) == manifest


def test_manifest_names_classes_in_any_language(bundle: Path) -> None:
    classes = Manifest.read(bundle).classes
    assert [(entry.label, entry.display_name) for entry in classes] == [
        ("blue", "蓝色"),
        ("grün", "绿色"),
        ("red", "红色"),
    ]


def test_read_refuses_a_folder_without_manifest(copy: Path) -> None:
    (copy / MANIFEST_FILE).unlink()
    with pytest.raises(ManifestError, match=r"is not a bundle: it has no manifest\.json; export the run first"):
        Manifest.read(copy)


def test_read_refuses_a_half_written_manifest(copy: Path) -> None:
    text = (copy / MANIFEST_FILE).read_text()
    (copy / MANIFEST_FILE).write_text(text[: len(text) // 2])
    with pytest.raises(ManifestError, match="not valid JSON"):
        Manifest.read(copy)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 6}, "format version 6; expected 1 to 5"),
        ({"format_version": 1}, "missing or unknown entries: adjustment, certificates, exported_at, sources"),
        ({"format_version": 3}, "missing or unknown entries: adjustment, certificates, sources"),
        ({"format_version": 4}, "missing or unknown entries: certificates"),
        (
            {"adjustment": {"tau": 1.0, "prior": [0.5, 0.0]}},
            "malformed entry .*expected a share above 0 for each class",
        ),
        ({"adjustment": {"tau": 1.0, "weight": 2}}, "malformed entry"),
        ({"exported_at": "today"}, "malformed entry"),
        ({"exported_at": "2026-11-26T12:00:00"}, "malformed entry .*no time zone"),
        ({"novelty": 1}, "missing or unknown entries: novelty"),
        ({"classes": [{"label": "a"}]}, "malformed entry"),
        ({"image": {}}, "malformed entry"),
        ({"image": {**SPEC, "depth": 17}}, "malformed entry .*depth is 17; expected a whole number from 8 to 16"),
        ({"image": {**SPEC, "blur": 1}}, "missing or unknown entries: blur"),
    ],
)
def test_read_refuses_what_it_does_not_understand(copy: Path, changes: dict[str, object], message: str) -> None:
    edit(copy, **changes)
    with pytest.raises(ManifestError, match=message):
        Manifest.read(copy)


def test_read_refuses_json_that_is_no_object(copy: Path) -> None:
    (copy / MANIFEST_FILE).write_text("[]")
    with pytest.raises(ManifestError, match="is not a JSON object"):
        Manifest.read(copy)


def test_a_bundle_of_the_second_format_keeps_its_pixels(copy: Path) -> None:
    values = json.loads((copy / MANIFEST_FILE).read_text())
    for name in ("depth", "contrast", "decoding"):
        del values["image"][name]
    for name in ("adjustment", "sources", "certificates"):
        del values[name]
    (copy / MANIFEST_FILE).write_text(json.dumps({**values, "format_version": 2}))
    manifest = Manifest.read(copy)
    assert (manifest.image.depth, manifest.image.contrast, manifest.image.decoding) == (16, "none", 1)
    assert (manifest.adjustment, manifest.sources, manifest.certificates) == (Adjustment(), {}, ())


def test_a_bundle_of_the_first_format_is_still_a_bundle(old_bundle: Path) -> None:
    manifest = Manifest.read(old_bundle)
    manifest.verify_files(old_bundle)
    assert (manifest.format_version, manifest.exported_at) == (1, None)
    assert load_model(old_bundle).golden_disagreement < 1


def test_verify_lists_every_changed_and_missing_file(copy: Path) -> None:
    (copy / "model.pt").unlink()
    with (copy / "model.onnx").open("r+b") as file:
        file.seek(1000)
        file.write(b"!")
    with pytest.raises(ManifestError, match=r"model.pt is missing, model.onnx is changed; export it again"):
        Manifest.read(copy).verify_files(copy)


def test_verify_accepts_the_bundle(bundle: Path) -> None:
    Manifest.read(bundle).verify_files(bundle)

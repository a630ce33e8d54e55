"""Which bundles of a folder are served: what is there, and what labels.json says."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from contract import ManifestError, UserError
from serve.models.repository import Labels, Repository
from tests.serve.versions import add_version


@pytest.fixture
def folder(bundle: Path, tmp_path: Path) -> Path:
    """Two versions of one model, the second one newer, and a run with another's bundle."""
    for version in ("one", "two"):
        add_version(bundle, tmp_path, "leaf", version)
    add_version(bundle, tmp_path / "run", "weld", "nine").rename(tmp_path / "run" / "bundle")
    add_version(bundle, tmp_path / ".half", "hidden", "one")
    return tmp_path


def plan(folder: Path, labels: Mapping[str, Any] | None = None) -> dict[str, Labels]:
    if labels is not None:
        (folder / "labels.json").write_text(json.dumps(labels))
    repository = Repository(folder)
    return repository.plan(repository.scan())


def test_bundles_are_found_in_folders_of_folders_and_hidden_ones_are_not(folder: Path) -> None:
    catalog = Repository(folder).scan()
    assert {name: set(versions) for name, versions in catalog.items()} == {"leaf": {"one", "two"}, "weld": {"nine"}}


def test_what_was_exported_last_is_stable_unless_labels_say_otherwise(folder: Path) -> None:
    assert plan(folder) == {"leaf": Labels(stable="two"), "weld": Labels(stable="nine")}
    given = {"leaf": {"stable": "one", "canary": "two", "mirror": 0.5}, "weld": None}
    assert plan(folder, given) == {"leaf": Labels(stable="one", canary="two", mirror=0.5)}


def test_a_plain_copy_does_not_change_which_version_is_the_newest(folder: Path) -> None:
    plainly_copied = shutil.copytree(folder / "leaf-one", folder / "copy", copy_function=shutil.copy)
    shutil.rmtree(folder / "leaf-one")
    assert (plainly_copied / "manifest.json").stat().st_mtime > (folder / "leaf-two" / "manifest.json").stat().st_mtime
    assert plan(folder)["leaf"] == Labels(stable="two")


def test_of_bundles_in_the_first_format_the_file_written_last_is_the_newest(old_bundle: Path, tmp_path: Path) -> None:
    for number, version in enumerate(("two", "one")):
        copy = shutil.copytree(old_bundle, tmp_path / version)
        manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
        (copy / "manifest.json").write_text(json.dumps({**manifest, "version": version}), encoding="utf-8")
        os.utime(copy / "manifest.json", (1000 + number, 1000 + number))
    assert plan(tmp_path)["tiny"] == Labels(stable="one")


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        ({"leaf": {"stable": "three"}}, r"leaf has no version three to use as stable; available versions: one, two"),
        ({"leaf": {"stable": "two", "canary": "x"}}, r"leaf has no version x to use as canary"),
        ({"leaf": {"stable": "two", "canary": "two"}}, r"version two of leaf can't be both stable and canary"),
        ({"other": {"stable": "1"}}, r"other has no version 1 to use as stable; available versions: none"),
        ({"leaf": {"stable": "two", "mirror": 2}}, r"labels.json is not valid: leaf.mirror: .* less than or equal"),
        ({"leaf": {"stabel": "two"}}, r"labels.json is not valid: leaf.stable: Field required"),
        ({"leaf": {"stable": "two", "mirror": 0.5}}, r"leaf has a mirror but no canary"),
        ([], r"labels.json is not valid: the file: Input should be"),
    ],
)
def test_labels_that_make_no_sense_are_refused(folder: Path, labels: Any, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        plan(folder, labels)


def test_labels_that_were_kept_hold_and_the_others_stay(folder: Path) -> None:
    repository = Repository(folder)
    repository.keep({"leaf": Labels(stable="one", canary="two", mirror=0.1)})
    repository.keep({"weld": None})
    assert plan(folder) == {"leaf": Labels(stable="one", canary="two", mirror=0.1)}


def test_a_version_that_is_there_twice_is_refused(folder: Path, bundle: Path) -> None:
    add_version(bundle, folder, "leaf", "one", folder="copy")
    with pytest.raises(ManifestError, match=r"copy and .*leaf-one are both leaf, version one; remove one of them"):
        Repository(folder).scan()


def test_a_bundle_that_can_not_be_read_is_left_out_with_a_word(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "junk").mkdir()
    (folder / "junk" / "manifest.json").write_text("{")
    assert set(Repository(folder).scan()) == {"leaf", "weld"}
    assert "junk/manifest.json is not valid JSON" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["folder", "not UTF-8", "a list"])
def test_whatever_a_manifest_is_the_others_are_found(
    folder: Path, wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "odd").mkdir()
    manifest = folder / "odd" / "manifest.json"
    if wrong == "folder":
        manifest.mkdir()
    else:
        manifest.write_bytes(b"\xff" if wrong == "not UTF-8" else b"[]")
    assert "leaf" in Repository(folder).scan()
    assert capsys.readouterr().err.count("this bundle is not served") == 1


def test_a_folder_without_bundles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"has no bundle; expected folders that contain a manifest.json"):
        Repository(tmp_path).scan()
    with pytest.raises(ManifestError, match=r"is not a folder"):
        Repository(tmp_path / "missing").scan()


def test_a_single_bundle_is_stable_and_has_no_labels(bundle: Path) -> None:
    repository = Repository(bundle, single=True)
    (name,) = repository.plan(repository.scan())
    repository.keep({name: None})
    assert list(repository.plan(repository.scan())) == ["tiny"]
    assert not (bundle / "labels.json").exists()

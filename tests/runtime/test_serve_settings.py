"""What make tune writes is taken for its own bundle on its own machine, and for nothing else."""

from pathlib import Path

import pytest

from contract import UserError
from runtime import serve_settings
from runtime.serve_settings import ServeSettings, read_settings, write_settings

SETTINGS = ServeSettings(provider="cpu", precision="int8", runners=2, threads=1, max_batch=4)


@pytest.fixture
def written(bundle: Path, tmp_path: Path) -> Path:
    write_settings(SETTINGS, bundle, tmp_path / "serve.toml")
    return tmp_path / "serve.toml"


def test_what_was_written_is_read(bundle: Path, written: Path) -> None:
    assert read_settings(written, bundle) == SETTINGS


def test_a_processor_with_odd_signs_in_its_name_is_no_hindrance(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve_settings, "processor", lambda: 'a "Xeon" \\ 8')
    write_settings(SETTINGS, bundle, tmp_path / "serve.toml")
    assert read_settings(tmp_path / "serve.toml", bundle) == SETTINGS


def test_another_machine_is_told(bundle: Path, written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve_settings, "processor", lambda: "Another")
    with pytest.raises(UserError, match=r"made for something else \(processor was .*, here Another\).*make tune"):
        read_settings(written, bundle)


def test_another_bundle_is_told(written: Path, fast_bundle: Path) -> None:
    with pytest.raises(UserError, match=r"made for something else \(manifest_sha256 was"):
        read_settings(written, fast_bundle)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("runners = 2", "runners = 0", "runners must be 1 or more"),
        ("threads = 1", "threads = 1.5", "threads must be 1 or more"),
        ("max_batch = 4", "batch = 4", "missing or unknown entries: batch, max_batch"),
        ("max_batch = 4", "max_batch = ", "can't be read"),
        ("[made_for]", "[made]", "made for something else"),
    ],
)
def test_what_a_hand_has_spoilt_is_told(bundle: Path, written: Path, old: str, new: str, said: str) -> None:
    written.write_text(written.read_text().replace(old, new))
    with pytest.raises(UserError, match=said):
        read_settings(written, bundle)


def test_a_file_that_is_not_there_is_told(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.toml can't be read"):
        read_settings(tmp_path / "none.toml", bundle)

"""Pictures for a load test, of a folder as people have it."""

import re
from pathlib import Path

import pytest

from benchmarks.load.corpus_writer import PER_SIZE, write_corpus
from contract import UsageError
from runtime import load_model


def test_files_that_a_mac_leaves_are_left_out(bundle: Path, tmp_path: Path, red_jpeg: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(red_jpeg)
    (tmp_path / "._a.jpg").write_bytes(b"\0\5\x16\7")
    entries = write_corpus(load_model(bundle), bundle, tmp_path, tmp_path / "corpus")
    assert len(entries) == PER_SIZE


def test_a_picture_that_can_not_be_read_is_named(bundle: Path, tmp_path: Path, red_jpeg: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(red_jpeg)
    (tmp_path / "b.jpg").write_bytes(red_jpeg[:100])
    with pytest.raises(UsageError, match=f"^{re.escape(str(tmp_path / 'b.jpg'))} can't be used: "):
        write_corpus(load_model(bundle), bundle, tmp_path, tmp_path / "corpus")
    with pytest.raises(UsageError, match="has no images"):
        write_corpus(load_model(bundle), bundle, tmp_path / "corpus", tmp_path / "again")

"""How a model is run best here: measured once, kept, and measured again when something has changed."""

import json
from pathlib import Path

import pytest

from runtime.machine import cores
from runtime.tuning import Tuning, TuningRequest, sizes, tuned_model


@pytest.fixture
def linked(bundle: Path, tmp_path: Path) -> Path:
    """The bundle, beside which nothing is kept yet."""
    (tmp_path / "runs").mkdir()
    folder = tmp_path / "runs" / "bundle"
    folder.mkdir()
    for path in bundle.iterdir():
        (folder / path.name).symlink_to(path)
    return folder


def kept(folder: Path) -> Path:
    return folder.parent / "bundle.tuning.json"


def test_a_measurement_is_kept_for_the_next_start(linked: Path) -> None:
    _, first, known = tuned_model(linked, TuningRequest())
    _, second, known_again = tuned_model(linked, TuningRequest())
    assert (known, known_again) == (False, True)
    assert first == second
    assert first.runners * first.threads == cores()
    assert set(first.batch_s) <= {1, 2, 4, 8}
    assert all(seconds > 0 for seconds in first.batch_s.values())


def test_another_request_is_measured_anew(linked: Path) -> None:
    tuned_model(linked, TuningRequest())
    _, tuning, known = tuned_model(linked, TuningRequest(runners=2, threads=1, max_batch=3))
    assert not known
    assert (tuning.runners, tuning.threads) == (2, 1)
    assert max(tuning.batch_s) <= 3


@pytest.mark.parametrize("text", ["", "null", "{}", '{"for": {}}', "not json", '{"runners": 1}'])
def test_a_file_that_says_something_else_is_written_anew(linked: Path, text: str) -> None:
    kept(linked).write_text(text)
    _, tuning, known = tuned_model(linked, TuningRequest(max_batch=1))
    assert not known
    assert json.loads(kept(linked).read_text())["batch_s"] == {"1": tuning.batch_s[1]}


@pytest.mark.parametrize(
    "nonsense",
    [
        {"runners": 0},
        {"threads": -1},
        {"runners": 1e400},
        {"batch_s": {}},
        {"batch_s": {"0": 0.1}},
        {"batch_s": {"1": -0.1}},
        {"batch_s": {"1": float("nan")}},
        {"batch_s": {"2": 0.1}},
        {"batch_s": {"1": 0.1, "999": 0.1}},
    ],
)
def test_numbers_that_make_no_sense_are_written_anew(linked: Path, nonsense: dict[str, object]) -> None:
    tuned_model(linked, TuningRequest(max_batch=1))
    kept(linked).write_text(json.dumps({**json.loads(kept(linked).read_text()), **nonsense}))
    _, tuning, known = tuned_model(linked, TuningRequest(max_batch=1))
    assert not known
    assert set(tuning.batch_s) == {1}


def test_a_bundle_of_the_same_version_with_other_files_is_measured_anew(linked: Path) -> None:
    tuned_model(linked, TuningRequest(max_batch=1))
    manifest = linked / "manifest.json"
    changed = {**json.loads(manifest.read_text()), "temperature": 7.0}
    manifest.unlink()
    manifest.write_text(json.dumps(changed))
    assert not tuned_model(linked, TuningRequest(max_batch=1))[2]


def test_a_folder_that_cant_be_written_is_told_and_no_hindrance(
    linked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(linked).mkdir()
    tuned_model(linked, TuningRequest(max_batch=1))
    assert "Could not save the measurement (Is a directory" in capsys.readouterr().out


def test_sizes_are_powers_of_two_and_the_largest() -> None:
    assert (sizes(1), sizes(8), sizes(12)) == ([1], [1, 2, 4, 8], [1, 2, 4, 8, 12])


def test_larger_batches_must_pay() -> None:
    no_gain = Tuning(runners=1, threads=2, batch_s={1: 0.500, 2: 0.998, 4: 1.990, 8: 3.970})
    assert set(no_gain.without_idle_sizes().batch_s) == {1}
    small = Tuning(runners=1, threads=2, batch_s={1: 0.005, 2: 0.010, 4: 0.020, 8: 0.040})
    assert set(small.without_idle_sizes().batch_s) == {1, 2, 4, 8}, "the server's own cost is shared by a batch"
    gain = Tuning(runners=1, threads=2, batch_s={1: 0.100, 2: 0.150, 4: 0.250, 8: 0.510})
    assert set(gain.without_idle_sizes().batch_s) == {1, 2, 4}


@pytest.mark.parametrize(
    ("wanted", "ways"),
    [
        (TuningRequest(), [(1, cores()), (cores(), 1)]),
        (TuningRequest(threads=cores()), [(1, cores())]),
        (TuningRequest(threads=1), [(1, 1), (cores(), 1)]),
        (TuningRequest(runners=3, threads=2), [(3, 2)]),
        (TuningRequest(provider="cuda"), [(1, cores())]),
    ],
)
def test_streams_of_one_thread_are_tried_where_the_processor_computes(
    wanted: TuningRequest, ways: list[tuple[int, int]]
) -> None:
    assert wanted.ways == list(dict.fromkeys(ways))

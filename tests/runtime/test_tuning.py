"""How a model is run best here: measured once, kept, and measured again when something has changed."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from contract import Manifest
from contract.golden import GoldenError
from runtime import modes, tuning
from runtime.machine import cores
from runtime.modes import REFERENCE, Mode
from runtime.providers import Precision
from runtime.tuning import Tuning, TuningRequest, fastest, sizes, tuned_model
from tests.fast_bundle import render_differently


@pytest.fixture
def linked(bundle: Path, tmp_path: Path) -> Path:
    """The bundle, beside which nothing is kept yet."""
    (tmp_path / "runs").mkdir()
    folder = tmp_path / "runs" / "bundle"
    folder.mkdir()
    for path in bundle.iterdir():
        (folder / path.name).symlink_to(path)
    return folder


# One way is enough where it does not matter what was measured.
QUICK = TuningRequest(runners=1, threads=1, max_batch=1)


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


def test_a_measurement_may_be_kept_elsewhere_for_bundles_of_the_same_name(linked: Path, tmp_path: Path) -> None:
    cache = tmp_path / "new" / "cache"
    assert [tuned_model(linked, QUICK, cache)[2] for _ in range(2)] == [False, True]
    assert [path.name.startswith("bundle-") for path in cache.iterdir()] == [True]
    assert not kept(linked).exists()


def test_another_request_is_measured_anew(linked: Path) -> None:
    tuned_model(linked, TuningRequest())
    _, found, known = tuned_model(linked, TuningRequest(runners=2, threads=1, max_batch=3))
    assert not known
    assert (found.runners, found.threads) == (2, 1)
    assert max(found.batch_s) <= 3


@pytest.mark.parametrize("text", ["", "null", "{}", '{"for": {}}', "not json", '{"runners": 1}'])
def test_a_file_that_says_something_else_is_written_anew(linked: Path, text: str) -> None:
    kept(linked).write_text(text)
    _, found, known = tuned_model(linked, QUICK)
    assert not known
    assert json.loads(kept(linked).read_text())["batch_s"] == {"1": found.batch_s[1]}


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
    tuned_model(linked, QUICK)
    kept(linked).write_text(json.dumps({**json.loads(kept(linked).read_text()), **nonsense}))
    _, found, known = tuned_model(linked, QUICK)
    assert not known
    assert set(found.batch_s) == {1}


def test_a_bundle_of_the_same_version_with_other_files_is_measured_anew(linked: Path) -> None:
    tuned_model(linked, QUICK)
    manifest = linked / "manifest.json"
    changed = {**json.loads(manifest.read_text()), "temperature": 7.0}
    manifest.unlink()
    manifest.write_text(json.dumps(changed))
    assert not tuned_model(linked, QUICK)[2]


def test_a_folder_that_cant_be_written_is_told_and_no_hindrance(
    linked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept(linked).mkdir()
    tuned_model(linked, QUICK)
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
    ("wanted", "mode", "ways"),
    [
        (TuningRequest(), REFERENCE, [(1, cores()), (cores(), 1)]),
        (TuningRequest(), Mode("openvino", "int8"), [(1, cores()), (cores(), 1)]),
        (TuningRequest(threads=cores()), REFERENCE, [(1, cores())]),
        (TuningRequest(threads=1), REFERENCE, [(1, 1), (cores(), 1)]),
        (TuningRequest(runners=3, threads=2), REFERENCE, [(3, 2)]),
        (TuningRequest(), Mode("cuda"), [(1, cores())]),
    ],
)
def test_streams_of_one_thread_are_tried_where_the_processor_computes(
    wanted: TuningRequest, mode: Mode, ways: list[tuple[int, int]]
) -> None:
    assert wanted.ways(mode) == list(dict.fromkeys(ways))


@pytest.fixture
def fast(fast_bundle: Path, tmp_path: Path) -> Path:
    """A copy of the bundle with a certificate, beside which nothing is kept yet."""
    return Path(shutil.copytree(fast_bundle, tmp_path / "fast" / "bundle"))


def plant_speeds(patch: pytest.MonkeyPatch, **images_s: float) -> None:
    patch.setattr(tuning, "_speed", lambda model: images_s[model.session.mode.precision])


@pytest.mark.parametrize(("int8", "chosen"), [(400.0, "int8"), (50.0, "fp32")])
def test_auto_is_the_fastest_admitted_mode_and_never_a_slower_one(
    fast: Path, monkeypatch: pytest.MonkeyPatch, int8: float, chosen: Precision
) -> None:
    plant_speeds(monkeypatch, fp32=100.0, int8=int8)
    model, found, _ = tuned_model(fast, QUICK)
    assert model.session.mode == found.mode == Mode("cpu", chosen)
    assert found.gain == ("4.0 times as fast as fp32" if chosen == "int8" else "")


def test_a_mode_is_kept_with_the_measurement(fast: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant_speeds(monkeypatch, fp32=1.0, int8=9.0)
    first = tuned_model(fast, QUICK)[1]
    model, second, known = tuned_model(fast, QUICK)
    assert (known, second, model.session.mode) == (True, first, Mode("cpu", "int8"))


def test_a_kept_mode_that_may_no_longer_serve_is_not_taken(fast: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant_speeds(monkeypatch, fp32=1.0, int8=9.0)
    tuned_model(fast, QUICK)
    monkeypatch.setattr(modes, "features", lambda: frozenset[str]())
    model, _, known = tuned_model(fast, QUICK)
    assert (known, model.session.mode) == (False, REFERENCE)


def test_a_mode_that_this_machine_renders_differently_is_left_out_and_noted(
    fast: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    render_differently(monkeypatch)
    model, found, _ = tuned_model(fast, QUICK)
    assert model.session.mode == REFERENCE
    assert ["this machine renders the mode differently" in note for note in found.notes] == [True]
    with pytest.raises(GoldenError):
        tuned_model(fast, replace(QUICK, precision="int8"))


def test_a_worker_falls_back_to_the_next_mode_that_agrees(fast: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    render_differently(monkeypatch)
    monkeypatch.setattr(tuning, "images_per_second", lambda session, size: float(session.mode.precision == "int8"))
    manifest, both = Manifest.read(fast), [REFERENCE, Mode("cpu", "int8")]
    session, left_out = fastest(fast, manifest, both, threads=1)
    assert session.mode == REFERENCE
    assert ["this machine renders the mode differently" in reason for reason in left_out] == [True]
    session, left_out = fastest(fast, manifest, [REFERENCE], threads=1)
    assert (session.mode, left_out) == (REFERENCE, [])


def test_a_kept_mode_that_no_longer_agrees_is_measured_anew(fast: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant_speeds(monkeypatch, fp32=1.0, int8=9.0)
    assert tuned_model(fast, QUICK)[0].session.mode == Mode("cpu", "int8")
    render_differently(monkeypatch)
    model, found, known = tuned_model(fast, QUICK)
    assert (known, model.session.mode) == (False, REFERENCE)
    assert found.notes

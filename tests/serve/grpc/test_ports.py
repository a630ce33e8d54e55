"""Who may call over gRPC, and on which port: keys, certificates, the admin token."""

import socket
import ssl
import subprocess
from functools import partial
from pathlib import Path

import pytest
import tritonclient.grpc as triton

from tests.commands import RunningServer, run_module
from tests.serve.grpc.asking import Status, as_bytes, refusal
from tests.serve.versions import add_version


def test_grpc_is_loaded_only_where_it_is_wanted_and_torch_never(
    server: RunningServer, grpc_server: RunningServer
) -> None:
    plain, both = (Path(f"/proc/{running.process.pid}/maps").read_text() for running in (server, grpc_server))
    assert "cygrpc" not in plain
    assert "cygrpc" in both
    assert "torch" not in both


def test_a_port_in_use_is_one_line_and_exit_3(bundle: Path, grpc_server: RunningServer) -> None:
    address = grpc_server.grpc_address
    options = ("--bundle", str(bundle), "--port", "0", "--grpc-port", address.split(":")[1])
    result = run_module("serve", *options)
    assert (result.returncode, result.stderr) == (
        3, f"error: can't listen on {address}: Address already in use; choose another --grpc-port or HOST\n"
    )  # fmt: skip


def test_one_port_for_both_is_a_usage_error(bundle: Path) -> None:
    result = run_module("serve", "--bundle", str(bundle), "--port", "5000", "--grpc-port", "5000")
    assert (result.returncode, result.stderr) == (2, "error: grpc_port is 5000, the same as port; expected another\n")


def test_with_an_api_key_only_the_health_is_open(bundle: Path, tmp_path: Path, files: list[bytes]) -> None:
    key = "a key of some length"
    (tmp_path / "key.txt").write_text(key)
    running = RunningServer(bundle, "--grpc-port", "0", "--api-key-file", str(tmp_path / "key.txt"), "--drain-ms", "0")
    with triton.InferenceServerClient(running.grpc_address) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        for headers in ({}, {"authorization": "Bearer another"}, {"x-api-key": key[:-1]}):
            asked = partial(client.infer, "tiny", [as_bytes(files)], headers=headers)
            assert refusal(asked)[0] == Status.UNAUTHENTICATED
            assert refusal(partial(client.get_server_metadata, headers=headers))[0] == Status.UNAUTHENTICATED
        for headers in ({"authorization": f"Bearer {key}"}, {"x-api-key": key}):
            assert client.infer("tiny", [as_bytes(files)], headers=headers).as_numpy("logits").shape == (3, 3)
    assert running.stop() == (0, "")


def test_tls_with_a_certificate(bundle: Path, tmp_path: Path, files: list[bytes]) -> None:
    path, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["-newkey", "rsa:2048", "-nodes", "-days", "1", "-out", str(path), "-keyout", str(key)]
    subprocess.run(["openssl", "req", "-x509", *made, *names], check=True, capture_output=True)
    tls = ("--tls-certificate", str(path), "--tls-key", str(key))
    running = RunningServer(bundle, "--grpc-port", "0", *tls, "--drain-ms", "0")
    with triton.InferenceServerClient(running.grpc_address, ssl=True, root_certificates=str(path)) as client:
        assert client.infer("tiny", [as_bytes(files)]).as_numpy("logits").shape == (3, 3)
    with triton.InferenceServerClient(running.grpc_address) as plain:  # what is no TLS is not worth a line on stderr
        assert refusal(plain.is_server_live)[0] == Status.UNAVAILABLE
    host, port = running.grpc_address.split(":")
    with socket.create_connection((host, int(port))) as stranger, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(stranger, server_hostname=host)
    assert running.stop() == (0, "")


def test_who_has_the_admin_token_loads_and_unloads(bundle: Path, tmp_path: Path) -> None:
    token = "a token of some length"
    (tmp_path / "token.txt").write_text(token)
    models = tmp_path / "models"
    add_version(bundle, models, "leaf", "one")
    options = ("--grpc-port", "0", "--admin-token-file", str(tmp_path / "token.txt"), "--drain-ms", "0")
    running = RunningServer(models, *options, option="--models")
    headers = {"authorization": f"Bearer {token}"}
    with triton.InferenceServerClient(running.grpc_address) as client:

        def index() -> dict[str, str]:
            entries = client.get_model_repository_index(headers=headers).models
            return {f"{entry.name} {entry.version}": entry.state for entry in entries}

        assert refusal(client.get_model_repository_index)[0] == Status.UNAUTHENTICATED
        assert refusal(lambda: client.load_model("leaf"))[0] == Status.UNAUTHENTICATED
        assert "model_repository" in client.get_server_metadata().extensions
        add_version(bundle, models, "weld", "two")
        assert index() == {"leaf one": "READY", "weld two": "UNAVAILABLE"}
        client.load_model("weld", headers=headers)
        assert index() == {"leaf one": "READY", "weld two": "READY"}
        assert client.is_model_ready("weld", "two")
        client.unload_model("leaf", headers=headers)
        assert index() == {"leaf one": "UNAVAILABLE", "weld two": "READY"}
        unknown = refusal(lambda: client.load_model("other", headers=headers))
        assert unknown == (
            Status.NOT_FOUND,
            "the models folder has no model with this name; POST /v2/repository/index lists the models",
        )
        status, message = refusal(lambda: client.load_model("leaf", headers=headers, config="{}"))
        assert (status, message.split(":")[0]) == (Status.INVALID_ARGUMENT, "config")
    assert running.stop() == (0, "")

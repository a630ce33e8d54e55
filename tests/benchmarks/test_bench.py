"""The whole load test on the tiny model and the real servers, and everything that can end it early."""

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from aiohttp import web

from benchmarks.bench import names_of
from benchmarks.report.record import read_record
from tests.benchmarks.servers import answer, serving
from tests.commands import REPOSITORY, RunningServer, run_module

LITTLE = ["--clients", "1", "4", "--seconds", "1", "--repeats", "1", "--shares", "0.5", "--overloads", "2"]
LITTLE += ["--search-steps", "1", "--soak-s", "2", "--crowds", "8"]


@pytest.fixture(scope="module")
def measured(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of the lean server, loaded in every way."""
    out = tmp_path_factory.mktemp("measured") / "results"
    options = [*LITTLE, "--slow-clients", "8"]
    done = run_module("benchmarks", "--bundle", str(bundle), "--out", str(out), "--servers", "lean", *options)
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.slow
def test_the_lean_server_is_measured_in_every_way(measured: Path) -> None:
    record = read_record(measured)
    assert record.complete
    found = [(row.case.scenario, row.case.loop) for row in record.rows]
    sweep = [("sweep", "closed")] * 4
    opened = [(scenario, "open") for scenario in ("rate", "goodput", "overload", "beside")]
    assert sorted(found) == sorted([*sweep, *opened, ("crowd", "closed"), ("soak", "closed")])
    assert all(row.ok > 0 and row.wrong == row.error == 0 for row in record.rows)
    first = record.rows[0]
    assert (first.decode or 0) > 0
    assert (first.inference or 0) > 0
    assert first.batch == 1
    assert (first.cpu or 0) > 0
    assert (first.rss_mb or 0) > 50
    assert set(record.cold_starts["lean"]) == {"ready", "first answer"}
    assert record.ceilings["lean"]["mixed"] < record.ceilings["lean"]["model size"]


@pytest.mark.slow
def test_the_report_stands_alone_and_names_no_path(measured: Path) -> None:
    html, markdown = (measured / "report.html").read_text(), (measured / "report.md").read_text()
    assert html.count("data:image/png;base64,") == 4
    for text in (html, markdown):
        assert "of the ceiling (decoding and session without a server)" in text
        assert "gave 0 wrong answers" in text
        assert str(measured.parent) not in text
    rows = list(csv.DictReader((measured / "rows.csv").read_text().splitlines()))
    assert {row["loop"] for row in rows} == {"closed", "open"}
    assert {path.name for path in measured.glob("*.png")} == {
        "throughput.png",
        "latency.png",
        "outcomes.png",
        "stages.png",
    }


@pytest.mark.slow
def test_a_server_that_runs_already_is_measured_by_its_address(
    bundle: Path, server: RunningServer, tmp_path: Path
) -> None:
    out = tmp_path / "results"
    target = ["--target", server.url, "--protocol", "torchserve"]
    done = run_module("benchmarks", "--bundle", str(bundle), "--out", str(out), *target, *LITTLE)
    assert done.returncode == 0, done.stderr
    rows = read_record(out).rows
    assert {row.case.server for row in rows} == {server.url}
    assert {row.cpu for row in rows} == {None}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (answer(), "check that it serves this bundle's model"),
        (web.Response(text="hello"), "answers hello; expected "),
        (web.Response(status=404, text="no such route"), "answers 404: no such route; check"),
    ],
    ids=["another model", "no JSON", "another protocol"],
)
def test_what_answers_wrongly_is_not_measured(bundle: Path, tmp_path: Path, reply: web.Response, expected: str) -> None:
    body, status = reply.body, reply.status

    async def handler(_: web.Request) -> web.Response:
        return web.Response(body=body, status=status)

    with serving(handler) as base:
        done = run_module(
            "benchmarks", "--bundle", str(bundle), "--out", str(tmp_path / "out"), "--target", base, *LITTLE
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert expected in done.stderr
    assert not (tmp_path / "out").exists()


def test_nobody_there_is_one_line(bundle: Path, tmp_path: Path) -> None:
    target = ["--target", "http://127.0.0.1:9", "--out", str(tmp_path / "out")]
    done = run_module("benchmarks", "--bundle", str(bundle), *target, *LITTLE)
    assert done.returncode == 1
    assert done.stderr.startswith("error: http://127.0.0.1:9 does not answer")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("how", ["interrupted", "server killed"])
def test_what_was_measured_is_kept(bundle: Path, tmp_path: Path, how: str) -> None:
    out = tmp_path / "results"
    command = [
        sys.executable,
        "-m",
        "benchmarks",
        "--bundle",
        str(bundle),
        "--out",
        str(out),
        "--servers",
        "lean",
        *LITTLE,
    ]
    process = subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "sweep" in line:
            break
    family = psutil.Process(process.pid).children(recursive=True)
    if how == "interrupted":
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    else:
        next(child for child in family if "serve" in child.cmdline()).kill()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == (130 if how == "interrupted" else 1)
    assert errors.startswith("stopped." if how == "interrupted" else "error: ")
    assert "Traceback" not in errors
    record = read_record(out)
    assert record.rows
    assert not record.complete
    said = "The test was interrupted" if how == "interrupted" else "lean was not measured completely"
    assert said in (out / "report.md").read_text()
    assert psutil.wait_procs(family, timeout=30)[1] == []


def test_senseless_options_are_listed(bundle: Path) -> None:
    done = run_module("benchmarks", "--bundle", str(bundle), "--slo-ms", "0", "--clients", "0", "--seconds", "0")
    assert done.returncode == 2
    assert all(name in done.stderr for name in ("slo_ms is 0", "clients is (0,)", "seconds is 0"))


def test_fast_is_every_fast_mode_that_may_serve_here(bundle: Path, fast_bundle: Path) -> None:
    assert names_of("lean", bundle) == ["lean"]
    assert names_of("fast", bundle) == []
    assert names_of("fast", fast_bundle) == ["lean-int8"]

"""What a person sees of a sweep while it works and when it is stopped, on a terminal and without one."""

import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from pathlib import Path

import pandas as pd
import psutil
import pytest

from tests.sweep.running import stub_command
from tests.sweep.test_faults import assert_gone, below, wait_for
from vae_core import runs
from vae_core.execution import bar as bars
from vae_core.execution.bar import StepsBar
from vae_core.execution.stopping import termination_as_interrupt
from vae_core.report import collect
from vae_core.sweep.bar import RunsBar
from vae_core.sweep.closing import closing_words
from vae_core.sweep.found import Found, tasks
from vae_core.sweep.phases import Phase, phase
from vae_core.sweep.plan import Run, Sweep


def found(sweep_dir: Path, *weights_and_seeds, label: str = "") -> Found:
    """A sweep of which nothing is done."""
    planned = [Run({}, {"kl_weight": kl_weight, "seed": seed}) for kl_weight, seed in weights_and_seeds]
    return Found(Sweep(sweep_dir.name, label, planned, {}), sweep_dir, planned, [], {}, {})


class Terminal:
    """A command on a terminal of 80 columns, as the shell runs it in the foreground: Ctrl-C reaches all below it."""

    def __init__(self, command: list[str], **environment):
        self.end, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *command],
            cwd=runs.PROJECT, stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | environment,
        )  # fmt: skip
        os.close(theirs)
        self.said = ""

    def read_until(self, words: str) -> None:
        while words not in self.said:
            assert self._read(), self.said

    def interrupt(self) -> None:
        os.write(self.end, b"\x03")

    def read_to_the_end(self) -> int:
        """Returns the exit code."""
        while self._read():
            pass
        os.close(self.end)
        return self.process.wait()

    def _read(self) -> bool:
        try:
            read = os.read(self.end, 10_000).decode(errors="replace")
        except OSError:  # nobody is at the other end any more
            return False
        self.said += read
        return bool(read)


# Phases


@pytest.mark.parametrize(
    ("files", "words", "share"),
    [
        ({}, "starting", 0),
        ({"config.json": '{"epochs": 3}'}, "preparing", 1 / 6),
        ({"config.json": '{"epochs": 3}', "history.csv": "epoch\n1\n2\n"}, "epoch 2/3", 3 / 6),
        ({"config.json": '{"epochs": 3}', "history.csv": "epoch\n1\n2\n3\n"}, "measuring", 4 / 6),
        ({"config.json": '{"epochs": 3}', "history.csv": "epoch\n1\n2\n3\n", "measures.json": ""}, "writing", 5 / 6),
    ],
)
def test_the_phase_of_a_run_is_told_from_its_files(tmp_path, files, words, share):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert phase(tmp_path) == (words, pytest.approx(share))


def test_the_bar_of_the_runs_is_full_when_all_have_finished_and_not_before(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    labels = {"kl_00.00_seed0": "kl 0", "kl_00.50_seed0": "kl 0.5", "kl_01.00_seed0": "kl 1"}
    with RunsBar(labels) as shown:
        assert shown.state() == ("0/3 runs", 0, "starting")
        shown.show("kl_00.00_seed0", Phase("measuring", 0.9))
        shown.show("kl_00.50_seed0", Phase("epoch 2/3", 0.5))
        assert shown.state() == ("0/3 runs", pytest.approx(1.4), "kl 0: measuring, kl 0.5: epoch 2/3")
        now[0] += 600
        shown.finish("kl_00.00_seed0", "done")
        shown.show("kl_00.00_seed0", Phase("writing", 0.9))  # a message that comes late
        shown.show("kl_01.00_seed0", Phase("starting", 0))
        now[0] += 60
        assert shown.state() == ("1/3 runs", pytest.approx(1.5), "about 5 min left, kl 0.5: epoch 2/3, kl 1: starting")
        shown.show("kl_00.50_seed0", Phase("starting", 0))  # its kernel died
        assert shown.state()[1] == 1
        shown.finish("kl_00.50_seed0", "failed")
        assert shown.state()[1] < 3
        shown.finish("kl_01.00_seed0", "done")
        assert shown.state() == ("3/3 runs", 3, "")


def test_labels_say_what_tells_runs_apart_and_no_more(tmp_path):
    def labels(*founds: Found) -> dict[str, str]:
        return {task.name: task.label for task in tasks(founds)}

    assert labels(found(tmp_path, (0.5, 3))) == {"kl_00.50_seed3": "kl 0.5"}
    assert labels(found(tmp_path, (1.0, 0), (1.0, 1))) == {
        "kl_01.00_seed0": "kl 1 (seed 0)",
        "kl_01.00_seed1": "kl 1 (seed 1)",
    }
    two = [found(tmp_path / f"latent_dim={each}", (1.0, 0), label=f"latent_dim {each}") for each in (2, 10)]
    assert labels(*two) == {
        "latent_dim=2/kl_01.00_seed0": "latent_dim 2, kl 1",
        "latent_dim=10/kl_01.00_seed0": "latent_dim 10, kl 1",
    }


def test_a_bar_over_steps_is_full_at_its_end_and_not_before():
    with StepsBar("collecting", ("tables", "report")) as shown:
        assert shown.state() == ("collecting", 0, "tables")
        shown.step("report")
        assert shown.state() == ("collecting", 1, "report")
    assert shown.state() == ("collecting", 2, "")


def test_without_a_terminal_a_line_comes_every_minute(monkeypatch):
    monkeypatch.setattr(bars, "MINUTE", 0.01)
    receiving, sending = os.pipe()
    with os.fdopen(receiving) as lines, os.fdopen(sending, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        with StepsBar("collecting", ("tables", "report")):
            assert [lines.readline() for _ in range(2)] == ["collecting, 00:00: tables\n"] * 2


def test_a_sweep_on_a_terminal_shows_what_it_is_at_and_closes_within_80_columns(stub_notebooks, tmp_path):
    options = ("--notebook", "stub", "--kl-weights", 1, "--results", tmp_path)
    terminal = Terminal(stub_command(stub_notebooks, *options))
    assert terminal.read_to_the_end() == 0, terminal.said
    lines = re.sub(r"\x1b\[\w", "", terminal.said).replace("\r", "\n").splitlines()
    at_work, done = ([line for line in lines if line.startswith(f"{number}/1 runs |")] for number in (0, 1))
    assert any(line.endswith(", kl 1: starting") for line in at_work)
    assert any(re.search(r", kl 1: epoch \d+/20$", line) for line in at_work)
    assert all(line.endswith("starting") or "kl 1: " in line for line in at_work)
    assert done
    assert any(line.endswith(", tables") for line in lines if line.startswith("collecting |"))
    first = next(number for number, line in enumerate(lines) if line.startswith("1 of 1 runs are done, in "))
    assert max(map(len, at_work + done + lines[first + 1 :])) <= 80


def test_a_run_says_on_the_terminal_where_its_folder_is_and_elsewhere_it_does_not(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    runs.start_run({"kl_weight": 1.0, "seed": 0, "dataset": "digits"}, "checksum", "my_run")
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "w") as terminal, monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        runs.finish_run(Path("my_run"), [0.1])
    assert b"run folder: my_run\r\n" in os.read(ours, 1000)
    os.close(ours)
    runs.finish_run(Path("my_run"), [0.1])
    assert capfd.readouterr() == ("", "")


# Stopping


@pytest.mark.parametrize("module", ["sweep", "sweep.lessons"])
def test_ctrl_c_while_packages_are_imported_is_one_line(module, tmp_path):
    presses = "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\nexcept BaseException:\n    pass\n"
    (tmp_path / "papermill.py").write_text(presses)  # like some of what is imported, it goes on whatever happens
    command = [sys.executable, "-m", f"vae_core.{module}", "--results", str(tmp_path / "results")]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    finished = subprocess.run(command, cwd=runs.PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 130
    assert finished.stderr == f"{module.rpartition('.')[2]}: interrupted\n"
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("moment", ["multiprocessing.spawn", "ipykernel_launcher"], ids=["workers", "kernels"])
def test_ctrl_c_on_a_terminal_is_answered_at_once_and_ends_in_one_line(moment, stub_notebooks, tmp_path):
    """While workers start, and while kernels do; neither hears of it but from the sweep."""
    options = ("--notebook", "stub", "--kl-weights", 0, 1, "--results", tmp_path)
    terminal = Terminal(stub_command(stub_notebooks, *options))
    terminal.read_until("0/2 runs")
    wait_for(lambda: moment in commands_below(terminal.process), terminal.process)
    started = below(terminal.process)
    terminal.interrupt()
    assert terminal.read_to_the_end() == 130
    assert_gone(started)
    after = re.sub(r"\x1b\[\w", "", terminal.said.partition("^C")[2])
    lines = [line for line in after.replace("\r", "\n").split("\n") if line.strip() and " runs |" not in line]
    assert lines == [
        "stopping ...",
        "sweep: interrupted; finished runs are kept, and the same command goes on from there",
    ]


@pytest.mark.parametrize(("error", "kept"), [(KeyboardInterrupt(), None), (ValueError(), "half")])
def test_a_report_that_does_not_become_whole_leaves_the_one_before(error, kept, tmp_path, monkeypatch):
    def executed_by_half(notebook, output, parameters, cwd):
        output.write_text("half")
        raise error

    monkeypatch.setattr(collect, "execute_notebook", executed_by_half)
    workspace = tmp_path / ".running"
    workspace.mkdir()
    (tmp_path / "report.ipynb").write_text("whole")
    with pytest.raises(type(error)):
        collect._write_report(tmp_path, workspace)
    failed = tmp_path / "failed" / "report.ipynb"
    assert (failed.read_text() if failed.exists() else None) == kept
    assert (tmp_path / "report.ipynb").read_text() == "whole"


@pytest.mark.parametrize("ignored", ["SIGHUP", "SIGINT"])
def test_a_signal_that_was_ignored_stays_ignored(ignored, capfd):
    """As nohup has it with SIGHUP, and a script's background job with SIGINT."""
    number = getattr(signal, ignored)
    before = {name: signal.getsignal(name) for name in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)}
    signal.signal(number, signal.SIG_IGN)
    went_on = []
    try:
        with pytest.raises(KeyboardInterrupt), termination_as_interrupt():
            os.kill(os.getpid(), number)
            went_on.append(capfd.readouterr().err)
            os.kill(os.getpid(), signal.SIGTERM)
        assert went_on == [""]
        assert signal.getsignal(number) == signal.SIG_IGN
        assert capfd.readouterr().err == "stopping ...\n"
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def commands_below(process: subprocess.Popen) -> str:
    commands = []
    for child in below(process):
        with suppress(psutil.NoSuchProcess):
            commands += child.cmdline()
    return " ".join(commands)


# Streams


def run_prepared(code: str, redirected: str = "", **environment) -> subprocess.CompletedProcess:
    """Run code after `prepare`, in a shell that may close streams."""
    code = f"from vae_core.startup import prepare; prepare('test'); {code}"
    command = ["sh", "-c", f'"$0" -c "$1" {redirected}', sys.executable, code]
    environment = os.environ | environment
    return subprocess.run(command, cwd=runs.PROJECT, env=environment, capture_output=True, check=False)


@pytest.mark.parametrize("redirected", ["2>&-", "2<run_all.sh", ">&- 2>&-"])
def test_streams_that_are_closed_take_what_is_said_and_pass_it_to_no_file(redirected):
    code = "import sys; print('lost', file=sys.stderr, flush=True); file = open('run_all.sh'); assert file.fileno() > 2"
    finished = run_prepared(code, redirected)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, b"", b"")


def test_a_character_that_the_terminal_does_not_know_stops_nothing():
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    finished = run_prepared(r"print('1.00 \u00b1 0.01')", **ascii_only)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, b"1.00 ? 0.01\n", b"")


# Closing words


def test_the_closing_words_name_what_failed_and_where_its_notebook_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sweep" / "failed" / "kl_01.00_seed0").mkdir(parents=True)
    for name in ("kl_01.00_seed0/run.ipynb", "report.ipynb"):
        (tmp_path / "sweep" / "failed" / name).write_text("")
    table = pd.DataFrame({"kl_weight": [0.0, 0.125], "seeds": [2, 2], "rate_mean": [643.7112, 1e6], "rate_std": 1.0})
    table.to_csv(tmp_path / "sweep" / "loss_table.csv")
    (tmp_path / "sweep" / "explorer.html").write_bytes(bytes(1_260_000))
    failures = {"kl_01.00_seed0": "ValueError: two", "kl_02.00_seed0": "its worker died", "report.ipynb": "no number"}
    planned = found(tmp_path / "sweep", (0.0, 0), (1.0, 0), (2.0, 0))
    words = closing_words([planned], tmp_path, {planned.sweep_dir: failures}, "")
    assert words.splitlines() == [
        "",
        "1 of 3 runs are done, in sweep/",
        "kl_01.00_seed0 failed: ValueError: two -> sweep/failed/kl_01.00_seed0/run.ipynb",
        "kl_02.00_seed0 failed: its worker died",
        "report.ipynb failed: no number -> sweep/failed/report.ipynb",
        "",
        "kl_weight       rate",
        "        0     643.71",
        "    0.125 1000000.00",
        "(means over 2 seeds, nats per image; loss_table.md and .csv have more columns)",
        "",
        "Open first, in that folder:",
        "  explorer.html          the latent plane, live in a browser (1.3 MB)",
    ]
    without_tables = {planned.sweep_dir: failures | {"tables": "Is a directory: summary.csv"}}
    assert len(closing_words([planned], tmp_path, without_tables, "").splitlines()) == 6


def test_the_closing_words_of_several_sweeps_name_the_folder_of_each_failure_and_the_comparison(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits" / "comparison-latent_dim").mkdir(parents=True)
    (tmp_path / "digits" / "comparison-latent_dim" / "comparison.csv").write_text("")
    (tmp_path / "digits" / "latent_dim=10" / "failed" / "kl_01.00_seed0").mkdir(parents=True)
    (tmp_path / "digits" / "latent_dim=10" / "failed" / "kl_01.00_seed0" / "run.ipynb").write_text("")
    base = found(tmp_path / "digits", (0.0, 0), (1.0, 0))
    other = found(tmp_path / "digits" / "latent_dim=10", (0.0, 0), (1.0, 0))
    failures = {other.sweep_dir: {"kl_01.00_seed0": "it died"}, base.sweep_dir: {"figures": "no room"}}
    words = closing_words([base, other], tmp_path / "digits", failures, "comparison-latent_dim")
    assert words.splitlines() == [
        "",
        "3 of 4 runs are done, in 2 folders of digits/",
        "latent_dim=10/kl_01.00_seed0 failed: it died -> digits/latent_dim=10/failed/kl_01.00_seed0/run.ipynb",
        "digits/figures failed: no room",
        "",
        "Open first, in digits/comparison-latent_dim/:",
        "  comparison.csv         one row per run, with its setting",
    ]

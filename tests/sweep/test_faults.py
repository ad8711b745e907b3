"""What the docs promise of a sweep, each promise held by breaking something: processes, disks, files, addresses.

Most tests run a stub in real kernels: what is broken is around the run, whatever it trains.
"""

import io
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.sweep.running import run_stub_sweep, run_sweep, stub_command
from tests.sweep.stub import notebook_with
from vae_core import runs
from vae_core.errors import InputError
from vae_core.sweep.phases import Phase
from vae_core.sweep.workers import connect, execute_all

NAMES = ("kl_00.00_seed0", "kl_01.00_seed0")
DETERMINED = ("config.json", "history.csv", "measures.json")  # what must not depend on what happened on the way
PLACE = Path("lessons", "stub", "digits")  # of the stub's sweep in the results


def start(command: list[str]) -> subprocess.Popen:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=runs.PROJECT, start_new_session=True, **pipes)


def finish(process: subprocess.Popen) -> str:
    """Wait for a sweep that must succeed. Returns what it said on stderr."""
    closing, said = process.communicate()
    assert process.returncode == 0, closing + said
    return said


def below(process: subprocess.Popen) -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def kernels_below(process: subprocess.Popen) -> list[psutil.Process]:
    found = []
    for child in below(process):
        try:
            if "ipykernel_launcher" in " ".join(child.cmdline()):
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def wait_for(condition, process: subprocess.Popen):
    """Poll until the condition gives something true while the process lives."""
    while not (found := condition()):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    return found


def wait_until_training(process: subprocess.Popen, results: Path, count: int = 1) -> None:
    wait_for(lambda: len(list(results.rglob(".running-*/**/history.csv"))) >= count, process)


def assert_on_loopback(process: psutil.Process) -> None:
    family = [process, *process.children(recursive=True)]
    found = [found for member in family for found in member.net_connections("inet") if found.status == "LISTEN"]
    assert found
    assert {listening.laddr.ip for listening in found} == {"127.0.0.1"}


def assert_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert alive == []


def assert_same_results(sweep_dir: Path, undisturbed: Path) -> None:
    for name in NAMES:
        assert runs.is_done(sweep_dir / name)
        for file_name in DETERMINED:
            paths = [folder / name / file_name for folder in (sweep_dir, undisturbed)]
            assert paths[0].read_bytes() == paths[1].read_bytes(), paths[0]
    assert not list(sweep_dir.glob(".running-*"))


@pytest.fixture(scope="module")
def sweep_of(stub_notebooks):
    """The command of a sweep over the stub at two weights, for a results folder."""

    def command(results: Path, *arguments) -> list[str]:
        chosen = ("--notebook", "stub", "--kl-weights", 0, 1, "--results", results)
        return stub_command(stub_notebooks, *chosen, *arguments)

    return command


@pytest.fixture
def temporary(monkeypatch):
    """The folder for temporary files; short, else the sweep would take another."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


@pytest.fixture(scope="module")
def first_sweep(sweep_of, tmp_path_factory) -> tuple[Path, str]:
    """Its results and what it said, where the folders have odd or long names and the user has a Dask of his own."""
    results = tmp_path_factory.mktemp("results {x}")
    with socket.socket() as taken, pytest.MonkeyPatch.context() as monkeypatch:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):  # then another process has it
            taken.bind(("127.0.0.1", 8787))
            taken.listen()
        monkeypatch.setenv("DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION", "true")
        monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp(80 * "t")))
        said = finish(start(sweep_of(results)))
    return results, said


@pytest.fixture(scope="module")
def undisturbed(first_sweep) -> Path:
    return first_sweep[0]


def test_a_sweep_says_nothing_of_dask_s_ports(first_sweep):
    _, said = first_sweep
    assert "kl_01.00_seed0: done" in said
    assert "8787" not in said
    assert "Warning" not in said


def test_a_sweep_leaves_nothing_in_the_folder_for_temporary_files(temporary, sweep_of, tmp_path):
    finish(start(sweep_of(tmp_path, "--kl-weights", 1)))
    assert list(temporary.iterdir()) == []


def test_the_cluster_of_a_sweep_listens_on_loopback_alone(tmp_path):
    with connect(None, 1, tmp_path):
        assert_on_loopback(psutil.Process())


def test_killed_ten_times_at_random_moments_and_started_again_gives_the_undisturbed_results(
    sweep_of, undisturbed, tmp_path
):
    moments = random.Random(0)
    for _ in range(10):
        process = start(sweep_of(tmp_path))
        try:
            process.wait(timeout=moments.uniform(0.5, 6))
        except subprocess.TimeoutExpired:
            started = below(process)
            process.kill()
            assert_gone(started)
        process.communicate()
    finish(start(sweep_of(tmp_path)))
    assert_same_results(tmp_path / PLACE, undisturbed / PLACE)


@pytest.mark.parametrize("victim", ["kernel", "worker"])
def test_a_run_whose_kernel_or_worker_is_killed_is_done_again(victim, sweep_of, undisturbed, tmp_path):
    process = start(sweep_of(tmp_path))
    wait_until_training(process, tmp_path)
    kernel = kernels_below(process)[0]
    (kernel if victim == "kernel" else kernel.parent()).kill()
    finish(process)
    assert_gone([kernel])
    assert_same_results(tmp_path / PLACE, undisturbed / PLACE)


def test_a_run_repeats_to_the_last_digit_though_its_first_kernel_is_killed(digits_sweep, tmp_path, monkeypatch):
    """On a machine, too, whose user has other settings of Keras and of Matplotlib."""
    (tmp_path / "keras.json").write_text(
        '{"floatx": "float64", "image_data_format": "channels_first", "backend": "jax"}'
    )
    (tmp_path / "matplotlibrc").write_text("text.usetex: true\nfont.size: 20\nsavefig.dpi: 30\nimage.cmap: jet\n")
    settings = {"KERAS_HOME": tmp_path, "KERAS_MAX_EPOCHS": 1, "MATPLOTLIBRC": tmp_path, "TF_NUM_INTRAOP_THREADS": 1}
    for name, value in settings.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.delenv("TF_XLA_FLAGS")  # so that everything is compiled anew
    done, killed = digits_sweep[0] / NAMES[1], []
    config = runs.read_json(done / "config.json")
    parameters = {name: value for name, value in config.items() if name != "data_checksum"}

    def kill_once(name: str, phase: Phase) -> None:
        if phase.words.startswith("epoch") and not killed:
            killed.extend(kernels_below(psutil.Process()))
            killed[0].kill()

    with connect(None, 1, tmp_path) as client:
        text = (runs.NOTEBOOKS / "train_vae.ipynb").read_text()
        ((_, outcome),) = execute_all(client, text, {NAMES[1]: parameters}, kill_once)
    assert len(killed) == 1
    assert outcome.problem is None
    for name in (*DETERMINED, "latent_scatter.png", "decoder_manifold.png"):
        assert outcome.files[name] == (done / name).read_bytes(), name
    again, before = np.load(io.BytesIO(outcome.files["latent.npz"])), np.load(done / "latent.npz")
    assert np.array_equal(again["mean"], before["mean"])
    environment = json.loads(outcome.files["record.json"])["environment"]
    assert environment["TF_NUM_INTRAOP_THREADS"] == "1"
    assert "TF_XLA_FLAGS" not in environment


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda sent: sent.name)
def test_a_sweep_that_is_stopped_leaves_no_process_and_goes_on_later(sent, temporary, sweep_of, undisturbed, tmp_path):
    process = start(sweep_of(tmp_path))
    wait_for(lambda: len(kernels_below(process)) == 2, process)
    started = below(process)
    process.send_signal(sent)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.strip().splitlines()[-1].startswith("sweep: interrupted; finished runs are kept")
    assert_gone(started)
    assert not list(tmp_path.rglob(".running-*"))
    assert list(temporary.iterdir()) == []
    if sent == signal.SIGTERM:
        finish(start(sweep_of(tmp_path)))
        assert_same_results(tmp_path / PLACE, undisturbed / PLACE)


def test_a_second_sweep_in_the_same_folder_stops_with_75_and_disturbs_nothing(sweep_of, undisturbed, tmp_path):
    first = start(sweep_of(tmp_path))
    wait_until_training(first, tmp_path)
    kernels = kernels_below(first)
    for kernel in kernels:
        kernel.suspend()  # so that the first is at work when the second comes, however long that takes
    second = start(sweep_of(tmp_path))
    _, said = second.communicate()
    assert second.returncode == 75
    assert said.startswith("sweep: another sweep is at work in ")
    assert len(said.splitlines()) == 1
    for kernel in kernels:
        kernel.resume()
    finish(first)
    assert_same_results(tmp_path / PLACE, undisturbed / PLACE)


def test_a_file_that_was_altered_makes_its_run_and_only_its_run_be_done_again(sweep_of, undisturbed, tmp_path):
    shutil.copytree(undisturbed, tmp_path, dirs_exist_ok=True)
    altered = tmp_path / PLACE / NAMES[1] / "history.csv"
    altered.write_bytes(altered.read_bytes().replace(b"1", b"2", 1))
    record = tmp_path / PLACE / NAMES[0] / "record.json"
    untouched = record.stat().st_mtime_ns
    assert "1 of 2 runs are done already" in finish(start(sweep_of(tmp_path)))
    assert record.stat().st_mtime_ns == untouched
    assert_same_results(tmp_path / PLACE, undisturbed / PLACE)


def test_runs_of_other_code_are_kept_and_the_sweep_says_so(sweep_of, undisturbed, tmp_path):
    shutil.copytree(undisturbed, tmp_path, dirs_exist_ok=True)
    record = tmp_path / PLACE / NAMES[0] / "record.json"
    runs.write_json(record, runs.read_json(record) | {"git_commit": "0123456789abcdef"})
    said = finish(start(sweep_of(tmp_path)))
    assert "2 of 2 runs are done already" in said
    assert "finished runs are kept, though the code has changed since (0123456 then)" in said
    assert_same_results(tmp_path / PLACE, undisturbed / PLACE)


@pytest.mark.slow
@pytest.mark.parametrize("backlog", [None, 1], ids=["refuses", "says nothing"])
def test_a_scheduler_that_does_not_answer_is_told_within_ten_seconds(backlog, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        if backlog:
            taken.listen(backlog)
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(InputError, match=f"no Dask scheduler answers at {address}"), connect(address, 1, tmp_path):
            pass
        assert time.monotonic() - started < 10


def test_a_wrong_scheduler_address_is_one_line(tmp_path):
    finished = run_sweep("--dataset", "digits", "--results", tmp_path, "--scheduler", "hots:87x6")
    assert finished.returncode == 2
    assert finished.stderr.splitlines()[-1].startswith("sweep: no Dask scheduler answers at hots:87x6")
    assert "Traceback" not in finished.stderr


def documented(program: str) -> list[str]:
    """The options of `dask scheduler` or `dask worker` on one machine in the docs, without the log."""
    page = (runs.PROJECT / "docs" / "cluster.md").read_text()
    loopback = re.search(r'loopback="(.*)"', page)[1]
    return re.search(rf"dask {program} (.*\$loopback)", page)[1].replace("$loopback", loopback).split()


def accepts_connections(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


@contextmanager
def dask_cluster(folder: Path, threads: int = 1, workers: int = 2):
    """A scheduler and workers as in the docs, with nothing of the sweep's: their own processes and working folder."""
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    dask = str(Path(sys.executable).with_name("dask"))
    options = {"8786": str(port), "tcp://127.0.0.1:8786": f"tcp://127.0.0.1:{port}"}
    commands = [[dask, "scheduler", *documented("scheduler")]]
    one_worker = ["--nworkers", "1", "--nthreads", str(threads), "--no-nanny"]
    commands += [[dask, "worker", *documented("worker"), *one_worker]] * workers
    processes = [
        subprocess.Popen(
            [options.get(word, word) for word in command],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for command in commands
    ]
    try:
        wait_for(lambda: accepts_connections(port), processes[0])
        yield f"tcp://127.0.0.1:{port}", processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_the_same_sweep_on_a_dask_cluster_gives_the_same_results_though_a_worker_dies(sweep_of, undisturbed, tmp_path):
    with dask_cluster(tmp_path / "cluster") as (address, (scheduler, worker, other)):
        process = start(sweep_of(tmp_path, "--scheduler", address))
        kernels = wait_for(lambda: kernels_below(worker), process)
        for member in (scheduler, worker, other):
            assert_on_loopback(psutil.Process(member.pid))
        worker.kill()
        finish(process)
        assert_gone(kernels)
    assert_same_results(tmp_path / PLACE, undisturbed / PLACE)


def test_a_scheduler_without_workers_says_so(sweep_of, tmp_path):
    with dask_cluster(tmp_path / "cluster", workers=0) as (address, _):
        process = start(sweep_of(tmp_path, "--scheduler", address))
        said = ""
        while "has no workers" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert f"{address} has no workers, the sweep waits for one: dask worker {address} --nthreads 1" in said
    assert process.returncode == 130


def test_workers_with_another_version_of_the_code_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("vae_core.sweep.workers.source_hash", lambda: "that of another version")
    with dask_cluster(tmp_path / "cluster", workers=1) as (address, _):
        refused = pytest.raises(InputError, match=rf"worker at tcp://.* of {address} has another version of vae_core: ")
        with refused, connect(address, 1, tmp_path):
            pass


def test_workers_with_several_threads_are_refused(sweep_of, tmp_path):
    with dask_cluster(tmp_path / "cluster", threads=2) as (address, _):
        process = start(sweep_of(tmp_path, "--scheduler", address))
        _, said = process.communicate()
    assert process.returncode == 2
    assert "has several threads: start it with --nthreads 1" in said


def test_kernels_do_not_inherit_the_memory_setting_of_dasks_nannies(tmp_path):
    """With it they trained at half the speed, a third of the time in the kernel of the system."""
    text = notebook_with("run_dir = ''", "import os; raise ValueError(os.environ.get('MALLOC_TRIM_THRESHOLD_'))")
    with connect(None, 1, tmp_path) as client:
        assert client.submit(os.environ.get, "MALLOC_TRIM_THRESHOLD_").result()  # the nanny has set it
        ((_, outcome),) = execute_all(client, text, {"run": {}}, lambda name, phase: None)
    assert outcome.problem == "ValueError: None"


@pytest.mark.slow
def test_notebooks_that_raise_or_leave_early_have_failed_and_say_so(tmp_path):
    endings = {
        "raises": ("raise ValueError('one\\ntwo')", "two"),
        "leaves": ("import sys; sys.exit(0)", "the notebook ended before its last cell"),
        "dies": ("import os; os.kill(os.getpid(), 9)", "its kernel died, perhaps for want of memory"),
    }
    for name, (cell, message) in endings.items():
        with connect(None, 1, tmp_path) as client:
            text = notebook_with("run_dir = ''", cell, "open('record.json', 'w').write('{}')")
            ((finished, outcome),) = execute_all(client, text, {name: {}}, lambda name, phase: None)
        assert finished == name
        assert message in outcome.problem
        assert "run.ipynb" in outcome.files
        assert "record.json" not in outcome.files


@contextmanager
def mounted(folder: Path, options: str):
    """A small file system of its own, where this user may mount one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if os.name != "posix" or shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("not tested: this user may not mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_fails_the_runs_with_its_name_and_loses_nothing(stub_notebooks, tmp_path):
    with mounted(tmp_path / "small", "size=2m") as results:
        size = ("-p", "kilobytes", 1500)
        finished = run_stub_sweep(stub_notebooks, "--kl-weights", 0, 1, "--results", results, *size)
        assert finished.returncode == 1
        assert "No space left on device" in finished.stdout + finished.stderr
        assert "Traceback" not in finished.stderr
        place = results / PLACE / "kilobytes=1500"
        assert place.is_dir()
        for name in NAMES:
            assert runs.is_done(place / name) or not (place / name).exists()


def test_a_read_only_results_folder_is_refused_before_anything_runs(tmp_path):
    with mounted(tmp_path / "fixed", "ro") as results:
        finished = run_sweep("--dataset", "digits", "--results", results)
        assert finished.returncode == 2
        assert "cannot be written (Read-only file system): choose another --results" in finished.stderr
        assert len(finished.stderr.strip().splitlines()) == 1

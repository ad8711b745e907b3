"""What the README promises of a sweep, each promise held by breaking something: processes, disks, files, addresses."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import nbformat
import psutil
import pytest

from tests.test_sweep import run_sweep
from vae_core import runs
from vae_core.engine import connect, execute_all
from vae_core.errors import InputError

# 100 divides the training and the validation images: without a smaller last batch there is half as much to compile.
SMALL = ("--dataset", "digits", "--kl-weights", "0", "1", "--epochs", "60")
SMALL += ("-p", "hidden_units", "32", "-p", "batch_size", "100")
NAMES = ("kl_00.00_seed0", "kl_01.00_seed0")
DETERMINED = ("config.json", "history.csv", "measures.json")  # what must not depend on what happened on the way


def start_sweep(results: Path, *arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "vae_core.sweep", *SMALL, "--results", str(results), *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=runs.PROJECT, start_new_session=True, **pipes)


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


def assert_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert alive == []


def assert_same_results(results: Path, undisturbed: Path) -> None:
    for name in NAMES:
        assert runs.is_done(results / "kl_sweep" / "digits" / name)
        for file_name in DETERMINED:
            paths = [folder / "kl_sweep" / "digits" / name / file_name for folder in (results, undisturbed)]
            assert paths[0].read_bytes() == paths[1].read_bytes(), paths[0]
    assert not list((results / "kl_sweep" / "digits").glob(".running-*"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    results = tmp_path_factory.mktemp("undisturbed")
    process = start_sweep(results)
    _, said = process.communicate()
    assert process.returncode == 0, said
    return results


def test_killed_ten_times_at_random_moments_and_started_again_gives_the_undisturbed_results(undisturbed, tmp_path):
    moments = random.Random(0)
    for _ in range(10):
        process = start_sweep(tmp_path)
        try:
            process.wait(timeout=moments.uniform(0.5, 10))
        except subprocess.TimeoutExpired:
            started = below(process)
            process.kill()
            assert_gone(started)
        process.communicate()
    last = start_sweep(tmp_path)
    _, said = last.communicate()
    assert last.returncode == 0, said
    assert_same_results(tmp_path, undisturbed)


@pytest.mark.parametrize("victim", ["kernel", "worker"])
def test_a_run_whose_kernel_or_worker_is_killed_is_done_again(victim, undisturbed, tmp_path):
    process = start_sweep(tmp_path)
    wait_until_training(process, tmp_path)
    kernel = kernels_below(process)[0]
    (kernel if victim == "kernel" else kernel.parent()).kill()
    closing, said = process.communicate()
    assert process.returncode == 0, closing + said
    assert_gone([kernel])
    assert_same_results(tmp_path, undisturbed)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda sent: sent.name)
def test_a_sweep_that_is_stopped_leaves_no_process_and_goes_on_later(sent, undisturbed, tmp_path):
    process = start_sweep(tmp_path)
    wait_for(lambda: len(kernels_below(process)) == 2, process)
    started = below(process)
    process.send_signal(sent)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.strip().splitlines()[-1].startswith("sweep: interrupted; finished runs are kept")
    assert_gone(started)
    assert not list(tmp_path.rglob(".running-*"))
    if sent == signal.SIGTERM:
        assert run_sweep(*SMALL, "--results", tmp_path).returncode == 0
        assert_same_results(tmp_path, undisturbed)


def test_a_second_sweep_in_the_same_folder_stops_with_75_and_disturbs_nothing(undisturbed, tmp_path):
    first = start_sweep(tmp_path)
    wait_until_training(first, tmp_path)
    second = run_sweep(*SMALL, "--results", tmp_path)
    assert second.returncode == 75
    assert second.stderr.startswith("sweep: another sweep is at work in ")
    assert len(second.stderr.splitlines()) == 1
    first.communicate()
    assert first.returncode == 0
    assert_same_results(tmp_path, undisturbed)


def test_a_file_that_was_altered_makes_its_run_and_only_its_run_be_done_again(undisturbed, tmp_path):
    shutil.copytree(undisturbed, tmp_path, dirs_exist_ok=True)
    folder = tmp_path / "kl_sweep" / "digits"
    altered = folder / NAMES[1] / "history.csv"
    altered.write_bytes(altered.read_bytes().replace(b"1", b"2", 1))
    untouched = (folder / NAMES[0] / "record.json").stat().st_mtime_ns
    again = run_sweep(*SMALL, "--results", tmp_path)
    assert again.returncode == 0
    assert "1 of 2 runs are done already" in again.stderr
    assert (folder / NAMES[0] / "record.json").stat().st_mtime_ns == untouched
    assert_same_results(tmp_path, undisturbed)


def test_runs_of_other_code_are_kept_and_the_sweep_says_so(undisturbed, tmp_path):
    shutil.copytree(undisturbed, tmp_path, dirs_exist_ok=True)
    record = tmp_path / "kl_sweep" / "digits" / NAMES[0] / "record.json"
    runs.write_json(record, runs.read_json(record) | {"git_commit": "0123456789abcdef"})
    again = run_sweep(*SMALL, "--results", tmp_path)
    assert again.returncode == 0
    assert "2 of 2 runs are done already; the code has changed since (0123456 then), they are kept" in again.stderr
    assert_same_results(tmp_path, undisturbed)


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
    finished = run_sweep(*SMALL, "--results", tmp_path, "--scheduler", "hots:87x6")
    assert finished.returncode == 2
    assert finished.stderr.splitlines()[-1].startswith("sweep: no Dask scheduler answers at hots:87x6")
    assert "Traceback" not in finished.stderr


@contextmanager
def dask_cluster(folder: Path, threads: int = 1):
    """A scheduler and two workers with nothing of the sweep's: their own processes, their own working folder."""
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    environment = os.environ | {"DASK_LOGGING__DISTRIBUTED": "critical"}
    dask = [str(Path(sys.executable).with_name("dask"))]
    place = ["--host", "127.0.0.1", "--no-dashboard"]
    commands = [[*dask, "scheduler", "--port", address.rpartition(":")[2], *place]]
    commands += [[*dask, "worker", address, "--nthreads", str(threads), "--no-nanny", *place]] * 2
    processes = [
        subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for command in commands
    ]
    try:
        yield address, processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_the_same_sweep_on_a_dask_cluster_gives_the_same_results_though_a_worker_dies(undisturbed, tmp_path):
    with dask_cluster(tmp_path / "cluster") as (address, workers):
        process = start_sweep(tmp_path, "--scheduler", address)
        kernels = wait_for(lambda: kernels_below(workers[0]), process)
        workers[0].kill()
        closing, said = process.communicate()
        assert_gone(kernels)
    assert process.returncode == 0, closing + said
    assert_same_results(tmp_path, undisturbed)


def test_workers_with_several_threads_are_refused(tmp_path):
    with dask_cluster(tmp_path / "cluster", threads=2) as (address, _):
        process = start_sweep(tmp_path, "--scheduler", address)
        _, said = process.communicate()
    assert process.returncode == 2
    assert "start them with --nthreads 1" in said


def notebook_with(*cells: str) -> str:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.cells[0].metadata["tags"] = ["parameters"]
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.writes(notebook)


def test_kernels_do_not_inherit_the_memory_setting_of_dasks_nannies(tmp_path):
    """With it they trained at half the speed, a third of the time in the kernel of the system."""
    text = notebook_with("run_dir = ''", "import os; raise ValueError(os.environ.get('MALLOC_TRIM_THRESHOLD_'))")
    with connect(None, 1, tmp_path) as client:
        assert client.submit(os.environ.get, "MALLOC_TRIM_THRESHOLD_").result()  # the nanny has set it
        ((_, outcome),) = execute_all(client, text, {"run": {}}, lambda name, epochs: None)
    assert outcome.problem == "ValueError: None"


def test_notebooks_that_raise_or_leave_early_have_failed_and_say_so(tmp_path):
    endings = {
        "raises": ("raise ValueError('one\\ntwo')", "two"),
        "leaves": ("import sys; sys.exit(0)", "the notebook ended before its last cell"),
        "dies": ("import os; os.kill(os.getpid(), 9)", "its kernel died, perhaps for want of memory"),
    }
    for name, (cell, message) in endings.items():
        with connect(None, 1, tmp_path) as client:
            text = notebook_with("run_dir = ''", cell, "open('record.json', 'w').write('{}')")
            ((finished, outcome),) = execute_all(client, text, {name: {}}, lambda name, epochs: None)
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


def test_a_full_disk_fails_the_runs_with_its_name_and_loses_nothing(undisturbed, tmp_path):
    with mounted(tmp_path / "small", "size=2m") as results:
        finished = run_sweep(*SMALL, "--results", results)
        assert finished.returncode == 1
        assert "No space left on device" in finished.stdout + finished.stderr
        assert "Traceback" not in finished.stderr
        for name in NAMES:
            folder = results / "kl_sweep" / "digits" / name
            assert runs.is_done(folder) or not folder.exists()


def test_a_read_only_results_folder_is_refused_before_anything_runs(tmp_path):
    with mounted(tmp_path / "fixed", "ro") as results:
        finished = run_sweep(*SMALL, "--results", results)
        assert finished.returncode == 2
        assert "cannot be written (Read-only file system): choose another --results" in finished.stderr
        assert len(finished.stderr.strip().splitlines()) == 1

"""The notebooks in Jupyter: a real server, real kernels, "run all" and "save" as its page does them."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import websocket

from vae_core import runs

TOKEN = "of-this-test"


@dataclass
class Server:
    """A Jupyter server over a folder of notebooks."""

    port: int

    def ask(self, method: str, path: str, content: dict | None = None) -> dict:
        data = json.dumps(content).encode() if content else None
        url = f"http://127.0.0.1:{self.port}/api/{path}"
        headers = {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=60) as answer:
            return json.loads(answer.read() or "{}")

    def run_all(self, name: str, parameters: str = "") -> dict:
        """Run the cells of a notebook one after the other; `parameters` is run after the parameters cell.

        Returns the notebook with its outputs. An error ends it, as in Jupyter.
        """
        notebook = self.ask("GET", f"contents/{name}")["content"]
        session = {"path": name, "name": name, "type": "notebook", "kernel": {"name": "python3"}}
        kernel = self.ask("POST", "sessions", session)["kernel"]["id"]
        address = f"ws://127.0.0.1:{self.port}/api/kernels/{kernel}/channels?token={TOKEN}"
        with closing(websocket.create_connection(address, timeout=120)) as connection:
            for count, cell in enumerate(cell for cell in notebook["cells"] if cell["cell_type"] == "code"):
                cell["outputs"], cell["execution_count"] = _execute(connection, cell["source"]), count + 1
                if "parameters" in cell["metadata"].get("tags", []):
                    assert _execute(connection, parameters) == []
        self.ask("DELETE", f"kernels/{kernel}")
        return notebook

    def save(self, name: str, notebook: dict) -> None:
        self.ask("PUT", f"contents/{name}", {"type": "notebook", "format": "json", "content": notebook})


def _execute(connection, code: str) -> list[dict]:
    message = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "username": "",
        "session": "",
        "version": "5.3",
    }
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
    request = {"header": message, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    connection.send(json.dumps(request))
    outputs = []
    while True:
        answer = json.loads(connection.recv())
        if answer["parent_header"].get("msg_id") != message["msg_id"]:
            continue
        kind, content = answer["msg_type"], answer["content"]
        assert kind != "error", content["traceback"]
        if kind in ("stream", "display_data", "execute_result"):
            content.pop("transient", None)
            outputs.append({"output_type": kind, **content})
        if kind == "status" and content["execution_state"] == "idle":
            return outputs


@contextmanager
def jupyter(folder: Path, home: Path):
    """`jupyter lab FOLDER` with the suite's settings and none of the user's."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {name: str(home / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")}
    settings["JUPYTER_CONFIG_PATH"] = str(runs.PROJECT / "notebooks" / ".jupyter")
    command = [sys.executable, "-m", "jupyterlab", str(folder), "--no-browser", f"--port={port}", "--allow-root"]
    command += [f"--IdentityProvider.token={TOKEN}", "--ServerApp.port_retries=0"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, env=os.environ | settings, **quiet)
    server = Server(port)
    try:
        while True:
            assert process.poll() is None, "the server ended"
            try:
                server.ask("GET", "status")
                break
            except urllib.error.URLError:
                time.sleep(0.1)  # it starts; there is nothing else to wait for
        yield server
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Path:
    """A copy of notebooks/."""
    return shutil.copytree(runs.PROJECT / "notebooks", tmp_path_factory.mktemp("project") / "notebooks")


@pytest.fixture(scope="module")
def server(sources, tmp_path_factory):
    with jupyter(sources, tmp_path_factory.mktemp("home")) as started:
        yield started


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


SMALL = "dataset, epochs, hidden_units, batch_size, run_dir = 'digits', 1, 8, 100, {!r}"


@pytest.mark.parametrize("name", ["the_prior", "train_vae", "kl_sweep_report"])
def test_run_all_works_and_saving_leaves_the_sources_as_git_has_them(server, sources, tmp_path, name):
    before, file_name = contents(sources), f"{name}.ipynb"
    parameters = SMALL.format(str(tmp_path / "run")) if name == "train_vae" else ""
    notebook = server.run_all(file_name, parameters)
    assert sum(
        "image/png" in output.get("data", {}) for cell in notebook["cells"] for output in cell.get("outputs", [])
    )
    notebook["metadata"]["language_info"] = {"name": "python"}  # JupyterLab adds it
    server.save(file_name, notebook)
    assert contents(sources) == before
    if name == "train_vae":
        assert runs.is_done(tmp_path / "run")  # results go where the notebook says


def test_a_notebook_of_ones_own_is_saved_with_its_outputs(server, sources):
    folder = sources / "mine"
    folder.mkdir()
    cell = {"cell_type": "code", "source": "print(1)", "metadata": {}, "execution_count": 1, "id": "one"}
    cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "1\n"}]
    server.save("mine/own.ipynb", {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    assert json.loads((folder / "own.ipynb").read_text())["cells"][0]["outputs"]

"""Firefox, by the W3C's WebDriver BiDi: Firefox speaks it itself, so no driver is needed, which Debian has not."""

import base64
import itertools
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import websocket

FIREFOX = shutil.which("firefox") or shutil.which("firefox-esr")
needs_firefox = pytest.mark.skipif(not FIREFOX, reason="not tested: Firefox is not installed (Debian's firefox-esr)")
BEGUN = "WebDriver BiDi listening on "
SECONDS = 120  # for one command, on a busy machine


class Firefox:
    """One tab."""

    def __init__(self, address: str):
        self.socket = websocket.create_connection(f"{address}/session", timeout=SECONDS, suppress_origin=True)
        self.numbers = itertools.count()
        self.command("session.new", capabilities={})
        (tab,) = self.command("browsingContext.getTree")["contexts"]
        self.tab = {"context": tab["context"]}

    def command(self, method: str, **params) -> dict:
        """What the browser answers. Raises RuntimeError with its words if it refuses."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while (said := json.loads(self.socket.recv())).get("id") != number:
            pass  # events
        if said["type"] == "error":
            raise RuntimeError(f"{method}: {said['message']}")
        return said["result"]

    def open(self, page: Path, width: int = 1300, height: int = 900) -> None:
        """Open a page from disk, and wait until it has loaded."""
        self.command("browsingContext.setViewport", **self.tab, viewport={"width": width, "height": height})
        self.command("browsingContext.navigate", **self.tab, url=page.resolve().as_uri(), wait="complete")

    def value(self, expression: str):
        """Of a JavaScript expression, or of what it promises. Raises RuntimeError if it throws."""
        text = f"Promise.resolve({expression}).then((value) => JSON.stringify(value ?? null))"
        said = self.command("script.evaluate", expression=text, target=self.tab, awaitPromise=True)
        if said["type"] == "exception":
            raise RuntimeError(said["exceptionDetails"]["text"])
        return json.loads(said["result"]["value"])

    def wait(self, condition: str) -> None:
        """Until it is true."""
        end = time.monotonic() + SECONDS
        while not self.value(condition):
            assert time.monotonic() < end, condition
            self.value("new Promise(requestAnimationFrame)")

    def keys(self, *keys: str) -> None:
        """Press one after another, as WebDriver names them: U+E004 is Tab."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.command("input.performActions", **self.tab, actions=[{"type": "key", "id": "keys", "actions": actions}])

    def drag(self, *points: tuple[float, float], by: str = "mouse") -> None:
        """Press at the first point, go to the others, let go; `by`: mouse, pen or touch."""
        moves = [{"type": "pointerMove", "x": round(x), "y": round(y), "duration": 20} for x, y in points]
        actions = [moves[0], {"type": "pointerDown", "button": 0}, *moves[1:], {"type": "pointerUp", "button": 0}]
        pointer = {"type": "pointer", "id": by, "parameters": {"pointerType": by}, "actions": actions}
        self.command("input.performActions", **self.tab, actions=[pointer])

    def choose(self, selector: str, path: Path) -> None:
        """A file, in a file input."""
        found = self.command("browsingContext.locateNodes", **self.tab, locator={"type": "css", "value": selector})
        element = {"sharedId": found["nodes"][0]["sharedId"]}
        self.command("input.setFiles", **self.tab, element=element, files=[str(path)])

    def screenshot(self, path: Path) -> None:
        """Of the whole page."""
        path.parent.mkdir(exist_ok=True)
        taken = self.command("browsingContext.captureScreenshot", **self.tab, origin="document")
        path.write_bytes(base64.b64decode(taken["data"]))


@contextmanager
def firefox() -> Iterator[Firefox]:
    """Started with a profile of its own, and ended afterwards."""
    with tempfile.TemporaryDirectory() as profile:
        call = [FIREFOX, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"]
        process = subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            address = next(line.split(BEGUN)[1].strip() for line in process.stderr if BEGUN in line)
            yield Firefox(address)
        finally:
            process.terminate()
            process.communicate()

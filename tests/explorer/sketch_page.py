"""A page with the widget alone, in which a person draws."""

import json
from collections.abc import Sequence
from pathlib import Path

import vae_core
from vae_core.explorer.sketch import PLACING, TEXTS

SOURCES = Path(vae_core.__file__).parent / "explorer"
MNIST = PLACING["mnist"]
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Sketch</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; script-src 'unsafe-inline';
  style-src 'unsafe-inline'"><link rel="icon" href="data:,"><style>STYLE</style>
<main><h1>Sketch</h1><section><div id="host"></div></section></main>
<script>SCRIPT
const got = [], options = OPTIONS, count = options.labels.length;
const made = sketching.widget(document.getElementById("host"), {
  ...options, onImage: (image, how) => got.push([image && Array.from(image), how]),
  tests: { labels: options.labels, class_names: options.class_names,
    image: (i) => new Float32Array(options.shape.reduce((a, b) => a * b)).fill(i / count) },
});
</script></html>"""


def sketch_page(
    folder: Path, shape: Sequence[int] = (28, 28, 1), placed: dict = MNIST, class_names: Sequence[str] = ("0", "1")
) -> Path:
    """Write it. What the widget tells is in `got`; the test images 0 to 5 have one grey each, and two classes."""
    options = {"shape": shape, "placing": placed, "texts": TEXTS, "class_names": class_names}
    content = {
        "STYLE": "".join((SOURCES / name).read_text() for name in ("explorer.css", "sketch.css")),
        "SCRIPT": (SOURCES / "sketch.js").read_text(),
        "OPTIONS": json.dumps(options | {"labels": [0, 0, 1, 0, 1, 1]}),
    }
    page = PAGE
    for name, text in content.items():
        page = page.replace(name, text)
    path = folder / "sketch.html"
    path.write_text(page)
    return path

"""Results made up for a small book: three lessons, and a sweep with its report and explorer."""

import base64
import io
from pathlib import Path

from nbformat import v4
from PIL import Image

from tests.run_folders import make_run
from vae_core import runs

CONFIG = {"dataset": "mnist", "seed": 0, "epochs": 2, "data_checksum": "abc"}


def picture(kind: str) -> str:
    """A picture of 8 x 8 pixels, of two frames if it is a GIF, as a notebook holds it."""
    frames = [Image.new("L", (8, 8), grey) for grey in (0, 255)]
    others = {"save_all": True, "append_images": frames[1:], "duration": 100, "loop": 0} if kind == "gif" else {}
    file = io.BytesIO()
    frames[0].save(file, kind, **others)
    return base64.b64encode(file.getvalue()).decode()


def output(kind: str, content: str, **metadata: str):
    data = {kind: content, "text/plain": "words"}
    return v4.new_output("execute_result", data, metadata={kind: metadata} if metadata else {})


def write_notebook(file: Path, *cells) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}  # of an execution
    file.write_text(v4.writes(v4.new_notebook(cells=list(cells), metadata=metadata)))


def write_lesson(file: Path, title: str, *cells) -> None:
    write_notebook(file, v4.new_markdown_cell(f"# {title}\n\nAbout {title}."), *cells)


def write_results(folder: Path) -> Path:
    """The results folder; its notebooks would leave a file `executed` if anything executed them."""
    trap = v4.new_code_cell(
        f"open({str(folder / 'executed')!r}, 'w')", outputs=[v4.new_output("stream", text="printed long ago\n")]
    )
    long = v4.new_code_cell("\n".join(f"long_code({line})" for line in range(7)))
    write_lesson(
        folder / "lessons" / "the_prior.ipynb",
        "The prior",
        v4.new_markdown_cell(
            "A formula, $\\mathrm{KL} = \\tfrac12 \\mu^2$, a [lesson](bug_gallery.ipynb), [its source](the_prior.py), "
            "[a point](../kl_sweep/mnist/explorer.html#weight=10&z=1.2,-0.4) and [a page](../docs/sweep.md#options)."
            "\n\n$$\\boldsymbol{z} \\sim \\mathcal{N}(0, I)$$\n\n"
            "<details><summary>The answer</summary>\n\n*39.3 %*\n\n</details>\n\n## The target cloud"
        ),
        trap,
        long,
        v4.new_code_cell("picture", outputs=[output("image/png", picture("png"))]),
        v4.new_code_cell("motion", outputs=[output("image/gif", picture("gif"), alt="Two greys")]),
        v4.new_code_cell("table", outputs=[output("text/markdown", "| a |\n|--:|\n| 0.393 |")]),
    )
    write_lesson(folder / "lessons" / "bug_gallery.ipynb", "A gallery of mistakes")
    sweep_dir = folder / "kl_sweep" / "mnist"
    for kl_weight in (0.5, 2.0, 20.0):
        write_run(sweep_dir / runs.run_name(kl_weight, 0), "One VAE", kl_weight)
    (sweep_dir / "kl_20.00_seed0" / "run.ipynb").unlink()
    write_lesson(sweep_dir / "report.ipynb", "The sweep")
    (sweep_dir / "explorer.html").write_text("<!DOCTYPE html><title>An explorer</title>")
    (sweep_dir / "explorer.png").write_bytes(base64.b64decode(picture("png")))
    write_run(folder / "lessons" / "elbo_and_kl" / "mnist" / "kl_00.50_seed0", "The ELBO", 0.5)
    return folder


def write_run(folder: Path, title: str, kl_weight: float) -> None:
    make_run(folder, CONFIG | {"kl_weight": kl_weight})
    write_lesson(folder / "run.ipynb", title)

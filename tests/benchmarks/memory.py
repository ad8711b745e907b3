"""Peak resident memory of a whole worker: train_vae on made-up colour images of 64 x 64, cell by cell.

python -m tests.benchmarks.memory                    55,000 images, none labelled: tens of minutes
python -m tests.benchmarks.memory --labelled --latent-dim 2

The images come from an .npz file; 12 KB each, they stay in memory as bytes. The aim is 2 GB. Training is one epoch:
more of them take no more memory.
"""

import argparse
import re
import tempfile
import zipfile
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import papermill

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "train_vae.ipynb"
SHAPE, CLASSES = (64, 64, 3), 10
AIM = 2.0  # GB
LOOK = """
print("peak", *[line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")])
"""  # in KB; of the process alone, where getrusage may have its parent's


def write_images(path: Path, images: int, labelled: bool) -> None:
    """An .npz file of noise around a grey level of each image's own, the level being its class, written in parts."""
    rng = np.random.default_rng(0)
    labels = rng.integers(CLASSES, size=images)
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("images.npy", "w", force_zip64=True) as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": (images, *SHAPE)}
            np.lib.format.write_array_header_1_0(file, header)
            for some in np.array_split(labels, -(-images // 1000)):
                noise = rng.integers(0, 64, (len(some), *SHAPE), dtype=np.uint8)
                file.write((noise + (15 * some[:, None, None, None]).astype(np.uint8)).tobytes())
        if labelled:
            with archive.open("labels.npy", "w") as file:
                np.lib.format.write_array(file, labels)


def peaks_of_run(settings: dict, folder: Path) -> pd.Series:
    """The peak in GB after each code cell of train_vae, by the heading above it."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source += LOOK
    looking = folder / "looking.ipynb"
    nbformat.write(notebook, looking)
    arguments = {"kernel_name": "python3", "progress_bar": False, "cwd": NOTEBOOK.parent}
    executed = papermill.execute_notebook(looking, folder / "executed.ipynb", settings, **arguments)
    heading, peaks = "", {}
    for cell in executed.cells:
        heading = (re.findall(r"^#+ (.*)", cell.source, re.MULTILINE) or [heading])[-1]
        texts = [output.get("text", "") for output in cell.get("outputs", [])]
        if found := re.findall(r"^peak (\d+)$", "".join(texts), re.MULTILINE):
            peaks[heading] = int(found[-1]) / 1e6
    return pd.Series(peaks, name="peak GB so far")


def main() -> None:
    """Measure and print the peak after each part of the notebook."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=55_000, help="of which 80 %% are for training")
    parser.add_argument("--latent-dim", type=int, default=32)
    parser.add_argument("--labelled", action="store_true", help="with the judge and the nearest neighbours of codes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "made_up.npz"
        write_images(images, options.images, options.labelled)
        settings = {"dataset": str(images), "run_dir": f"{folder}/run", "latent_dim": options.latent_dim, "epochs": 1}
        peaks = peaks_of_run(settings, Path(folder))
    print(peaks.round(2).to_frame().to_markdown())
    verdict = "within" if peaks.max() <= AIM else "above"
    print(f"\n{peaks.max():.2f} GB, {verdict} the aim of {AIM:g} GB")


if __name__ == "__main__":
    main()

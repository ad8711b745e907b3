"""Run folders made up from their settings, with all that a sweep reads of them; nothing is trained."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from vae_core import runs

MEASURES = {"distortion": 100.0, "rate": 1.5, "negative_elbo": 101.5, "zero_information_distortion": 200.0, "images": 5}


def make_run(folder: Path, config: Mapping[str, object], seconds=(1.0,), **measures) -> Path:
    """A finished run of five images, with a picture and an executed notebook."""
    parameters = {name: value for name, value in config.items() if name != "data_checksum"}
    runs.start_run(parameters, config.get("data_checksum", "abc"), folder)
    (folder / "history.csv").write_text("epoch,val_distortion,val_rate\n1,100,1.5\n2,99,1.5\n")
    (folder / "scatter.png").write_bytes(b"picture")
    (folder / "run.ipynb").write_text("{}")
    runs.save_latent(folder, runs.Latent(mean=np.zeros((5, 2)), log_var=np.zeros((5, 2)), labels=np.arange(5)))
    runs.write_json(folder / "measures.json", MEASURES | measures)
    runs.finish_run(folder, list(seconds))
    runs.update_record(folder, 9.0)
    return folder


def read_folder(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path from there."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

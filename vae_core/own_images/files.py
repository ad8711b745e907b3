"""Arrays of images and labels from .npz and .npy files."""

from pathlib import Path

import numpy as np

from vae_core.errors import InputError

ARRAYS = ("images", "labels", "class_names", "test_images", "test_labels")


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Those of `ARRAYS` that an .npz file has, or the one array of an .npy file as `images`.

    Pickled objects are never loaded: loading runs whatever code is in them.

    Raises InputError for another kind of file, a damaged one, or one without images.
    """
    if path.suffix.lower() not in (".npz", ".npy"):
        raise InputError("only an .npz file, an .npy file or a folder of PNG or JPEG pictures can be read")
    try:
        loaded = np.load(path)
        if isinstance(loaded, np.ndarray):
            return {"images": loaded}
        with loaded:
            names = loaded.files
            arrays = {name: loaded[name] for name in ARRAYS if name in names}
    except PermissionError:
        raise
    except Exception as error:  # of zipfile, zlib or NumPy
        if "Object arrays" in str(error):
            raise InputError(
                "it holds pickled objects, which are never loaded: save numbers, or words as str"
            ) from error
        raise InputError(f"it is damaged, or no {path.suffix} file: save it again") from error
    if "images" not in arrays:
        found = ", ".join(names) or "nothing"
        raise InputError(f"it has no array named images, only {found}: save it again, np.savez(path, images=...)")
    if others := sorted({*names} - {*arrays}):
        print(f"{path.name}: not used: {', '.join(others)}")
    return arrays

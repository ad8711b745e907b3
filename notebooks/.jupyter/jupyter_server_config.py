"""Jupyter's settings for this environment: run_all.sh copies them into .venv/etc/jupyter.

The notebooks of the suite are sources, and git keeps them without outputs. Jupyter would save a notebook that was run
with its outputs, and git would show it as changed. So a source is saved without them. What a run makes is in its
results folder.
"""

from pathlib import Path

KEPT = ("jupytext", "kernelspec")  # of a notebook's metadata


def without_outputs(model, path, contents_manager, **others):
    """Strip a source of what running it adds; a source has jupytext.toml beside it. Leave all other files alone."""
    folder = (Path(contents_manager.root_dir) / path).resolve().parent
    if model["type"] != "notebook" or not (folder / "jupytext.toml").exists():
        return
    notebook = model["content"]
    notebook["metadata"] = {name: notebook["metadata"][name] for name in KEPT if name in notebook["metadata"]}
    for cell in notebook["cells"]:
        cell["metadata"] = {"tags": cell["metadata"]["tags"]} if "tags" in cell["metadata"] else {}
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None


c = get_config()  # noqa: F821 - Jupyter defines it
c.FileContentsManager.pre_save_hook = without_outputs

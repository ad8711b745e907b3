"""Who may import whom, read from the source; and what is really loaded, in a fresh process."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from vae_core import runs

MODULES = {
    ".".join(path.relative_to(runs.PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in runs.PACKAGE.rglob("*.py")
}
ROOMS = ("measures", "collapse", "figures", "execution", "sweep", "report", "explorer", "book", "lessons")
MAY_IMPORT = {  # besides the modules in the root of the package, which every room may
    "core": set(),
    "measures": {"collapse"},
    "collapse": {"execution"},
    "figures": set(),
    "lessons": {"measures", "figures", "collapse"},
    "execution": set(),
    "report": {"figures", "execution", "explorer"},  # the explorer from `collect` alone: see below
    "explorer": {"report", "figures", "collapse"},
    "book": {"report", "execution"},
    "sweep": {"report", "execution"},
}


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else "core"


def imported_by(path: Path) -> set[str]:
    """The modules of vae_core that a file imports, at the top or within a function."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative imports hide where a name comes from"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return {name for name in names if name in MODULES and name != "vae_core"}


@pytest.mark.parametrize("module", MODULES)
def test_every_module_imports_only_what_its_room_may(module):
    room = room_of(module)
    for name in imported_by(MODULES[module]):
        assert room_of(name) in {"core", room} | MAY_IMPORT[room], f"{module} imports {name}"


def test_of_the_report_what_collects_all_alone_imports_the_explorer():
    """Else the two would need each other: the explorer reads the report's tables."""
    importing = {
        module
        for module, path in MODULES.items()
        if room_of(module) == "report" and any(room_of(name) == "explorer" for name in imported_by(path))
    }
    assert importing == {"vae_core.report.collect"}


@pytest.mark.parametrize("module", [name for name in MODULES if room_of(name) == "lessons"])
def test_no_lesson_imports_another_lesson(module):
    own = module.split(".")[2:3]
    for name in imported_by(MODULES[module]):
        if room_of(name) == "lessons":
            assert name.split(".")[2:3] == own, f"{module} imports {name}"


@pytest.mark.parametrize("module", [name for name in MODULES if room_of(name) == "core"])
def test_the_core_imports_neither_notebook_tools_nor_figures(module):
    """At the top of a file; Keras itself loads IPython, so that a running process does not tell."""
    for node in ast.parse(MODULES[module].read_text()).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            assert not {name.split(".")[0] for name in names} & {"IPython", "papermill", "nbformat", "matplotlib"}


@pytest.mark.parametrize(
    "modules",
    [
        "vae_core.sweep.command, vae_core.report.command, vae_core.report.published, vae_core.report.claims",
        "vae_core.figures",
        "vae_core.explorer.__main__",
        "vae_core.book.command",
        "vae_core.data, vae_core.latent, vae_core.runs, vae_core.parameters, vae_core.tutorials, vae_core.statistics",
    ],
)
def test_what_needs_no_keras_does_not_load_it(modules):
    code = f"import sys, {modules}; print(*[name for name in ('keras', 'tensorflow') if name in sys.modules])"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == ""

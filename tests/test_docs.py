"""README, docs/ and the other pages: short, true, linked, and with commands that work."""

import importlib.util
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from functools import cache, partial
from itertools import combinations
from pathlib import Path

import jupytext
import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest
import yaml
from jupytext.compare import compare_notebooks

from tests.test_notebooks import NOTEBOOKS, RUN_FILES, streams
from vae_core import latent, runs
from vae_core.explorer.__main__ import main as explorer
from vae_core.report import published
from vae_core.report.reading_order import READING_ORDER
from vae_core.report.sheets import ANIMATIONS, SHEETS
from vae_core.report.tables import loss_table
from vae_core.statistics import mean_and_spread, paired_difference
from vae_core.sweep.command import parser
from vae_core.sweep.plan import plan

README = runs.PROJECT / "README.md"
CONTRIBUTING = runs.PROJECT / "CONTRIBUTING.md"
TEACHING = runs.NOTEBOOKS / "README.md"
PAGES = ("sweep", "measures", "promises", "python")
SWEEP, MEASURES, PROMISES, PYTHON = (runs.PROJECT / "docs" / f"{name}.md" for name in PAGES)
WRITTEN = [README, CONTRIBUTING, TEACHING, *sorted((runs.PROJECT / "docs").glob("*.md"))]
GENERATED = [runs.RESULTS / "README.md", published.PUBLISHED / "tutorials.md"]
MNIST = published.SWEEPS / "mnist"
WHICH_WEIGHT = published.LESSONS / "which_weight_are_you_using.ipynb"


def page_name(path: Path) -> str:
    return str(path.relative_to(runs.PROJECT))


def prose(path: Path) -> str:
    """A page without its code blocks and the addresses of its links, on one line."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"^    \S.*$", "", text, flags=re.MULTILINE)
    return " ".join(re.sub(r"\]\([^)]+\)", "]", text).split())


def numbers_in(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?![\w])", text))


def test_the_readme_is_read_in_three_minutes():
    assert len(README.read_text().split()) <= 700


@pytest.mark.parametrize("page", [CONTRIBUTING, *WRITTEN[3:]], ids=page_name)
def test_a_page_is_a_page(page):
    assert len(page.read_text().split()) <= 1000


@pytest.mark.parametrize("page", WRITTEN + GENERATED, ids=page_name)
def test_every_link_leads_to_a_file(page):
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    broken = [link for link in links if "://" not in link and not (page.parent / link.split("#")[0]).is_file()]
    assert not broken
    assert "](/" not in page.read_text()


@pytest.mark.parametrize("page", WRITTEN, ids=page_name)
def test_every_path_that_is_named_exists(page):
    """Of files that a user or a contributor makes, the folder."""
    paths = re.findall(r"`((?:vae_core|tests|notebooks|docs|results/published)/[\w./]*)`", page.read_text())
    to_be_made = ("NAME",)
    assert all((runs.PROJECT / path).exists() for path in paths if not any(word in path for word in to_be_made))


def test_no_long_sentence_stands_in_two_pages():
    sentences = {
        page: {s for s in re.split(r"(?<=[.:?!|])\s", prose(page)) if len(re.findall(r"\w+", s)) >= 12}
        for page in WRITTEN
    }
    for one, other in combinations(WRITTEN, 2):
        assert not sentences[one] & sentences[other]


@pytest.mark.parametrize("page", WRITTEN + GENERATED, ids=page_name)
def test_a_seed_is_a_random_seed(page):
    assert not re.search(r"seeds?[ _](document|00\d)|the seed's", page.read_text(), re.IGNORECASE)


def test_citation_and_licence_name_the_same_authors():
    citation = yaml.safe_load((runs.PROJECT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(citation)
    assert citation["license"] == "MIT"
    licence = (runs.PROJECT / "LICENSE").read_text()
    assert licence.startswith(f"MIT License\n\nCopyright (c) 2026 {citation['authors'][0]['name']}\n")


# Commands


def commands_in(page: Path) -> list[str]:
    """The lines of indented blocks, and what stands between backticks, if they are commands."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    blocks = [line.strip() for line in re.findall(r"(?<=\n)    \S.*", text)]
    shown = re.findall(r"`((?:\w+=\S+ )?(?:\./run_all\.sh|python -m|papermill|cd|pip install)[^`]*)`", text)
    return [line for line in blocks if not line.startswith(("#SBATCH", "objective ="))] + [
        " ".join(line.split()) for line in shown if " " in line or line.startswith("./")
    ]


COMMANDS = sorted({(command, page_name(page)) for page in WRITTEN for command in commands_in(page)})


def simple_commands(line: str) -> list[list[str]]:
    """The words of each command of a line, without what stands before it (variables, nohup, srun) and a &."""
    parts = [shlex.split(part) for part in re.split(r"&&|&$", line) if part.strip()]
    for words in parts:
        while words and (words[0] == "nohup" or re.match(r"\w+=", words[0])):
            words.pop(0)
    return [words[words.index("dask") :] if words[0] == "srun" else words for words in parts if words]


def tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


@cache
def output_of(*command: str) -> str:
    finished = subprocess.run(command, cwd=runs.PROJECT, capture_output=True, text=True, check=True)
    return finished.stdout + finished.stderr


def assert_options_exist(words: list[str], *command: str) -> None:
    """Every option of the command stands in its help."""
    help_text = output_of(*command, "--help")
    for option in (word for word in words if word.startswith("--")):
        assert re.search(rf"{option}\b", help_text), option


def check_run_all(words: list[str], tmp_path: Path) -> None:
    usage = output_of("bash", "run_all.sh", "--help")
    if not words or words[0].startswith("-"):
        check_sweep(words)
        return
    assert words[0] in re.findall(r"^\./run_all\.sh (\w+)", usage, re.MULTILINE)
    if "-n" in words:
        assert importlib.util.find_spec("xdist")
    for path in (word for word in words if "/" in word):
        assert (runs.PROJECT / path).is_file()


def check_sweep(words: list[str]) -> None:
    """Parse and plan, on the data set that needs no download."""
    if "--help" not in words:
        options = parser().parse_args(words)
        options.dataset = "digits"
        assert plan(options).sweeps


def check_python(words: list[str], tmp_path: Path) -> None:
    assert words[0] == "-m"
    module, rest = words[1], words[2:]
    if module == "vae_core.sweep":
        check_sweep(rest)
    elif module == "vae_core.explorer":
        assert len(rest) == 1
        assert explorer([str(tmp_path)]) == 2  # no finished run there: it got as far as to look
    else:
        has_command = module in ("vae_core.collapse", "vae_core.sweep.lessons", "vae_core.report")
        check_benchmark(f"{module}.command" if has_command else module, rest)


def check_benchmark(module: str, words: list[str]) -> None:
    """Its help, in this process, where TensorFlow is imported already."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), pytest.raises(SystemExit):
        patch.setattr(sys, "argv", [module, "--help"])
        importlib.import_module(module).main()
    assert "usage: " in said.getvalue()
    assert all(option in said.getvalue() for option in words if option.startswith("--"))


def check_papermill(words: list[str], tmp_path: Path) -> None:
    if words[0] == "--help-notebook":
        assert "kl_weight" in output_of(tool("papermill"), *words)
        return
    parameters = papermill.inspect_notebook(str(runs.PROJECT / words[0]))
    assert {words[i + 1] for i, word in enumerate(words) if word == "-p"} <= set(parameters)


def check_pip(words: list[str], tmp_path: Path) -> None:
    assert words[0] == "install"
    assert (runs.PROJECT / words[-1]).exists()


CHECKS = {
    "./run_all.sh": check_run_all,
    "python": check_python,
    "papermill": check_papermill,
    "pip": check_pip,
    "dask": lambda words, tmp_path: assert_options_exist(words, tool("dask"), words[0]),
    "jupytext": lambda words, tmp_path: assert_options_exist(words, tool("jupytext")),
    "ruff": lambda words, tmp_path: assert_options_exist(words, tool("ruff"), words[0]),
}
SHELL = ("cd", "git", "kill", "source")  # nothing of ours to check


@pytest.mark.parametrize(("command", "page"), COMMANDS, ids=[f"{page}: {command}" for command, page in COMMANDS])
def test_a_command_is_one_that_its_program_takes(command, page, tmp_path):
    for program, *words in simple_commands(command):
        if program not in SHELL:
            CHECKS[program](words, tmp_path)


def test_commands_of_every_kind_are_found():
    programs = {words[0] for command, _ in COMMANDS for words in simple_commands(command)}
    assert programs == set(CHECKS) | set(SHELL)


@pytest.mark.slow
def test_the_papermill_command_trains_one_model(tmp_path):
    command = next(line for line in commands_in(SWEEP) if line.startswith("papermill notebooks/train_vae.ipynb"))
    program, notebook, _, *arguments = shlex.split(command)
    arguments += ["-p", "run_dir", str(tmp_path / "run"), "-p", "epochs", "3"]
    command = [tool(program), notebook, str(tmp_path / "out.ipynb"), *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "VAE_DATA_DIR"}
    subprocess.run(command, cwd=runs.PROJECT, env=environment, check=True, capture_output=True)
    assert runs.is_done(tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == RUN_FILES
    config = runs.read_json(tmp_path / "run" / "config.json")
    assert (config["kl_weight"], config["dataset"], config["epochs"]) == (0.5, "digits", 3)
    history = pd.read_csv(tmp_path / "run" / "history.csv")
    assert history["epoch"].tolist() == [1, 2, 3]
    pd.testing.assert_series_equal(
        history["objective"], history["distortion"] + 0.5 * history["rate"], check_names=False, rtol=1e-5
    )
    assert [line.split(":")[0] for line in streams(tmp_path / "out.ipynb")] == ["written"]
    assert explorer([str(tmp_path / "run")]) == 0


def test_the_jupytext_command_writes_and_updates_the_pair(tmp_path):
    command = next(line for line in commands_in(CONTRIBUTING) if "jupytext" in line)
    words = simple_commands(command)[1]
    for name in ("the_prior.py", "jupytext.toml"):
        shutil.copy(runs.NOTEBOOKS / name, tmp_path)
    for name in ("new", "changed"):
        source = tmp_path / "the_prior.py"
        source.write_text(source.read_text() + f"\n# %% [markdown]\n# {name}\n")
        command = [tool(words[0]), *(word.replace("NAME", "the_prior") for word in words[1:])]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
        pair = nbformat.read(tmp_path / "the_prior.ipynb", nbformat.NO_CONVERT)
        assert pair.cells[-1].source == name
        compare_notebooks(pair, jupytext.read(source), fmt="py:percent")


@pytest.mark.slow
def test_the_python_examples_run(tmp_path, monkeypatch):
    variables: dict = {}
    examples = re.findall(r"^```python\n(.*?)^```$", PYTHON.read_text(), re.DOTALL | re.MULTILINE)
    fitted, loaded, watched, scheduled = (partial(exec, example, variables) for example in examples)
    monkeypatch.chdir(tmp_path)
    fitted()
    run = Path("results/kl_sweep/digits/kl_01.00_seed0")
    run.mkdir(parents=True)
    variables["vae"].save_weights(run / "model.weights.h5")
    image = latent.decode(variables["vae"], [[0.5, -1.0]])[0]
    loaded()
    np.testing.assert_array_equal(variables["image"], image)
    assert (image.shape, image.min() >= 0, image.max() <= 1) == ((28, 28, 1), True, True)
    watched()
    history = variables["vae"].history.history
    assert min(history["val_loss"]) == pytest.approx(variables["keep"].best)
    assert len(variables["vae"].optimizer.variables) == len(variables["best"].optimizer.variables)
    scheduled()
    history = variables["vae"].history.history
    assert len(history["val_objective"]) == 10
    assert np.isfinite(history["val_objective"]).all()
    steps_per_epoch = -(-len(variables["digits"].train_images) // 128)
    assert steps_per_epoch == 10  # as the page says
    assert float(variables["vae"].kl_weight) == 1


# What docs/ says


def test_the_options_of_the_sweep_are_those_of_the_page():
    rows = re.findall(r"^\| `(-[\w-]+)` \|", SWEEP.read_text(), re.MULTILINE)
    options = {action.option_strings[0] for action in parser()._actions} - {"-h"}
    assert len(rows) == len(set(rows))
    assert set(rows) == options


def test_the_files_of_sweeps_and_runs_are_those_of_the_page():
    named = set(re.findall(r"`([\w.]+\.\w+)`", SWEEP.read_text()))
    assert named >= RUN_FILES | {"run.ipynb", "report.ipynb", "explorer.html", "summary.csv", "loss_table.csv"}
    assert named >= {f"{name}.png" for name in SHEETS} | {f"{name}.gif" for name in ANIMATIONS}


def test_every_promise_of_a_sweep_has_its_test():
    promised = re.findall(r"`(test_\w+)` \|$", PROMISES.read_text(), re.MULTILINE)
    tests = "".join(path.read_text() for path in (runs.PROJECT / "tests").rglob("test_*.py"))
    assert len(promised) > 10
    assert [name for name in promised if f"def {name}(" not in tests] == []


def test_every_measure_is_explained_once(digits_sweep):
    measured = runs.read_json(digits_sweep[0] / "kl_01.00_seed0" / "measures.json")
    rows = [line.split(" | ")[0] for line in MEASURES.read_text().splitlines() if line.startswith("| `")]
    explained = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert len(explained) == len(set(explained))
    names = {name for name in measured if not name.endswith("_se")}
    unnamed = names - set(explained)
    assert all(re.fullmatch(r"code_(mean|cov)_[z\d]+", name) for name in unnamed)
    elsewhere = {"nll_change", "learned_variance"}  # in more dimensions, and with another likelihood
    assert set(explained) <= names | elsewhere


# What the published results say


def table_rows(notebook: Path, start: str) -> list[str]:
    """The lines of the tables in an executed notebook that begin so."""
    cells = nbformat.read(notebook, nbformat.NO_CONVERT).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    lines = "\n".join(output.get("data", {}).get("text/plain", "") for output in outputs).splitlines()
    return [line for line in lines if line.startswith(start)]


def test_the_numbers_of_the_readme_are_the_published_ones():
    finished = runs.read_runs(runs.finished_folders(MNIST))
    table, by_seed = loss_table(finished).set_index("kl_weight"), finished.by_seed()
    assert (len(table), table.index.min(), table.index.max(), set(table["seeds"])) == (8, 0, 20, {3})
    assert set(finished.measures["images"]) == {10_000}

    def at(kl_weight: float, name: str, decimals: int = 2) -> str:
        return mean_and_spread(table.loc[kl_weight, f"{name}_mean"], table.loc[kl_weight, f"{name}_std"], decimals)

    def mean(kl_weight: float, name: str) -> str:
        return at(kl_weight, name).split(" ")[0]

    unweighted = finished.measures[finished.settings["kl_weight"] == 0]
    told = (unweighted["mutual_information"] / unweighted["rate"]).mean()
    lowest = table["nll_mean"].idxmin()
    assert paired_difference(by_seed["nll"][lowest], by_seed["nll"][1.0]).within_spread
    assert at(20, "prior_classes", 1) == at(20, "mixture_classes", 1)
    evenest, most_alike = table["prior_class_entropy_mean"].idxmax(), table["knn_accuracy_mean"].idxmax()
    expected = [
        f"From weight 0 to 20 the rate falls from {mean(0, 'rate')} to {mean(20, 'rate')}, and the means of the codes "
        f"draw in from {mean(0, 'mean_spread')} times the spread of the prior to {mean(20, 'mean_spread')} times:",
        f"At weight 0 only {100 * told:.1f} % of it tells the test images apart: {mean(0, 'mutual_information')} of "
        f"{at(0, 'rate')} nats. At weight 1 it is {at(1, 'mutual_information')} of {at(1, 'rate')}.",
        f"At weight 0 samples of the prior show {at(0, 'prior_classes', 1)} of the ten classes, but samples drawn "
        f"where the codes are show {at(0, 'mixture_classes', 1)}. At weight 20 both show {at(20, 'prior_classes', 1)}.",
        f"-log p(x) is lowest at {lowest:g} ({at(lowest, 'nll')}; {at(1, 'nll')} at 1 is within the spread). Samples "
        f"spread most evenly over the classes at {evenest:g}. Neighbouring codes share a class most often at "
        f"{most_alike:g}.",
    ]
    for sentence in expected:
        assert sentence in prose(README)
    others = {"3.11", "3.12", "3.13", "2.9"}  # Python, and gigabytes of disk
    guide = {"12.25", "0.00002", "0.06754", "0.06719"}  # see below
    decimals = {number for number in numbers_in(prose(README)) if "." in number}
    assert decimals == others | guide | {n for sentence in expected for n in numbers_in(sentence) if "." in n}


def test_the_numbers_of_the_hook_are_in_the_executed_notebook():
    assert "It is 12.25: one term of the loss is a mean over 784 pixels, the other a mean over 32" in prose(README)
    rows = [line.split()[4:] for line in table_rows(WHICH_WEIGHT, "Keras guide to subclassing")]
    error, kl_weight, _ = next(row for row in rows if len(row) == 3)
    rate, active = next(row for row in rows if len(row) == 2)
    (copy, *_), *_ = (line.split(": the mean image for all")[1].split() for line in table_rows(WHICH_WEIGHT, "none:"))
    assert (kl_weight, active) == ("12.25", "0.0")
    assert f"Its codes carry {rate} nats per image" in prose(README)
    assert f"error is {error}; drawing the mean training image for every input gives {copy}." in prose(README)
    assert float(error) > float(copy)


def test_the_size_of_the_explorer_page_is_right():
    assert f"({(MNIST / 'explorer.html').stat().st_size / 1e6:.0f} MB)" in prose(README)


def test_the_committed_gallery_is_what_the_report_writes():
    page = (runs.RESULTS / "README.md").read_text()
    assert page == published.gallery_page(runs.read_runs(runs.finished_folders(MNIST)))


def test_the_committed_page_of_the_tutorials_is_what_the_report_writes():
    page = (published.PUBLISHED / "tutorials.md").read_text()
    assert page == published.tutorials_page(published.tutorial_tables())
    assert set(re.findall(r"^\| (\d{3}) \|", page, re.MULTILINE)) == {"000", "001", "002", "003"}


# The page for teaching


def executed(name: str) -> Path | None:
    """The published copy of a notebook, if there is one."""
    special = {"train_vae": "kl_01.00_seed0/run.ipynb", "kl_sweep_report": "report.ipynb", "explore": "explorer.html"}
    if name in special:
        return MNIST / special[name]
    alone, with_runs = published.LESSONS / f"{name}.ipynb", sorted(published.LESSONS.glob(f"{name}/*/*/run.ipynb"))
    return alone if alone.exists() else next(iter(with_runs), None)


def shown_numbers(notebook: Path) -> list[float]:
    """All numbers in the outputs and the prose of an executed notebook, and in the measures of its run.

    Of an explorer page: those of its answers and tables.
    """
    if notebook.suffix == ".html":
        page = json.loads(re.search(r'id="data">(.*?)</script>', notebook.read_text(), re.DOTALL)[1])
        texts = [question["answer"] for question in page["questions"]]
        texts += [text for weight in page["weights"] for text in weight["measured"].values()]
        return [float(number.replace(",", "")) for text in texts for number in numbers_in(text.replace("%", " "))]
    cells = nbformat.read(notebook, nbformat.NO_CONVERT).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    texts += [output.get("text", "") + str(output.get("data", {}).get("text/plain", "")) for output in outputs]
    texts += [output.get("data", {}).get(kind, "") for output in outputs for kind in ("text/html", "text/markdown")]
    measures = notebook.with_name("measures.json")
    texts += [json.dumps(runs.read_json(measures))] if measures.exists() else []
    return [float(number.replace(",", "")) for text in texts for number in numbers_in(text.replace("%", " "))]


SECTIONS = [section for section in TEACHING.read_text().split("\n## ") if section.startswith("[")]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section[1 : section.index("]")])
def test_the_numbers_of_the_answers_for_teaching_are_in_the_executed_notebook(section):
    notebook = (runs.NOTEBOOKS / re.search(r"\]\(([^)]+)\)", section)[1]).resolve()
    answers = " ".join(re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", section))
    shown = shown_numbers(notebook)
    assert numbers_in(answers)
    for number in numbers_in(answers):
        decimals = len(number.partition(".")[2])
        assert any(f"{value:.{decimals}f}" == number.replace(",", "") for value in shown), f"{number} is not there"


def test_every_notebook_is_in_the_reading_order_and_on_the_page_for_teaching():
    assert sorted(entry.name for entry in READING_ORDER) == sorted(path.stem for path in NOTEBOOKS)
    expected = []
    for number, entry in enumerate(READING_ORDER, 1):
        link = os.path.relpath(executed(entry.name) or runs.NOTEBOOKS / f"{entry.name}.py", runs.NOTEBOOKS)
        source = f"[{entry.name}.py]({entry.name}.py)"
        expected.append(f"| {number} | [{entry.name}]({link}) | {entry.shows} | {entry.minutes:g} | {source} |")
    assert re.findall(r"^\| \d+ \|.*", TEACHING.read_text(), re.MULTILINE) == expected


def test_every_published_notebook_has_its_questions_in_reading_order():
    with_questions = [re.match(r"\[(\w+)\]\((.*?)\)", section).groups() for section in SECTIONS]
    published_ones = [(entry.name, executed(entry.name)) for entry in READING_ORDER if executed(entry.name)]
    assert with_questions == [(name, os.path.relpath(path, runs.NOTEBOOKS)) for name, path in published_ones]


def test_how_long_it_takes_is_right():
    minutes, words_said = re.search(r"([\d,]+) words.*about (\d+) minutes on two cores", prose(TEACHING)).groups()[::-1]
    assert float(minutes) == pytest.approx(sum(entry.minutes for entry in READING_ORDER), rel=0.15)
    notebooks = [path for entry in READING_ORDER if (path := executed(entry.name)) and path.suffix == ".ipynb"]
    cells = [cell for path in notebooks for cell in nbformat.read(path, nbformat.NO_CONVERT).cells]
    words = sum(len(cell.source.split()) for cell in cells if cell.cell_type == "markdown")
    assert float(words_said.replace(",", "")) == pytest.approx(words, rel=0.15)

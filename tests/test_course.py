"""The pages for a course: numbers of the questions are looked up where their answers link to, and solutions run."""

import io
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

from vae_core import runs
from vae_core.collapse.command import main as collapse
from vae_core.report import published
from vae_core.statistics import paired_difference

FAQ = runs.PROJECT / "docs" / "faq.md"
TEACHING = FAQ.with_name("teaching.md")
EXERCISES = FAQ.with_name("exercises.md")
COLLAPSE = FAQ.with_name("collapse.md")
MNIST = published.SWEEPS / "mnist"
REPORT, HISTORY = MNIST / "report.ipynb", MNIST / "kl_01.00_seed0" / "history.csv"
BUGS, WEIGHTS = (published.LESSONS / f"{name}.ipynb" for name in ("bug_gallery", "which_weight_are_you_using"))
DENSE, BINARIZED, AUTOENCODER, ELBO = (
    published.LESSONS / name / "run.ipynb"
    for name in (
        "dense_vae_fashion/fashion_mnist/kl_01.00_seed0",
        "conv_vae_binarized_mnist/mnist/kl_01.00_seed0",
        "autoencoder_vs_vae/mnist/kl_01.00_seed0",
        "elbo_and_kl/mnist/kl_00.50_seed0",
    )
)
NUMBER = r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w])"


class Tables(HTMLParser):
    """The rows of all tables in a page, each a list of cells; a cell that spans rows is repeated."""

    def __init__(self, html: str):
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.below: dict[int, tuple[str, int]] = {}  # by column: a cell that spans so many rows more
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
            self._repeat()
        elif tag in ("td", "th"):
            self.span = int(dict(attributes).get("rowspan", 1))
            self.tables[-1][-1].append("")
            self.in_cell = True

    def handle_data(self, data):
        if getattr(self, "in_cell", False):
            self.tables[-1][-1][-1] += data

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            row, self.in_cell = self.tables[-1][-1], False
            if self.span > 1:
                self.below[len(row) - 1] = (row[-1], self.span - 1)
            self._repeat()

    def _repeat(self):
        row = self.tables[-1][-1]
        while len(row) in self.below:
            text, left = self.below.pop(len(row))
            if left > 1:
                self.below[len(row)] = (text, left - 1)
            row.append(text)


def in_pipes(markdown: str) -> list[list[list[str]]]:
    """The tables of a Markdown text as `Tables` has them."""
    lines = [re.split(r"(?<!\\)\|", line.strip())[1:-1] for line in markdown.splitlines() if line.startswith("|")]
    return [[[cell.strip() for cell in line] for line in lines if not re.fullmatch(r":?-+:?", line[0].strip())]]


@cache
def section(file: Path, title: str) -> list:
    """The cells of a notebook from a heading to the next, that one excluded."""
    found, inside = [], False
    for cell in nbformat.read(file, nbformat.NO_CONVERT).cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            inside = cell.source.splitlines()[0] == f"## {title}"
        found += [cell] if inside else []
    assert found, f"{file.name} has no section {title}"
    return found


def outputs(file: Path, title: str) -> Iterator[dict]:
    return (output.get("data", {}) for cell in section(file, title) for output in cell.get("outputs", []))


@dataclass(frozen=True)
class Cell:
    """A cell of a table that a notebook shows: its section, the labels of its row, and its column."""

    file: Path
    title: str
    row: tuple[str, ...]
    column: str
    decimals: int | None = None  # the page rounds; None for the numbers as they are shown

    def numbers(self) -> list[str]:
        found = []
        for data in outputs(self.file, self.title):
            for table in Tables(data.get("text/html", "")).tables + in_pipes(data.get("text/markdown", "")):
                heads = [row for row in table if self.column in row][:1]
                rows = [row for row in table if tuple(row[: len(self.row)]) == self.row]
                found += [row[heads[0].index(self.column)] for row in rows if heads]
        assert len(set(found)) == 1, f"{self} is {found}"
        numbers = re.findall(NUMBER, found[0].replace("+", ""))
        assert numbers, f"{self} is {found[0]}"
        if "±" in found[0] and float(numbers[1]) == 0:  # a spread that no decimal shows is not said
            numbers = numbers[:1]
        return numbers if self.decimals is None else [f"{float(number):.{self.decimals}f}" for number in numbers]


@dataclass(frozen=True)
class Words:
    """Numbers in a sentence that a notebook has computed, or in a Markdown page: the groups of a pattern."""

    file: Path
    title: str
    pattern: str

    def numbers(self) -> list[str]:
        if self.file.suffix == ".md":
            text = re.split(rf"^## {re.escape(self.title)}$", self.file.read_text(), flags=re.MULTILINE)[1]
            text = text.split("\n## ")[0]
        else:
            text = "\n".join(data.get("text/markdown", "") for data in outputs(self.file, self.title))
        found = re.findall(self.pattern, text)
        assert len(found) == 1, f"{self.pattern} is there {len(found)} times"
        return [found[0]] if isinstance(found[0], str) else list(found[0])


@dataclass(frozen=True)
class Epoch:
    """A column of a history file at an epoch."""

    file: Path
    row: int
    column: str
    title = None

    def numbers(self) -> list[str]:
        return [f"{pd.read_csv(self.file).set_index('epoch').at[self.row, self.column]:.2f}"]


def bugs(title: str, row: str, column: str) -> Cell:
    return Cell(BUGS, title, (row,), column)


DIMENSIONS, BATCHES = "3. The mean over latent dimensions", "4. Sums that depend on the batch size"
NOISE, WARM_UP = "7. Information below 0, and full", "8. Warm-up or not?"
LOSSES, SPENT, JUDGED = "1. The loss table", "3. What the rate is spent on", "7. Samples, judged"
TWO, TEN = (bugs(DIMENSIONS, f"sum over {d}", "negative ELBO") for d in (2, 10))


def losses(weight: str, column: str) -> Cell:
    return Cell(REPORT, LOSSES, (weight,), column)


def judged(weight: str, codes: str, column: str) -> Cell:
    return Cell(REPORT, JUDGED, (weight, codes), column)


def copies(row: str) -> Cell:
    return Cell(AUTOENCODER, "Drawing the same image again", (row,), "squared_error")


# By entry: the numbers of its text in their order. A result is looked up at its place. In quotes stands what is no
# result: a weight, a size, a factor.
NUMBERS = {
    "The KL term goes to 0": [
        *("100", bugs(BATCHES, "KL summed", "rate")),
        Words(COLLAPSE, "Rare pixels", r"\| MNIST \| ([\d.]+),"),
    ],
    "The loss explodes, or is NaN": [
        Cell(DENSE, "The same without the mean", ("with the mean",), column)
        for column in ("negative_elbo", "negative_elbo, median", "largest log_var")
    ],
    "Samples are blurred": [
        *(judged("-", "real test images", "sharpness"), judged("1", "prior", "sharpness"), "1"),
        *(judged("20", "prior", "sharpness"), "20"),
    ],
    "All samples look alike": [
        *("20", losses("20", "rate"), judged("20", "prior", "classes"), "1", judged("1", "prior", "classes")),
    ],
    "Good copies, bad samples": [
        Cell(REPORT, SPENT, ("0",), "mean_spread"),
        *(judged("0", "prior", "classes"), judged("0", "mixture", "classes")),
    ],
    "Do I sample from the prior or from q(z|x)?": [
        Cell(BINARIZED, "Reconstructed or generated?", (f"{place}",), "mean -log p(x|z) of the 16 test images [nats]")
        for place in ("draws from q(z|x)", "samples of the prior")
    ],
    "Which beta?": [
        *("0.5", losses("0.5", "nll"), losses("1", "nll"), "1"),
        *("1", losses("1", "negative_elbo"), "0.5", "2", "2", judged("2", "prior", "class_entropy")),
    ],
    "Sum or mean?": [bugs(DIMENSIONS, "mean over 10", "negative ELBO"), TEN],
    "My loss is not that of the paper": [
        "0.00025",
        "784",
        Words(WEIGHTS, "Convert your own", r"factor before the KL term is 0.00025; the kl_weight is \*\*([\d.]+)\*\*"),
        Cell(WEIGHTS, "Proof", ("Keras guide to subclassing",), "kl_weight by the formula"),
    ],
    "The loss stays far above 0": [
        Cell(BINARIZED, "Black and white", (images,), "entropy of the pixels [nats]")
        for images in ("grey", "thresholded (here)")
    ],
    "The loss is negative": [
        *("1", "0.04"),
        Cell(ELBO, "5. Likelihoods", ("Gaussian, variance 0.04, perfect copies",), "vae_core.losses"),
        *("0", "1"),
    ],
    "Mutual information is negative": [
        Words(EXERCISES, NOISE, r"\nbelow 0: (\d+),"),
        "0",
        Words(EXERCISES, NOISE, r"\nbelow 0: \d+, least (-[\d.]+)"),
    ],
    "Which variance do squared errors have?": [
        "0.5",
        Words(
            ELBO,
            "7. Which variance do the images ask for?",
            r"and ([\d.]+) where it is solved for(?s:.*)The run's weight of 0.5 is ([\d.]+) times the second",
        ),
    ],
    "How many latent dimensions?": [
        *(TWO, TEN, "30"),
        Cell(AUTOENCODER, "One coordinate at a time", ("active_units",), "kl_weight 1", decimals=0),
        Cell(AUTOENCODER, "One coordinate at a time", ("8",), "rate"),
    ],
    "Warm-up or not?": [
        Words(EXERCISES, WARM_UP, r"\n20: (-[\d.]+) "),
        "20",
        Words(EXERCISES, WARM_UP, r"\n20: \S+ \[(-[\d.]+), \+([\d.]+)\]"),
        "95",
        Words(EXERCISES, WARM_UP, r"\n60: (-[\d.]+) \[(-[\d.]+), \+([\d.]+)\]"),
        "60",
    ],
    "The KL term rises while training": [
        "1",
        *(Epoch(HISTORY, epoch, column) for column in ("val_rate", "val_objective") for epoch in (1, 40)),
    ],
    "Mean or draw at test time?": [copies(row) for row in ("VAE, mean", "VAE, draw", "autoencoder")],
    "Log-variance or sigma?": [
        bugs("2. Log-variance used as sigma", "log-variance as sigma", column)
        for column in ("its own objective says", "negative ELBO")
    ],
    "Does a smaller loss need a larger learning rate?": [
        *("784", *(bugs("All together", f"loss / 784, {optimizer}", "cost") for optimizer in ("RMSprop", "Adam"))),
    ],
    "The result changes with the batch size": [
        *(
            "100",
            bugs(BATCHES, "KL summed, weight 1/100, batch x 10", "rate"),
            bugs(BATCHES, "fix, batch x 10", "rate"),
        ),
        "1000",
    ],
}
ENTRIES = dict(entry.split("\n", 1) for entry in FAQ.read_text().split("\n## ")[1:])
LINK = re.compile(r"\[([^\]]*)\]\(([^)]+)\)")


def test_the_numbers_of_every_question_have_a_place():
    assert list(ENTRIES) == list(NUMBERS)
    assert len(ENTRIES) >= 15


@pytest.mark.parametrize("title", NUMBERS)
def test_the_numbers_of_an_answer_are_where_it_links_to(title):
    said = re.findall(NUMBER, LINK.sub("", ENTRIES[title]))
    places = NUMBERS[title]
    assert said == [n for place in places for n in ([place] if isinstance(place, str) else place.numbers())]
    linked = {
        ((FAQ.parent / target).resolve(), name)
        for words, target in LINK.findall(ENTRIES[title])
        for name in re.findall(r"\*([^*]+)\*", " ".join(words.split())) or [None]
    }
    assert linked == {(place.file, place.title) for place in places if not isinstance(place, str)}


# Claims of the answers that are no single number


def test_what_the_answer_on_beta_says_of_the_weights():
    runs_of = pd.read_csv(MNIST / "summary.csv").pivot(index="seed", columns="kl_weight")
    nll, bound, entropy = (runs_of[name] for name in ("nll", "negative_elbo", "prior_class_entropy"))
    assert (nll.mean().idxmin(), bound.mean().idxmin(), entropy.mean().idxmax()) == (0.5, 1, 2)
    assert [weight for weight in nll if paired_difference(nll[weight], nll[0.5]).within_spread] == [0.5, 1]
    assert [weight for weight in bound if paired_difference(bound[weight], bound[1.0]).within_spread] == [0.5, 1, 2]


def test_what_two_seeds_can_show_is_said_to_be_found_and_nothing_else():
    """Student's interval of two differences of mean m and deviation s is m ± 12.7 s / sqrt(2)."""
    costs = {name: bugs("All together", name, "cost").numbers() for name in ("loss / 784, RMSprop", "loss / 784, Adam")}
    found = {name: abs(float(mean)) > 12.7 * float(deviation) / 2**0.5 for name, (mean, deviation) in costs.items()}
    assert found == {"loss / 784, RMSprop": True, "loss / 784, Adam": False}


# The exercises, and the plan

TASKS = dict(task.split("\n", 1) for task in EXERCISES.read_text().split("\n## ")[1:])


def output_of(task: str) -> str:
    """What the Python code of an exercise and its solution prints."""
    said = io.StringIO()
    with redirect_stdout(said):
        exec("\n".join(re.findall(r"^```python\n(.*?)^```$", task, re.DOTALL | re.MULTILINE)), {})
    return said.getvalue()


def answer_of(task: str) -> str:
    return re.search(r"^```text\n(.*?)^```$", task, re.DOTALL | re.MULTILINE)[1]


QUICK = [title for title, task in TASKS.items() if "train(" not in task and "python -m" not in task]


@pytest.mark.parametrize("title", QUICK)
def test_the_solution_prints_its_answer(title):
    assert output_of(TASKS[title]) == answer_of(TASKS[title])


@pytest.mark.slow
def test_the_solution_that_trains_at_two_weights_prints_its_answer():
    """As exactly as other processors repeat a training."""
    task = TASKS["4. Is it so?"]
    said, answer = (re.findall(r"(\d+): rate ([\d.]+)", text) for text in (output_of(task), answer_of(task)))
    assert [weight for weight, _ in said] == [weight for weight, _ in answer] == ["10", "35"]
    assert [float(rate) for _, rate in said] == pytest.approx([float(rate) for _, rate in answer], abs=0.05)
    assert float(answer[1][1]) < 0.1


def test_the_command_of_the_third_exercise_prints_its_answer(capsys):
    (command,) = re.findall(r"^    python -m vae_core.collapse (.*)$", TASKS["3. Told from the images"], re.MULTILINE)
    collapse(command.split())
    assert answer_of(TASKS["3. Told from the images"]) in capsys.readouterr().out


@pytest.mark.slow
def test_the_solution_on_warm_up_runs():
    """On one seed and for two epochs: all six trainings take longer than a test may."""
    task = TASKS[WARM_UP]
    for full, short in (("range(3)", "range(1)"), ("epochs=60", "epochs=2"), ('epochs": 60', 'epochs": 2')):
        assert task.count(full) == 1
        task = task.replace(full, short)
    assert re.fullmatch(r"1: [+-]\d+\.\d\d\n2: [+-]\d+\.\d\d\n", output_of(task.replace("(20, 60)", "(1, 2)")))


def test_there_are_eight_exercises_with_folded_solutions():
    assert [title.split(".")[0] for title in TASKS] == [str(number) for number in range(1, 9)]
    for task in TASKS.values():
        assert task.count("<details>") == task.count("</details>") == 1
        assert task.index("<details>") < task.index("```text")


def test_the_glossary_has_twenty_words():
    assert len(re.findall(r"^\| ", TEACHING.read_text().split("## Twenty words")[1], re.MULTILINE)) == 20 + 1


def test_the_minutes_of_the_plan_follow_each_other():
    spans = [tuple(map(int, span)) for span in re.findall(r"^\| (\d+) to (\d+) \|", TEACHING.read_text(), re.MULTILINE)]
    assert spans[0][0] == 0
    assert spans[-1][1] == 90
    assert [end for _, end in spans[:-1]] == [start for start, _ in spans[1:]]


def test_every_section_that_a_plan_shows_is_in_its_notebook():
    shown = re.findall(r"\]\(([^)]+\.ipynb)\), \*([^*]+)\*", TEACHING.read_text())
    assert len(shown) == 4
    assert all(section((TEACHING.parent / file).resolve(), title) for file, title in shown)


def test_the_links_into_the_explorer_are_ones_that_it_understands():
    links = re.findall(r"explorer\.html#([^)]+)\)", TEACHING.read_text())
    weights = pd.read_csv(MNIST / "loss_table.csv")["kl_weight"].tolist()
    known = re.findall(r"^\| `(\w+)` \|", FAQ.with_name("explorer.md").read_text(), re.MULTILINE)
    assert len(links) == 6
    for name, value in (part.split("=") for link in links for part in link.split("&")):
        assert name in known
        assert (
            float(value) in weights
            if name in ("weight", "beside")
            else value in ("prior", "codes", "draws", "1.2,-0.4")
        )


def test_the_numbers_of_predictions_and_quiz_are_those_of_the_report():
    text = " ".join(TEACHING.read_text().split())
    rate, information = (losses("0", name).numbers()[0] for name in ("rate", "mutual_information"))
    spread, classes, draws = (
        " ± ".join(place.numbers())
        for place in (
            Cell(REPORT, SPENT, ("0",), "mean_spread"),
            judged("20", "prior", "classes"),
            Cell(REPORT, SPENT, ("20",), "draw_spread"),
        )
    )
    assert f"{np.log(10_000):.2f}" == information
    expected = [
        f"outside, {spread} times as far out as samples of the prior. Weight 20: samples show {classes} of the ten "
        f"digits, and draws are as far out as those of the prior ({draws}).",
        f"the rate is {rate} nats and the mutual information {information}.",
        f"And {information} is the most that 10,000 images can show, ln 10,000.",
    ]
    assert [sentence for sentence in expected if sentence not in text] == []
    said = re.findall(r"\d+\.\d\d\b", text)
    assert sorted(said) == sorted(number for s in expected for number in re.findall(r"\d+\.\d\d\b", s))

"""The pages that the book adds to notebooks and docs/, as Markdown: index, runs of a sweep, explorer."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from vae_core.book.found import EXPLORER, Chapter, Sweep
from vae_core.book.links import link
from vae_core.report.captions import images
from vae_core.report.collect import REPORT

COLUMNS = ("distortion", "rate", "negative_elbo", "mutual_information")


def readme_parts(readme: str) -> tuple[str, str]:
    """The beginning of README.md, up to its first section, and its section of findings."""
    beginning, *sections = re.split(r"^(?=## )", readme, flags=re.MULTILINE)
    return beginning, next(section for section in sections if section.startswith("## Three findings"))


def doors(lessons: Mapping[str, str]) -> str:
    """Where to begin; lessons: name -> page, in reading order."""
    first = next(iter(lessons.values()))
    quick = {REPORT: "report", EXPLORER: "explorer"}
    quick_links = [f"the [{words}]({lessons[name]})" for name, words in quick.items() if name in lessons]
    in_a_hurry = f" In a hurry? Open {' or '.join(quick_links)}." if quick_links else ""
    return f"""## Three doors

**Read.** Begin with the [first lesson]({first}) and follow *next*.{in_a_hurry}

**Rerun.** Choose [weights, seeds](docs/sweep.md), [settings](docs/settings.md) and [your images](docs/own_images.md).
`./run_all.sh book` then makes this book of your results.

**Teach.** The [questions for a class](teach.md) come with their answers. What a measure is stands under
[measures](docs/measures.md).
"""


def toctree(pages: Iterable[str], caption: str = "") -> str:
    """The list from which Sphinx makes the column on the left, and previous and next; empty without pages."""
    options = [":hidden:", *([f":caption: {caption}"] if caption else [])]
    return "\n".join(["```{toctree}", *options, *pages, "```", ""]) if pages else ""


def chapter_list(chapters: Sequence[Chapter], lessons: Mapping[str, str]) -> str:
    """The reading order; lessons: name -> page, of the chapters that were executed."""
    lines = ["## All lessons, in reading order", ""]
    for entry in (chapter.entry for chapter in chapters):
        # A link without words has the heading of its page.
        name = f"[]({lessons[entry.name]})" if entry.name in lessons else f"{entry.name} (not executed yet)"
        lines.append(f"1. {name}: {entry.shows}. *{entry.minutes:g} min*")
    words = "The minutes are what a notebook takes to run on two cores."
    if len(lessons) < len(chapters):
        words += " `./run_all.sh lessons` executes lessons. For any notebook see [the sweep](docs/sweep.md)."
    return "\n".join([*lines, "", words, ""])


def sweep_page(sweep: Sweep, origin: str, beside: Mapping[str, str], notebooks: Mapping[Path, str]) -> str:
    """The runs of a sweep with their headline measures.

    beside: what else there is of the sweep -> its address; notebooks: run folder -> address, of those that are there
    """
    columns = [name for name in COLUMNS if name in sweep.runs.measures]
    lines = [f"| kl_weight | seed | {' | '.join(columns)} |", f"|---:|---:|{'---:|' * len(columns)}"]
    for row, folder in enumerate(sweep.runs.folders):
        setting, measured = sweep.runs.settings.iloc[row], sweep.runs.measures.iloc[row]
        weight = f"{setting['kl_weight']:g}"
        weight = f"[{weight}]({notebooks[folder]})" if folder in notebooks else weight
        lines.append(f"| {weight} | {setting['seed']} | {' | '.join(f'{measured[name]:.2f}' for name in columns)} |")
    parts = [f"# Runs: {sweep.name}", origin, f"{images(sweep.runs)}; one row per run, nats per image."]
    parts += [" · ".join(link(name, address) for name, address in beside.items())]
    parts += ["A weight that is a link leads to the notebook of its run, with its figures."] if notebooks else []
    return "\n\n".join([*parts, "\n".join(lines), ""])


def run_title(sweep: Sweep, folder: Path) -> str:
    """The heading of the page of a run, which is unlike that of any other."""
    setting = sweep.runs.settings.iloc[sweep.runs.folders.index(folder)]
    return f"{setting['dataset']}, kl_weight {setting['kl_weight']:g}, seed {setting['seed']}"


def explorer_page(origin: str, address: str, picture: str = "") -> str:
    """A picture of the explorer that leads to it."""
    shown = f"![The explorer: the codes on the left, the decoded plane on the right]({picture})" if picture else ""
    return f"""# The latent space, live

{origin}

The explorer decodes any point of the latent plane, at every weight of the sweep, with the decoders that it trained. It
is a page of its own and asks no server for anything.

<p><a href="{address}"><strong>Open the explorer</strong></a></p>

<a href="{address}">{shown}</a>
"""

"""A small book, built of made-up results, and read from the disk in a real browser without a network."""

import re
import shutil

import nbformat
import pytest

from tests.book.made_up import write_lesson, write_run
from tests.book.pages import faults, foreign, pages_of, show
from tests.browser import needs_browser, script
from tests.run_folders import read_folder
from vae_core import runs
from vae_core.book import pages
from vae_core.book.command import main
from vae_core.book.found import find_chapters, find_sweeps
from vae_core.book.links import Links
from vae_core.report.published import PUBLISHED
from vae_core.report.reading_order import READING_ORDER

EXECUTED = ("the_prior", "elbo_and_kl", "train_vae", "kl_sweep_report", "bug_gallery", "explore")  # in reading order


def executed(*results) -> dict[str, str]:
    """name -> path, of what is found; results that stand first count first."""
    chapters = find_chapters(results, find_sweeps(results))
    return {chapter.entry.name: chapter.executed for chapter in chapters if chapter.executed}


def article_of(page) -> str:
    """A page without what it has in common with all others."""
    return re.search(r"<article.*?</article>", page.read_text(), re.DOTALL)[0]


def text_of(page) -> str:
    """The words of a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", article_of(page)))


# What is found


def test_chapters_are_the_executed_notebooks_in_reading_order(results):
    assert executed(results) == {
        "the_prior": results / "lessons" / "the_prior.ipynb",
        "elbo_and_kl": results / "lessons" / "elbo_and_kl" / "mnist" / "kl_00.50_seed0" / "run.ipynb",
        "train_vae": results / "kl_sweep" / "mnist" / "kl_00.50_seed0" / "run.ipynb",  # 0.5 is nearer to 1 than 2 is
        "kl_sweep_report": results / "kl_sweep" / "mnist" / "report.ipynb",
        "bug_gallery": results / "lessons" / "bug_gallery.ipynb",
        "explore": results / "kl_sweep" / "mnist" / "explorer.html",
    }
    assert tuple(executed(results)) == EXECUTED


def test_of_a_notebook_in_two_folders_the_first_counts_and_each_adds_what_the_other_lacks(results, tmp_path):
    write_lesson(tmp_path / "lessons" / "the_prior.ipynb", "The prior")
    write_lesson(tmp_path / "kl_sweep" / "mnist" / "comparison" / "comparison.ipynb", "Side by side")
    write_run(tmp_path / "kl_sweep" / "digits" / "kl_03.00_seed0", "One VAE", 3.0)
    write_run(tmp_path / "lessons" / "conv_vae_fashion" / "fashion_mnist" / "failed" / "kl_01.00_seed0", "Failed", 1.0)
    found = executed(tmp_path, results)
    assert found["the_prior"].is_relative_to(tmp_path)
    assert found["compare_sweeps"].is_relative_to(tmp_path)
    assert found["train_vae"].is_relative_to(results)  # chapters are about MNIST where there is a sweep of it
    assert set(found) == {*EXECUTED, "compare_sweeps"}
    names = ["kl_sweep/digits", "kl_sweep/mnist", "lessons/elbo_and_kl/mnist"]
    assert [sweep.name for sweep in find_sweeps([tmp_path, results])] == names
    assert executed(tmp_path)["train_vae"].is_relative_to(tmp_path)


def test_an_unfinished_run_is_not_in_the_book(results, tmp_path):
    shutil.copytree(results, tmp_path / "results")
    run = tmp_path / "results" / "lessons" / "elbo_and_kl" / "mnist" / "kl_00.50_seed0"
    (run / runs.RECORD).unlink()
    assert "elbo_and_kl" not in executed(tmp_path / "results")


def test_all_that_is_published_is_found():
    """By the names of the files alone, whatever lessons there are."""
    names = {path.stem for path in (PUBLISHED / "lessons").glob("*.ipynb")}
    names |= {path.name for path in (PUBLISHED / "lessons").glob("*") if any(path.glob("*/*/run.ipynb"))}
    assert set(executed(PUBLISHED)) >= names | {"train_vae", "kl_sweep_report", "explore"}


# Links


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("[the prior](the_prior.ipynb)", "[the prior](the_prior.ipynb)"),
        ("[a [b] c](the_prior.ipynb#target)", "[a [b] c](the_prior.ipynb#target)"),
        ("[z](../explorer.html#weight=10&z=1)", '<a href="../explorer/explorer.html#weight=10&amp;z=1">z</a>'),
        ("its [source](the_prior.py) alone", "its source alone"),
        ("then [another](not_executed.ipynb)", "then another"),
        ("[the prior](../../other/lessons/the_prior.ipynb)", "[the prior](the_prior.ipynb)"),
        ("![what it\nshows](a.png)", "![what it\nshows](../pictures/{name})"),
        ("[paper](https://arxiv.org/abs/1312.6114)", "[paper](https://arxiv.org/abs/1312.6114)"),
        ("code: table[0](first)", "code: table[0](first)"),
    ],
)
def test_a_link_leads_to_the_page_of_the_book_or_to_nothing_that_is_not_there(tmp_path, text, rewritten):
    place = tmp_path / "results" / "lessons"
    place.mkdir(parents=True)
    for file in (place / "the_prior.ipynb", place / "the_prior.py", place / "a.png", place.parent / "explorer.html"):
        file.touch()
    (tmp_path / "source").mkdir()
    links = Links(tmp_path / "source", [place.parent, tmp_path / "other"])
    links.add(place / "the_prior.ipynb", "lessons/the_prior.ipynb")
    links.add(place.parent / "explorer.html", "explorer/explorer.html")
    name = "-".join((place / "a.png").parts[-4:])
    assert links.rewritten(text, "lessons/page.ipynb", [place]) == rewritten.format(name=name)
    assert (tmp_path / "source" / "pictures" / name).exists() == text.startswith("!")


def test_a_link_to_another_persons_execution_leads_to_the_one_that_is_in_the_book(tmp_path):
    own, published = tmp_path / "results", tmp_path / "results" / "published"
    for folder in (own, published):
        write_lesson(folder / "lessons" / "the_prior.ipynb", "The prior")
    links = Links(tmp_path, [own, published])
    links.add(own / "lessons" / "the_prior.ipynb", "lessons/the_prior.ipynb")
    text = "[prior](results/published/lessons/the_prior.ipynb)"
    assert links.rewritten(text, "index.md", [tmp_path]) == "[prior](lessons/the_prior.ipynb)"


# The book


def test_the_command_says_where_the_book_is_what_it_is_made_of_and_what_is_not_executed(built):
    target, finished = built
    assert finished.stderr == ""  # Sphinx finds nothing to remark, of the real pages of docs/ either
    first, own, missing, last = finished.stdout.splitlines()
    assert re.fullmatch(r"building \S+book from what is executed in \S+results: up to a minute", first)
    assert own == f"your own: {', '.join(EXECUTED)}"
    assert missing == "not executed yet: " + ", ".join(e.name for e in READING_ORDER if e.name not in EXECUTED)
    assert re.fullmatch(rf"open \S*{target.name}/index.html \(\d+ MB\)", last)


def test_nothing_is_executed_and_what_was_printed_is_there(book, results):
    assert not (results / "executed").exists()
    assert "printed long ago" in text_of(book / "lessons" / "the_prior.html")


def test_the_index_has_the_hook_the_doors_and_every_lesson_of_the_reading_order(book):
    text = text_of(book / "index.html")
    hook, findings = pages.readme_parts((runs.PROJECT / "README.md").read_text())
    assert text.strip().startswith(hook.splitlines()[0].removeprefix("# "))
    for word in ("Read.", "Rerun.", "Teach.", re.search(r"\*\*(.+?)\*\*", findings)[1]):
        assert word in text
    for entry in READING_ORDER:
        assert (f"{entry.name} (not executed yet)" in text) == (entry.name not in EXECUTED)
    assert 'href="lessons/the_prior.html"' in (book / "index.html").read_text()
    assert re.search(r'<img alt="[^"]{80,}"[^>]*\.gif"', (book / "index.html").read_text())


def test_next_leads_through_the_lessons_in_reading_order(book):
    page, seen = book / "index.html", []
    while following := re.search(r'class="right-next"\s+href="([^"]+)"', page.read_text()):
        page = (page.parent / following[1]).resolve()
        seen.append(page.relative_to(book.resolve()).with_suffix("").as_posix())
    lessons = [f"lessons/{name}" for name in EXECUTED]
    assert seen[: len(lessons)] == lessons
    assert seen[len(lessons)] == "runs/kl_sweep/mnist/index"
    assert {page.relative_to(book).with_suffix("").as_posix() for page in pages_of(book)} == {"index", "search", *seen}


def test_a_page_says_whose_results_it_shows_and_runs_have_headings_of_their_own(book):
    assert re.search(
        r"The prior# Your own results: \S+/lessons/the_prior.ipynb", text_of(book / "lessons/the_prior.html")
    )
    assert "mnist, kl_weight 2, seed 0" in text_of(book / "runs" / "kl_sweep" / "mnist" / "kl_02.00_seed0.html")


def test_every_run_of_a_sweep_is_in_its_table_and_leads_to_its_notebook_if_there_is_one(book):
    page = (book / "runs" / "kl_sweep" / "mnist" / "index.html").read_text()
    cells = re.findall(r"<td[^>]*><p>(.*?)</p></td>", page, re.DOTALL)
    links = [re.search(r'href="([^"]+)"', cell) for cell in cells[::5]]
    expected = ["../../../lessons/train_vae.html", "kl_02.00_seed0.html", None]
    assert [link and link[1] for link in links] == expected
    assert cells[2:5] == ["100.00", "1.50", "101.50"]
    assert 'href="../../../explorer/mnist/explorer.html"' in page


def test_long_code_is_folded_and_short_code_is_not(book):
    page = article_of(book / "lessons" / "the_prior.html")
    answer, code = re.findall(r"<details.*?</details>", page, re.DOTALL)
    assert ("The answer" in answer, "Show the code" in code, "long_code" in code) == (True, True, True)


@needs_browser
def test_no_page_asks_anyone_for_anything_has_a_dead_link_a_mute_picture_or_is_wider_than_a_phone(book, browser):
    found = faults(browser, book)
    assert found == {name: [] for name in found}


@needs_browser
def test_what_the_checks_of_pages_look_for_they_find(book, browser, tmp_path):
    broken = tmp_path / "book"
    (broken / "lessons").mkdir(parents=True)
    (broken / "lessons" / "page.html").write_text(
        '<!DOCTYPE html><body><a href="absent.html">a</a><a href="page.html#absent">b</a><img src="absent.png">'
        '<p style="width: 500px">wide</p><span class="math">\\(x\\)</span><script src="https://a.invalid/x.js"></script>'
    )
    found = faults(browser, broken)
    assert {name: len(cases) > 0 for name, cases in found.items()} == dict.fromkeys(found, True)
    assert len(found["dead links"]) == 3
    assert "https://a.invalid/x.js" in str(found["requests"])


@needs_browser
def test_formulas_pictures_motion_and_tables_are_shown(book, browser):
    show(browser, book / "lessons" / "the_prior.html")
    assert script(browser, "return document.querySelectorAll('.math mjx-container svg').length") == 2
    described = (
        "[...document.querySelectorAll('.cell_output img')].map(i => [i.src.split('.').pop(), i.naturalWidth, i.alt])"
    )
    assert script(browser, f"return {described}") == [["png", 8, "Figure: The target cloud"], ["gif", 8, "Two greys"]]
    assert script(browser, "return document.querySelector('.cell_output table td').textContent") == "0.393"
    assert script(browser, "return document.querySelector('details').open") is False


@needs_browser
def test_the_search_finds_a_word_from_the_disk(book, browser):
    show(browser, book / "search.html", query="?q=gallery")
    browser.execute_async_script(
        "const done = arguments[0], look = () => {"
        "const links = [...document.querySelectorAll('#search-results li a')];"
        "links.length ? done() : setTimeout(look, 50) }; look()"
    )
    found = script(browser, "return [...document.querySelectorAll('#search-results li a')].map(a => a.href)")
    assert any("lessons/bug_gallery.html" in address for address in found)
    assert foreign(browser, book) == []


@needs_browser
@pytest.mark.parametrize(("scheme", "is_light"), [("light", True), ("dark", False)])
def test_pages_are_light_or_dark_as_the_system_is(book, browser, scheme, is_light):
    show(browser, book / "index.html", scheme=scheme)
    ground, ink = script(
        browser,
        "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color].map(c => c.match(/\\d+/)[0])",
    )
    assert (int(ground) > int(ink)) == is_light


# What can go wrong


def refused(capsys, *arguments) -> str:
    """The one line that the command says."""
    assert main([str(argument) for argument in arguments]) == 2
    said = capsys.readouterr()
    assert said.out == "" or said.out.startswith("building")
    (line,) = said.err.splitlines()
    return line


def test_if_nothing_is_executed_yet_one_line_says_what_executes(tmp_path, capsys):
    line = refused(capsys, tmp_path, "--output", tmp_path / "book")
    assert line.startswith("book: no notebook is executed yet in ")
    assert line.endswith(": start ./run_all.sh or ./run_all.sh lessons first")
    assert not (tmp_path / "book").exists()


def test_what_cannot_be_built_is_refused_in_one_line_and_what_is_there_stays(results, book, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert "nowhere is not there: name a results folder" in refused(capsys, tmp_path / "nowhere")
    assert "--epochs" in refused(capsys, "--epochs", 2)
    not_writable = refused(capsys, results, "--output", tmp_path / "file" / "book")
    assert re.search(r"cannot be written \(.+\): choose another --output$", not_writable)
    assert refused(capsys, results, "--output", tmp_path).endswith("is there and is no book: choose another --output")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_damaged_notebook_is_named_and_the_book_before_stays(results, book, tmp_path, capsys):
    shutil.copytree(results, tmp_path / "results")
    (tmp_path / "before").mkdir()
    (tmp_path / "before" / ".buildinfo").write_text("a book")
    (tmp_path / "results" / "lessons" / "bug_gallery.ipynb").write_text('{"half": ')
    line = refused(capsys, tmp_path / "results", "--output", tmp_path / "before")
    assert line.endswith("bug_gallery.ipynb is no notebook: execute it again, or move it away")
    assert read_folder(tmp_path / "before") == {".buildinfo": b"a book"}
    assert not list(tmp_path.glob(".running-*"))
    assert nbformat.read(results / "lessons" / "bug_gallery.ipynb", nbformat.NO_CONVERT).cells

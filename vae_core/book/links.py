"""Links of the repository's pages and notebooks, made to lead to pages of the book."""

import os
import re
import shutil
from collections.abc import Sequence
from html import escape
from pathlib import Path

LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^)\s#]+)(#[^)\s]*)?\)")
PAGES = (".ipynb", ".md", ".html")  # what a link means by its name, even if it is not there
PICTURES = "pictures"  # the folder of those that pages show


class Links:
    """Where the files of the repository are in the book.

    source: the folder that Sphinx reads; results: the results folders, in each of which a lesson may have been executed
    """

    def __init__(self, source: Path, results: Sequence[Path]):
        self.source, self.results = source, results
        self.pages: dict[Path, str] = {}

    def add(self, file: Path, page: str) -> None:
        """Let links to a file lead to a page of the book, also those to the same file in another results folder."""
        self.pages[file.resolve()] = page
        for folder in self.results:
            if file.is_relative_to(folder):
                for other in self.results:
                    self.pages.setdefault((other / file.relative_to(folder)).resolve(), page)

    def rewritten(self, text: str, page: str, places: Sequence[Path]) -> str:
        """A Markdown text that stood in one of `places`, with the links that it needs in `page`.

        A link to what is in the book leads to it there, and a picture is copied. Of a link to another file, and to a
        notebook that nobody has executed, the text stays: the book is read where the repository is not. All else stays
        as it is.
        """
        return LINK.sub(lambda match: self._rewritten(match, page, places), text)

    def _rewritten(self, match: re.Match, page: str, places: Sequence[Path]) -> str:
        picture, words, target, fragment = match.groups(default="")
        if "://" in target:
            return match[0]
        files = [(place / target).resolve() for place in places]
        there = next((self.pages[file] for file in files if file in self.pages), None)
        if there and not picture:
            return link(words, address_in(page, there) + fragment)
        file = next((file for file in files if file.exists()), None)
        if picture and file:
            return f"![{words}]({self.picture(file, page)})"
        return words if file or Path(target).suffix in PAGES else match[0]

    def picture(self, file: Path, page: str) -> str:
        """Copy a picture into the book; returns its address in a page."""
        name = "-".join(file.resolve().parts[-4:])  # other folders have files of the same name
        (self.source / PICTURES).mkdir(exist_ok=True)
        shutil.copy(file, self.source / PICTURES / name)
        return address_in(page, f"{PICTURES}/{name}")


def address_in(page: str, other: str) -> str:
    """The address of a page or file of the book, in another page."""
    return os.path.relpath(other, Path(page).parent)


def link(words: str, address: str) -> str:
    """A link to a page, for Sphinx to resolve, or to a file that is a web page already."""
    is_ready = address.partition("#")[0].endswith(".html")
    return f'<a href="{escape(address)}">{words}</a>' if is_ready else f"[{words}]({address})"

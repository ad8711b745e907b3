"""Every page of a book in Chromium: what it requests, which of its links are dead, how wide it is, and more.

python -m tests.book.pages results/book
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from selenium import webdriver

from tests.browser import offline_browser, resize, script, use_scheme, wait

LINKS = "return [...document.querySelectorAll('a[href], img[src], link[href], script[src]')].map(e => e.href || e.src)"
MUTE = "return [...document.images].map(i => i.alt).filter(words => !words || words.includes('_images/'))"
COUNT = "return document.querySelectorAll(arguments[0]).length"
FORMULAS = (".math", ".math mjx-container", "mjx-merror, [data-mjx-error]")  # written, drawn, not understood
ANCHORS = "return [...document.querySelectorAll('[id]')].map(e => e.id)"


def pages_of(book: Path) -> list[Path]:
    """All pages that Sphinx has made; an explorer is a page of its own, with its own tests."""
    return [
        path for path in sorted(book.rglob("*.html")) if path.relative_to(book).parts[0] not in ("explorer", "_static")
    ]


def show(driver: webdriver.Chrome, page: Path, width: int = 1400, scheme: str = "light", query: str = "") -> None:
    """Open a page and wait until its formulas stand."""
    resize(driver, width, 900)
    use_scheme(driver, scheme)
    driver.get(page.resolve().as_uri() + query)
    wait(driver, "document.readyState === 'complete'")
    driver.execute_async_script("Promise.resolve(window.MathJax?.startup?.promise).then(() => arguments[0]())")


def requests(driver: webdriver.Chrome) -> Iterator[tuple[str, str]]:
    """What was asked for since the last call, and how it failed if it did."""
    for entry in driver.get_log("performance"):
        event = json.loads(entry["message"])["message"]
        if event["method"] == "Network.requestWillBeSent":
            yield event["params"]["request"]["url"], ""
        elif event["method"] == "Network.loadingFailed":
            yield event["params"]["requestId"], event["params"]["errorText"]


def foreign(driver: webdriver.Chrome, book: Path) -> list[tuple[str, str]]:
    """Requests to anywhere but the book's own folder, and those that failed."""
    own = (book.resolve().as_uri() + "/", "data:", "about:")
    return [(url, failed) for url, failed in requests(driver) if failed or not url.startswith(own)]


def dead_links(links: dict[Path, list[str]], anchors: dict[Path, set[str]]) -> list[tuple[str, str]]:
    """Links to files that are not there, and to places in a page that it does not have."""
    dead = []
    for page, addresses in links.items():
        for address in (address for address in addresses if address.startswith("file:")):
            parts = urlsplit(address)
            file, place = Path(unquote(parts.path)), unquote(parts.fragment)
            if not file.is_file() or (place and place not in anchors.get(file, {place})):
                dead.append((page.name, address))
    return dead


def faults(driver: webdriver.Chrome, book: Path) -> dict[str, list]:
    """All that is wrong with a book: see the functions above; and pages that are wider than a phone."""
    links, anchors, wide, unset, mute = {}, {}, [], [], []
    for page in pages_of(book):
        show(driver, page, width=360)
        links[page.resolve()] = script(driver, LINKS)
        anchors[page.resolve()] = set(script(driver, ANCHORS))
        if (width := script(driver, "return document.documentElement.scrollWidth")) > 360:
            wide.append((page.name, width))
        mute += [(page.name, words) for words in script(driver, MUTE)]
        formulas, drawn, wrong = (script(driver, COUNT, selector) for selector in FORMULAS)
        if formulas != drawn or wrong:
            unset.append((page.name, formulas, drawn, wrong))
    errors = [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    return {
        "requests": foreign(driver, book),
        "dead links": dead_links(links, anchors),
        "wide": wide,
        "formulas": unset,
        "pictures without words": mute,
        "errors": errors,
    }


if __name__ == "__main__":
    with offline_browser(("browser", "performance")) as chromium:
        found = faults(chromium, Path(sys.argv[1]))
    print(f"{len(pages_of(Path(sys.argv[1])))} pages")
    for name, cases in found.items():
        print(f"{name}: {cases or 'none'}")
    sys.exit(any(found.values()))

"""How fast an explorer is in Chromium, and on a processor slowed four times: opening, the slider, the pointer.

python -m tests.benchmarks.explorer results/published/kl_sweep/mnist/explorer.html
python -m tests.benchmarks.explorer page.html --slowed 1 4 6 --rounds 5

Milliseconds. The aims on an ordinary laptop: opened in 2,000, a step in 50, the pointer in one frame, which is 16.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from selenium import webdriver

from tests.browser import offline_browser, resize

# When the page says that it is ready, on its own clock, which starts with the page.
WATCH = (
    "new MutationObserver(() => { if (document.body?.dataset.ready) window.readyAt ??= performance.now(); })"
    ".observe(document, { subtree: true, childList: true, attributes: true });"
)
# Once the page is ready, and the manifold, which is drawn in many frames, has not grown for a while.
SETTLED = (
    "const [done] = arguments, cells = () => Number(document.getElementById('manifold').dataset.cells);"
    "let same = 0, last = 0;"
    "(function look() { same = cells() === last ? same + 1 : 0; last = cells();"
    " same > 20 && last && document.body.dataset.ready ? done() : requestAnimationFrame(look); })();"
)
# From the slider's event until the frame with the new weight is drawn.
STEP = (
    "const [value, done] = arguments, slider = document.getElementById('weight'), body = document.body;"
    "const before = body.dataset.weight, start = performance.now();"
    "const drawn = () => requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));"
    "new MutationObserver((_, watch) => { if (body.dataset.weight !== before) { watch.disconnect(); drawn(); } })"
    ".observe(body, { attributes: true });"
    "slider.value = value; slider.dispatchEvent(new Event('input'));"
)
# What the page does in the frame after the pointer has moved over the plane.
MOVE = (
    "const [share, done] = arguments, plane = document.getElementById('plane'), box = plane.getBoundingClientRect();"
    "let start; requestAnimationFrame(() => { start = performance.now(); });"
    "const at = { clientX: box.left + share * box.width, clientY: box.top + 0.4 * box.height };"
    "plane.dispatchEvent(new PointerEvent('pointermove', { ...at, pointerType: 'mouse', bubbles: true }));"
    "requestAnimationFrame(() => done(performance.now() - start));"
)


def milliseconds(driver: webdriver.Chrome, page: Path, slowed: float) -> dict[str, float]:
    """One opening, two passes over all weights, and the median of 20 moves of the pointer."""
    driver.execute_cdp_cmd("Emulation.setCPUThrottlingRate", {"rate": slowed})
    driver.get(page.resolve().as_uri())
    driver.execute_async_script(SETTLED)
    steps = range(driver.execute_script("return Number(document.getElementById('weight').max)") + 1)
    present = driver.execute_script("return Number(document.getElementById('weight').value)")
    path = [*[step for step in steps if step != present], present]
    passes = [[driver.execute_async_script(STEP, step) for step in path] for _ in range(2)]
    steps_between = [step + 0.5 for step in steps[1:-1]] if is_continuous(driver) else []
    between = [driver.execute_async_script(STEP, step) for step in steps_between]
    moves = [driver.execute_async_script(MOVE, share) for share in np.linspace(0.1, 0.9, 20)]
    return {
        "opened": driver.execute_script("return window.readyAt"),
        "step to a new weight": float(np.median(passes[0])),
        "step to a loaded weight": float(np.median(passes[1])),
        **({"step between the runs": float(np.median(between))} if between else {}),
        "pointer to image": float(np.median(moves)),
    }


def is_continuous(driver: webdriver.Chrome) -> bool:
    """Whether the page has a network for the weights between the runs, whose codes then are computed."""
    if not driver.execute_script("return document.body.classList.contains('continuous')"):
        return False
    driver.execute_async_script("hiddenOfAll().then(arguments[0])")
    return True


def main() -> None:
    """Measure and print one row per speed of the processor: the fastest of the rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("--slowed", type=float, nargs="+", default=[1, 4])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rows = {}
    with offline_browser() as driver:
        driver.set_script_timeout(300)  # a busy machine, slowed too
        resize(driver, 1300, 900)
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
        for slowed in options.slowed:
            rounds = [milliseconds(driver, options.page, slowed) for _ in range(options.rounds)]
            rows[slowed] = pd.DataFrame(rounds).min()
    print(f"{options.page.stat().st_size / 1e6:.1f} MB, milliseconds, the fastest of {options.rounds} rounds\n")
    print(pd.DataFrame(rows).T.round(1).rename_axis("slowed, times").to_markdown())


if __name__ == "__main__":
    main()

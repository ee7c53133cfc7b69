"""Make the pictures of report.html that the README and these pages show, from runs of the examples.

python docs/screenshots.py                 # all of them; needs Linux and takes a minute
python docs/screenshots.py report-tests    # one

It needs chromium, chromedriver and ``pip install 'pytest-twin[report]' selenium``.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from selenium import webdriver

ROOT = Path(__file__).parent.parent
IMAGES = Path(__file__).parent / "images"
SWITCHES = ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "hide-scrollbars")
DRAWN = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 300)))"


WHOLE = ("examples", "--twin-schedule=examples/schedule.json", "--twin-per-test=all")
FIRST = ("examples/test_orders.py", "--twin")  # as in the tutorial
FAILING = ("examples/flaky", "-k", "after_a_sleep", "--twin-constrain=cpu=0.05", "--twin-repeat=10")


class Picture(NamedTuple):
    """A picture of the page: of which run, in which colours, how large in CSS pixels, and from which element on."""

    run: tuple[str, ...]
    scheme: str
    width: int
    height: int
    of: str = "body"


PICTURES = {
    "report-light": Picture(WHOLE, "light", 1200, 930),
    "report-dark": Picture(WHOLE, "dark", 1200, 930),
    "report-tests": Picture(WHOLE, "light", 1200, 520, "#tests"),
    "first-tests": Picture(FIRST, "light", 1200, 520, "#tests"),
    "report-failing": Picture(FAILING, "light", 1200, 700),
}


def record(run: tuple[str, ...], folder: Path) -> Path:
    """Run examples, of which some may fail, and return the report."""
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pytest", *run, "--twin-report=html", "-p", "no:cacheprovider", "--rootdir=."]
    subprocess.run(command, cwd=folder, check=False)
    return folder / "twin-report" / "report.html"


def photograph(page: Path, names: Iterable[str]) -> None:
    """Write pictures of a report."""
    options = webdriver.ChromeOptions()
    for switch in SWITCHES:
        options.add_argument(f"--{switch}")
    options.binary_location = shutil.which("chromium") or ""
    browser = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        for name in names:
            (IMAGES / f"{name}.webp").write_bytes(shot(browser, page, PICTURES[name]))
    finally:
        browser.quit()


def shot(browser: webdriver.Chrome, page: Path, picture: Picture) -> bytes:
    """Return one picture, as WebP."""
    send = browser.execute_cdp_cmd
    size = {"width": picture.width, "height": picture.height, "deviceScaleFactor": 1.5, "mobile": False}
    send("Emulation.setDeviceMetricsOverride", size)
    send("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": picture.scheme}]})
    browser.get(page.resolve().as_uri())
    browser.execute_script("document.querySelector(arguments[0]).scrollIntoView()", picture.of)
    browser.execute_async_script(DRAWN)
    return base64.b64decode(send("Page.captureScreenshot", {"format": "webp", "quality": 75})["data"])


def main() -> None:
    """Make the named pictures, or all."""
    IMAGES.mkdir(exist_ok=True)
    names = sys.argv[1:] or list(PICTURES)
    for run in dict.fromkeys(PICTURES[name].run for name in names):
        with tempfile.TemporaryDirectory() as folder:
            photograph(record(run, Path(folder)), [name for name in names if PICTURES[name].run == run])


if __name__ == "__main__":
    main()

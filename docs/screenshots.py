"""Make the pictures of report.html that the README and these pages show, from a run of the examples.

python docs/screenshots.py                 # records a run; takes half a minute
python docs/screenshots.py twin-report     # of a run that was recorded before

It needs chromium, chromedriver and ``pip install 'pytest-twin[report]' selenium``.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from selenium import webdriver

ROOT = Path(__file__).parent.parent
IMAGES = Path(__file__).parent / "images"
SWITCHES = ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "hide-scrollbars")
DRAWN = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 300)))"


class Picture(NamedTuple):
    """A picture of the page: in which colours, how large in CSS pixels, and from which element on."""

    name: str
    scheme: str
    width: int
    height: int
    of: str = "body"


PICTURES = (
    Picture("report-light", "light", 1200, 930),
    Picture("report-dark", "dark", 1200, 930),
    Picture("report-tests", "light", 1200, 520, "#tests"),
)


def record(folder: Path) -> Path:
    """Run the examples under their schedule, and return the run folder."""
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    command = (
        "pytest",
        "examples",
        "--twin-schedule=examples/schedule.json",
        "--twin-per-test=all",
        "--twin-report=html",
    )
    subprocess.run([sys.executable, "-m", *command, "-p", "no:cacheprovider"], cwd=folder, check=True)
    return folder / "twin-report"


def photograph(page: Path) -> None:
    """Write all pictures of a report."""
    options = webdriver.ChromeOptions()
    for switch in SWITCHES:
        options.add_argument(f"--{switch}")
    options.binary_location = shutil.which("chromium") or ""
    browser = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        for picture in PICTURES:
            (IMAGES / f"{picture.name}.webp").write_bytes(shot(browser, page, picture))
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
    """Photograph the given run, or one that is recorded for it."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        photograph((Path(sys.argv[1]) if sys.argv[1:] else record(Path(folder))) / "report.html")


if __name__ == "__main__":
    main()

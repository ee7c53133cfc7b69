"""report.html, open in a headless Chromium."""

from __future__ import annotations

import shutil
from contextlib import suppress

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
exceptions = pytest.importorskip("selenium.common.exceptions")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
SWITCHES = ("headless=new", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking",
            "disable-component-update", "disable-sync", "disable-dev-shm-usage", "hide-scrollbars")  # fmt: skip

# The charts are drawn when the page has loaded, and again in the frame after the one that tells of their size.
DRAWN = """
const next = (frames) => frames ? requestAnimationFrame(() => next(frames - 1)) : done(), done = arguments[0];
next(3);
"""

NEEDS_A_BROWSER = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not both installed"),
]


class Page:
    """An open report."""

    def __init__(self, browser) -> None:
        self.browser = browser

    def open(self, path, width=1400, height=1000, *, is_phone=False, scheme="light"):
        send = self.browser.execute_cdp_cmd
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone}
        send("Emulation.setDeviceMetricsOverride", size)
        send("Emulation.setTouchEmulationEnabled", {"enabled": is_phone})
        send("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        self.browser.get("about:blank")
        self.browser.get(path.as_uri())
        self.browser.execute_async_script(DRAWN)
        return self

    def run(self, script, *words):
        return self.browser.execute_script(script, *words)

    def all(self, selector):
        return self.browser.find_elements("css selector", selector)

    def one(self, selector):
        return self.browser.find_element("css selector", selector)

    @property
    def names(self):
        return [cell.text for cell in self.all("#tests-table tbody td.c-nodeid b")]

    @property
    def view(self):
        """From when to when the timeline shows, in seconds."""
        box = self.one("#timeline-chart")
        return float(box.get_attribute("data-from")), float(box.get_attribute("data-to"))

    def choose(self, selector, value):
        """Choose one of a list."""
        self.one(f"{selector} option[value={value}]").click()

    def press(self, selector, *keys):
        self.run("arguments[0].focus()", self.one(selector))
        self.browser.switch_to.active_element.send_keys(*keys)

    def pointer(self):
        return webdriver.ActionChains(self.browser, duration=20)

    def chart_place(self, share, down=60):
        """Offsets from the middle of the timeline to a share of its time."""
        box = self.one("#timeline-chart .plot").rect
        return round(84 + share * (box["width"] - 98) - box["width"] / 2), round(down - box["height"] / 2)

    @property
    def troubles(self):
        return [line["message"] for line in self.browser.get_log("browser") if line["level"] == "SEVERE"]


def luminance(text):
    """Relative luminance of ``rgb(1, 2, 3)``, as WCAG has it."""
    parts = [int(part) / 255 for part in text[text.index("(") + 1 : -1].split(",")[:3]]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def started(options):
    """A browser; the port that selenium finds for its driver may be taken by somebody else before the driver has it."""
    for _ in range(4):
        with suppress(exceptions.WebDriverException):
            return webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))

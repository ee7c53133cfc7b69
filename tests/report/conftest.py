"""A browser for the tests that open report.html."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    from opened_page import CHROMIUM, SWITCHES, started, webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for switch in (*SWITCHES, f"user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(f"--{switch}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = started(options)
    driver.implicitly_wait(2)  # a busy machine may draw a page after it has loaded it
    driver.set_script_timeout(120)
    yield driver
    driver.quit()

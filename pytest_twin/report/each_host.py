"""A part of the page in which each host has a piece of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_twin.analysis.by_host import called
from pytest_twin.report.marking import html, joined

if TYPE_CHECKING:
    from markupsafe import Markup

    from pytest_twin.analysis.story import Story


def each_host(story: Story, piece: Callable[[Story], Markup]) -> Markup:
    """The piece of each host, below its name where there are several."""
    if not story.hosts:
        return piece(story)
    return joined(html('<div class="host"><h3>{}</h3>{}</div>', called(own.host), piece(own)) for own in story.hosts)

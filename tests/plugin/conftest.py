"""Inner pytest runs."""

from inner_runs import categories, few_plugins, left, no_hypothesis, nothing_is_left

__all__ = ["categories", "few_plugins", "left", "no_hypothesis", "nothing_is_left"]

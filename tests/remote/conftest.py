"""Inner pytest runs."""

from inner_runs import _wide_terminal, categories, few_plugins, left, no_hypothesis, nothing_is_left

__all__ = ["_wide_terminal", "categories", "few_plugins", "left", "no_hypothesis", "nothing_is_left"]

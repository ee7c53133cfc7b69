"""Budgets of tests: their text, their rules, their verdicts."""

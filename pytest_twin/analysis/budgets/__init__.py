"""Budgets of tests: their syntax, their rules, their verdicts."""

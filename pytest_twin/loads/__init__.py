"""Loads as the user writes them, and how they are applied: grammar, schedule, supervisor client."""

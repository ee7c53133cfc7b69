"""The scorecard of a replay, in the terminal, as JSON and as HTML."""

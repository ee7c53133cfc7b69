"""All that pytest calls: hooks, marks and fixtures; ``-p pytest_twin.plugin`` loads it without its entry point."""

pytest_plugins = ("pytest_twin.plugin.hooks",)

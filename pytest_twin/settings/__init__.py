"""Options, from the command line, the ini file or pyproject.toml."""

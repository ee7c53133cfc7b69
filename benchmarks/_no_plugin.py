"""A plugin without a hook, for plain pytest: it searches all installed packages for each plugin that `-p` names."""

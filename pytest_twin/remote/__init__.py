"""pytest-xdist workers on other hosts: what controller and worker say to each other, and what becomes of it."""

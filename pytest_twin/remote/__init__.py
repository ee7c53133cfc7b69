"""pytest-xdist workers on other hosts: the protocol between controller and worker, and both of its sides."""

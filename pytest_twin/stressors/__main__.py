"""``python -m pytest_twin.stressors``: the supervisor."""

import os
import sys

if not __package__:  # run as a file: the root of the package takes the place of the file's own folder on the path
    sys.path[0 : not sys.flags.safe_path] = [os.path.realpath(f"{__file__}/../../..")]

from pytest_twin.stressors.supervisor.server import main

if __name__ == "__main__":
    main()

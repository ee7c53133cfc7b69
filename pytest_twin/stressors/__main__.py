"""``python -m pytest_twin.stressors``: the supervisor."""

import os
import sys

if not __package__:  # run as a file: its own folder, if that is on the path, gives way to the one above
    sys.path[0 : not sys.flags.safe_path] = [os.path.realpath(f"{__file__}/../../..")]

from pytest_twin.stressors.supervisor.server import main

if __name__ == "__main__":
    main()

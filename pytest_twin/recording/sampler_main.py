"""The program of the sampling process: samples, and completes the files of a run whose process died.

It is run as a file with ``python -I [-S]``. What it needs of `pytest_twin.recording` is imported only when a run has to
be completed.
"""

import os
import sys

if not __package__:  # run as a file: import from the folder of the package, and not from the folder of this file
    sys.path[0 : not sys.flags.safe_path] = [os.path.abspath(f"{__file__}/../../..")]

from pytest_twin.telemetry.sampler_process import main

if __name__ == "__main__" and (abandoned := main()):
    from pytest_twin.recording.dead_process import complete_abandoned_run

    complete_abandoned_run(*abandoned)

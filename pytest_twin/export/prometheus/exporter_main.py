"""The program of the process that exports a run to Prometheus while it is recorded.

It is run as a file, with the search path of modules as JSON and the process id of its parent for arguments. It reads
its configuration from stdin: that may have a password, which nobody may see in a list of processes. It writes a line of
JSON when its ways are open, or why one is not; begins at a line with the run folder and the start of the run; and ends
at an empty line, at the end of stdin or of its parent, with a line of its problems.
"""

import os
import sys

if not __package__:  # run as a file: import from the folder of the package, and not from the folder of this file
    sys.path[0 : not sys.flags.safe_path] = [os.path.abspath(f"{__file__}/../../../..")]


if __name__ == "__main__":
    from pytest_twin.export._detached_program import leave_parent

    leave_parent()
    from pytest_twin.export.prometheus.exporter_process import main

    main(sys.argv[1], int(sys.argv[2]))

"""What other processes compute."""

import os
from pathlib import Path


def cpu_seconds(process):
    """What a process has computed so far, in seconds of a core; on Linux only.

    Args:
        process: int. Its number.
    """
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

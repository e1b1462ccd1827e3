"""Contestants in processes of their own, and what other processes compute."""

import os
import subprocess
import sys
from pathlib import Path


def in_a_process_of_its_own(module, name, arguments):
    """The rate that a contestant of one of these benchmarks prints."""
    command = [sys.executable, "-m", module, *arguments, "--contestant", name]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
    return float(done.stdout.split()[-1])


def cpu_seconds(process):
    """What a process has computed so far, in seconds of a core; on Linux only.

    Args:
        process: int. Its number.
    """
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

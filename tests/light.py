"""Runs commands and programs as if packages were not installed.

  echo '[["caption", "photo.jpg"], "captioner.Captioner"]' | python -m tests.light keras tensorflow

The packages named cannot be imported. Standard input is a JSON list of commands, each a list of
arguments, and of programs in Python. Standard output gets a JSON list with the results of each, see
`run_without`.
"""

import contextlib
import io
import json
import os
import subprocess
import sys

import captioner
from captioner.cli import main


def run_without(packages, todo):
    """Runs commands and programs, one after the other, in a process of their own.

    Args:
        packages: list of str. Those that cannot be imported.
        todo: list of lists of str, commands, and of str, programs.

    Returns:
        list of (status, printed, errors): exit status, 0 or 1 for a program; its standard output;
        its standard error, or the message of the `CaptionerError` that it raised.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.light", *packages],
        input=json.dumps(todo),
        capture_output=True,
        text=True,
        timeout=120,
        cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return [tuple(each) for each in json.loads(done.stdout)]


def _run(each):
    out, err = io.StringIO(), io.StringIO()
    out.reconfigure = lambda **settings: None  # of a file, which it stands for
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            if isinstance(each, str):
                exec(each, {"captioner": captioner})
                status = 0
            else:
                status = main(each)
        except captioner.CaptionerError as error:
            status = 1
            print(error, file=err)
    return status, out.getvalue(), err.getvalue()


if __name__ == "__main__":
    missing = dict.fromkeys(sys.argv[1:])
    sys.modules.update(missing)  # None: importing it is an error, and nothing finds it
    json.dump([_run(each) for each in json.load(sys.stdin)], sys.stdout)
    assert not any(sys.modules[name] for name in missing)

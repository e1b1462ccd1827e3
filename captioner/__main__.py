"""python -m captioner COMMAND."""

import sys

from captioner.cli import main

if __name__ == "__main__":
    sys.exit(main(program="python -m captioner"))

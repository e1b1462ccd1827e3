"""Caption pictures: python caption.py PATH... (the same as python -m captioner caption)."""

import sys

from captioner.cli import main

if __name__ == "__main__":
    sys.exit(main(program="caption.py", command="caption"))

"""Train a captioner: python train.py --data D --out runs/NAME (python -m captioner train)."""

import sys

from captioner.cli import main

if __name__ == "__main__":
    sys.exit(main(program="train.py", command="train"))

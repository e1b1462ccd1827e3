"""Compare the cells: rnn, lstm and gru, with our own loop and with Keras' layers.

  python -m captioner compare --data data/shapes --quick
  python -m captioner compare --data annotations.json --images photos --out runs/compare

Trains a captioner of each kind on frozen features, with several seeds, and trains each on the
long-memory task. It measures weights, words per second in training, search time per caption, CIDEr
and BLEU-4 on the validation split, the longest distance remembered, and how much of the gradient is
left 20 words back (quick: 10), in a new network and in a trained one. It prints the table, and
stores it in --out as comparison.md, .json and .png. Call the command again to continue a comparison
that was stopped. Needs: pip install '.[train]'.
"""

from captioner.cli.common_arguments import (
    add_compute_arguments,
    add_data_arguments,
    add_quiet_argument,
    start_keras_for,
)
from captioner.cli.train import reporting


def add_arguments(parser):
    add_data_arguments(parser)
    parser.add_argument(
        "--out",
        default="runs/compare",
        metavar="FOLDER",
        help="where the results go (default: runs/compare)",
    )
    parser.add_argument(
        "--epochs",
        type=int,
        default=10,
        metavar="EPOCHS",
        help="passes over the captions (default: 10)",
    )
    parser.add_argument(
        "--units",
        type=int,
        default=512,
        metavar="N",
        help="size of the hidden state (default: 512)",
    )
    parser.add_argument(
        "--seeds", type=int, default=3, metavar="N", help="captioners of each kind (default: 3)"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one seed, smaller networks, shorter distances: two minutes on data/shapes",
    )
    add_quiet_argument(parser)
    add_compute_arguments(parser)


def run(options):
    start_keras_for(options, "compare")
    from captioner.study.comparison import Plan, as_markdown, compare

    plan = Plan(
        options.data,
        options.images or "",
        options.epochs,
        options.units,
        tuple(range(options.seeds)),
    )
    rows = compare(plan.quick() if options.quick else plan, options.out, **reporting(options))
    print(as_markdown(rows))
    return 0

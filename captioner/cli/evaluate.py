"""Score a captioner, or captions already written, against reference captions.

  python -m captioner evaluate --model runs/mine/best.keras --data data/shapes --split test
  python -m captioner evaluate --results results.json --data annotations.json

The second form scores any file in the COCO results format, or written by caption.py as jsonl, json,
csv, text or coco, and needs neither pictures nor model. With --model, --results names the file to
write the captions to. --report writes a page with all pictures, captions and scores.
"""

import json
from itertools import chain

from captioner import metrics
from captioner.cli.common_arguments import (
    add_batch_size_argument,
    add_data_arguments,
    add_data_format_argument,
    add_quiet_argument,
)
from captioner.cli.messages import note
from captioner.cli.model_arguments import add_model_arguments, chosen_model
from captioner.cli.search_arguments import add_search_arguments, search_settings
from captioner.datasets import load_dataset
from captioner.errors import counted, require
from captioner.output.evaluation import (
    captions_of_model,
    captions_of_results,
    learned_from,
    score_captions,
)
from captioner.output.evaluation_report import require_report_folder, write_report
from captioner.progress import ProgressBar

USUAL_SPLITS = ("test", "val")  # of a captioner's evaluation, the first that there is


def add_arguments(parser):
    add_model_arguments(
        parser,
        "captioner to score; given more than once: their average at every word",
    )
    add_data_arguments(parser)
    add_data_format_argument(parser)
    parser.add_argument(
        "--split",
        help="train, val, test, another that the data set defines, or all (default: with --model "
        "test, or val if there is no test; all where the data set defines no splits, and without "
        "--model)",
    )
    parser.add_argument(
        "--results",
        metavar="FILE",
        help="captions in the COCO results format, or written by caption.py; the pictures are "
        "found by image id or by file name",
    )
    parser.add_argument(
        "--metrics",
        nargs="+",
        type=_names,
        default=[["bleu", "rouge", "cider", "meteor"]],
        metavar="M",
        help=f"{' '.join(metrics.METRICS)}, with spaces or commas between (default: all but spice)",
    )
    parser.add_argument(
        "--tokenization",
        choices=metrics.TOKENIZATIONS,
        default="auto",
        help="what counts as a word: ptb, as in coco-caption; characters, for scripts without "
        "spaces; auto, as the references are written (default: auto)",
    )
    parser.add_argument(
        "--diversity",
        action="append",
        metavar="DATA",
        help="also print how varied the captions are: the share that are distinct, the share "
        "copied from the train split of DATA, the words used and the mean length; may be repeated",
    )
    parser.add_argument(
        "--faults",
        action="store_true",
        help="also print how many of the captions, and of people's, have faults that the scores "
        'forgive, such as "a sink and a sink"; English only',
    )
    parser.add_argument(
        "--report",
        metavar="FOLDER",
        help="write into this folder a page with every picture, its captions and scores, best or "
        "worst first, and a table of the scores",
    )
    parser.add_argument("--json", action="store_true", help="print the scores as JSON")
    add_batch_size_argument(parser)
    add_quiet_argument(parser)
    add_search_arguments(parser)


def run(options):
    require(
        options.model or options.results,
        "nothing to score; give --model, or --results with a results file",
    )
    names = list(chain.from_iterable(options.metrics))
    require(names, f"--metrics: none given; choose of {', '.join(metrics.METRICS)}")
    metrics.require_metrics(names)
    if options.report:
        require_report_folder(options.report)
    if options.model and options.results:
        metrics.require_replaceable_results(options.results)
    settings = search_settings(options)
    dataset = _dataset(options, options.split or (USUAL_SPLITS if options.model else None))
    if options.model:
        model = chosen_model(options).open()
        dataset = _unseen_by(model, dataset, options)
        _say_what_is_scored(dataset, options)
        found = _captions_of_model(model, options, dataset, settings)
    else:
        _say_what_is_scored(dataset, options)
        found = captions_of_results(options.results, dataset)
    captions = {name: each[0].text for name, each in found.items()}
    if options.model and options.results:
        metrics.save_results(options.results, captions)
    tokenization = _tokenization(options, dataset)
    scores = score_captions(
        captions, dataset, names, options.diversity or (), options.faults, tokenization
    )
    _print(scores, len(captions), tokenization, options.json)
    if options.report:
        write_report(options.report, dataset, found, scores, options.faults, tokenization)
    return 0


def _names(text):
    return text.replace(",", " ").split()


def _dataset(options, split):
    wants_pictures = bool(options.model or options.report)
    return load_dataset(
        options.data, options.images, split, options.data_format, check_images=wants_pictures
    )


def _unseen_by(model, dataset, options):
    """The data set; if it is whole, and the captioner learned from a part of it, another part."""
    if options.split or dataset.split:
        return dataset
    learned = learned_from(model, options.data)
    if learned == "all":
        line = f"the captioner has learned from {options.data}: these scores are too high"
        note(line, options.quiet)
    if learned != "train":
        return dataset
    line = f"the captioner has learned from train of {options.data}; --split all scores that too"
    note(line, options.quiet)
    return _dataset(options, "test")


def _say_what_is_scored(dataset, options):
    for line in dataset.warnings:
        note(line, options.quiet)
    if options.split:
        return
    count = counted(len(dataset), "picture")
    if not options.model:
        line = f"scores all {count} of {options.data}"
    elif dataset.split is None:
        line = f"scores all {count}: {options.data} defines no splits"
    elif dataset.split == USUAL_SPLITS[0]:
        line = f"scores the {count} of {dataset.split}"
    else:
        line = f"scores the {count} of {dataset.split}: {options.data} has no {USUAL_SPLITS[0]}"
    note(line, options.quiet)


def _captions_of_model(model, options, dataset, settings):
    settings = {**settings, "with_attention": bool(options.report)}
    found = captions_of_model(model, dataset, options.batch_size, **settings)
    with ProgressBar(len(dataset), "picture", shown=not options.quiet) as bar:
        return dict(bar.each(found))


def _tokenization(options, dataset):
    """What counts as a word; a note says so where it is not what most scores count."""
    captions = chain.from_iterable(dataset.captions)
    tokenization = metrics.choose_tokenization(captions, options.tokenization)
    if tokenization == "characters":
        line = "each character of a script without spaces counts as a word (tokenization "
        line += "characters); scores of another tokenization cannot be compared with these"
        note(line, options.quiet)
    return tokenization


def _print(scores, count, tokenization, as_json):
    if as_json:
        print(json.dumps({"images": count, "tokenization": tokenization, **scores}, indent=2))
        return
    print(f"{counted(count, 'caption')}, tokenization {tokenization}")
    width = max(8, *map(len, scores))
    for name, value in scores.items():
        print(f"{name:{width}}", f"{value:.4f}" if isinstance(value, float) else value)

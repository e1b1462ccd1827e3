"""Write captions for pictures: files, folders (with all below them) and globs.

  python caption.py photo.jpg
  python caption.py photos/ --format csv --output captions.csv
  find . -name '*.jpg' | python caption.py -

One line per picture on standard output, path<TAB>caption; progress and errors on standard error.
Exit status: 0 all captioned, 1 some pictures failed, 2 wrong usage.
"""

import sys

from tqdm import tqdm

from captioner.cli.models import add_model_arguments, load_models
from captioner.cli.search_arguments import add_search_arguments, search_settings
from captioner.cli.writers import WRITERS, open_output
from captioner.errors import CaptionerError
from captioner.images import ImageError, find_images


def add_arguments(parser):
    parser.add_argument(
        "paths", nargs="+", metavar="PATH", help="picture, folder or glob; - reads paths from stdin"
    )
    add_model_arguments(
        parser,
        "captioner (default: flickr8k); given more than once: their average at every word",
    )
    parser.add_argument(
        "--format", default="text", choices=sorted(WRITERS), help="output format (default: text)"
    )
    parser.add_argument("--output", metavar="FILE", help="write there instead of standard output")
    parser.add_argument("--scores", action="store_true", help="add each caption's score")
    parser.add_argument(
        "--batch-size", type=int, default=32, metavar="N", help="pictures at a time (default: 32)"
    )
    add_search_arguments(parser)


def run(options):
    settings = search_settings(options)
    paths, problems = find_images(options.paths)
    for problem in problems:
        _complain(problem)
    if not paths:
        raise CaptionerError("no pictures to caption")
    model = load_models(
        options.model or ["flickr8k"], options.runtime, options.rerank, options.rerank_weight
    )
    failed = len(problems)
    quiet = len(paths) == 1 or not sys.stderr.isatty()
    bar = tqdm(total=len(paths), unit="picture", disable=quiet, leave=False)
    with bar, open_output(options.output) as file:
        writer = WRITERS[options.format](file, with_scores=options.scores)
        for _, path, result in model.generate_all(paths, options.batch_size, **settings):
            if isinstance(result, ImageError):
                _complain(result)
                failed += 1
            else:
                writer.write(path, result[: settings.get("n_best", 1)])
            bar.update()
        writer.close()
    return 1 if failed else 0


def _complain(problem):
    tqdm.write(f"captioner: {problem}", file=sys.stderr)
    sys.stderr.flush()

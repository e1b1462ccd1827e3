"""Image captioning with an LSTM, a GRU or a plain RNN that sees the picture at every step.

The public names are imported when first used, so that `import captioner` and the command line's
`--help` do not wait for the deep-learning backend.
"""

import importlib

__version__ = "0.1.0"

_HOME = {
    "Caption": "captioner.generation",
    "Captioner": "captioner.captioner",
    "CaptionerError": "captioner.errors",
    "CaptionDataset": "captioner.datasets",
    "Decoder": "captioner.decoder",
    "Encoder": "captioner.encoder",
    "Ensemble": "captioner.ensemble",
    "ImageError": "captioner.images",
    "ImageRNN": "captioner.recurrent",
    "LiteCaptioner": "captioner.lite_captioner",
    "Reranked": "captioner.reranked",
    "SequenceLabeller": "captioner.study.labeller",
    "TrainConfig": "captioner.training.config",
    "Translator": "captioner.study.translator",
    "Vocabulary": "captioner.vocabulary",
    "export": "captioner.exporting.formats",
    "export_site": "captioner.exporting.browser",
    "load": "captioner.models",
    "load_dataset": "captioner.datasets",
    "train": "captioner.training.run",
}
_MODULES = {
    "bulk": "captioner.bulk",
    "datasets": "captioner.datasets",
    "decoding": "captioner.decoding",
    "gradients": "captioner.study.gradients",
    "metrics": "captioner.metrics",
    "reports": "captioner.output.reports",
}
_NEED_KERAS = {"Captioner", "Decoder", "Encoder", "ImageRNN", "SequenceLabeller", "Translator",
               "export", "gradients", "train"}  # fmt: skip

__all__ = [*_HOME, *_MODULES, "__version__"]


def __getattr__(name):
    if name in _NEED_KERAS:
        from captioner.backend import start_backend

        start_backend(f"captioner.{name}")
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'captioner' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)

"""Image captioning with an LSTM, a GRU or a plain RNN that sees the picture at every step.

The public names are imported when first used, so that `import captioner` and the command line's
`--help` do not wait for the deep-learning backend.
"""

import importlib

__version__ = "0.1.0"

_HOME = {
    "Caption": "captioner.generation",
    "CaptionerError": "captioner.errors",
    "CaptionDataset": "captioner.datasets",
    "Ensemble": "captioner.ensemble",
    "ImageError": "captioner.images",
    "LiteCaptioner": "captioner.lite_captioner",
    "Reranked": "captioner.reranked",
    "TrainConfig": "captioner.training.config",
    "Vocabulary": "captioner.vocabulary",
    "load": "captioner.models",
    "load_dataset": "captioner.datasets",
}
_HOME_WITH_KERAS = {
    "Captioner": "captioner.captioner",
    "Decoder": "captioner.decoder",
    "Encoder": "captioner.encoder",
    "ImageRNN": "captioner.recurrent",
    "SequenceLabeller": "captioner.study.labeller",
    "Translator": "captioner.study.translator",
    "export": "captioner.exporting.formats",
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

__all__ = [*_HOME, *_HOME_WITH_KERAS, *_MODULES, "__version__"]


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    if name in _HOME_WITH_KERAS:
        from captioner.backend import start_backend

        start_backend(f"captioner.{name}")
        return getattr(importlib.import_module(_HOME_WITH_KERAS[name]), name)
    raise AttributeError(f"module 'captioner' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)

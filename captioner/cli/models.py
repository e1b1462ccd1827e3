"""What --model and --rerank name, as one captioner."""

from captioner.captioner import load
from captioner.ensemble import Ensemble
from captioner.reranked import Reranked


def load_models(names, backward=None, weight=0.5):
    """One captioner for one name, an ensemble for several; see `captioner.load`.

    Args:
        names: list of str.
        backward: str or None. A captioner that re-ranks, see `Reranked`. Defaults to `None`.
        weight: float. Its weight. Defaults to `0.5`.
    """
    models = [load(name) for name in names]
    model = models[0] if len(models) == 1 else Ensemble(models)
    return model if backward is None else Reranked(model, load(backward), weight)

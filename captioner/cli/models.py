"""What --model and --rerank name, as one captioner."""

from captioner.captioner import load
from captioner.ensemble import Ensemble
from captioner.errors import CaptionerError
from captioner.reranked import Reranked


def load_models(names, backward=None, weight=None):
    """One captioner for one name, an ensemble for several; see `captioner.load`.

    Args:
        names: list of str.
        backward: str or None. A captioner that re-ranks, see `Reranked`. Defaults to `None`.
        weight: float or None. Its weight. Defaults to `None`, which is 0.5.

    Raises:
        CaptionerError: There is a weight, and no captioner that re-ranks.
    """
    if backward is None and weight is not None:
        raise CaptionerError(f"--rerank-weight {weight}: is for --rerank, which is not given")
    models = [load(name) for name in names]
    model = models[0] if len(models) == 1 else Ensemble(models)
    if backward is None:
        return model
    return Reranked(model, load(backward), 0.5 if weight is None else weight)

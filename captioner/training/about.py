"""What a model file says of the run that made it."""

import os

PATHS = (
    "data", "val_data", "more_data", "text", "images", "out", "cache", "encoder_weights",
    "init_from",
)  # fmt: skip


def about(config, epoch, scores, started_from, **measured):
    """The `about` of a captioner.

    Args:
        config: TrainConfig.
        epoch: int. After which it is written.
        scores: dict of float. Those of its captions of the validation pictures.
        started_from: dict. The `about` of the captioner that was trained further; `{}`: none.
        **measured: what else is known of the epoch.

    Returns:
        dict.
    """
    found = {"trained_with": without_folders(config), "epoch": epoch, "validation": scores}
    found |= measured
    return {**found, "started_from": started_from} if started_from else found


def without_folders(config):
    """The settings as a shipped model reports them: files by name, without the folders they are in.

    Args:
        config: TrainConfig.

    Returns:
        dict.
    """
    return {**vars(config), **{name: base_names(getattr(config, name)) for name in PATHS}}


def base_names(paths):
    """The last part of a path, or of each of a list."""
    if isinstance(paths, list):
        return [base_names(path) for path in paths]
    return os.path.basename(paths.rstrip("/"))

"""Pictures with their captions, whatever file they were read from."""

import dataclasses
import hashlib
import json
import os


@dataclasses.dataclass
class CaptionDataset:
    """The pictures of a data set, or of one split of it, with their captions.

    Entry n of each list belongs to picture n.

    Args:
        image_ids: list of int or str. COCO's number where there is one, else the picture's file
            name relative to the folder of the pictures.
        image_paths: list of str.
        captions: list of lists of str. At least one caption a picture, as written, with single
            spaces.
        split: str or None. `"train"`, `"val"`, `"test"` or the source's own name; None for all.
        warnings: list of str. What was skipped or assumed in reading, one line each.
        sets: list of str. Where several data sets are joined, the name of the one that each picture
            is from. Defaults to `""` for each.

    Example:
    >>> dataset = CaptionDataset(["a.jpg"], ["photos/a.jpg"], [["A dog.", "A dog runs."]])
    >>> len(dataset), dataset.references()
    (1, {'a.jpg': ['A dog.', 'A dog runs.']})
    """

    image_ids: list
    image_paths: list
    captions: list
    split: str | None = None
    warnings: list = dataclasses.field(default_factory=list)
    sets: list = dataclasses.field(default_factory=list)

    def __post_init__(self):
        self.sets = self.sets or [""] * len(self.image_ids)

    def __len__(self):
        return len(self.image_ids)

    def references(self):
        """The captions of each picture by its id, as `captioner.metrics.score` wants them."""
        return dict(zip(self.image_ids, self.captions, strict=True))

    def fingerprint(self):
        """A dict of plain values by which this data set is recognised.

        Different captions, ids, sizes of picture files or a different order give a different
        digest; the folder of the pictures and the times of the files do not matter.
        """
        digest = hashlib.sha256()
        for image_id, path, captions in zip(
            self.image_ids, self.image_paths, self.captions, strict=True
        ):
            size = os.path.getsize(path) if os.path.exists(path) else None
            digest.update(json.dumps([image_id, size, captions]).encode())
        captions = sum(map(len, self.captions))
        return {"pictures": len(self), "captions": captions, "digest": digest.hexdigest()}

    def by_set(self):
        """The positions of each set's pictures by the set's name: a dict of lists."""
        positions = {}
        for n, name in enumerate(self.sets):
            positions.setdefault(name, []).append(n)
        return positions

    def named(self, name):
        """The data set with a name, which its pictures keep when it is joined to others."""
        return dataclasses.replace(self, sets=[name] * len(self))

    def joined(self, other):
        """The data set of the pictures of both, this one's first; both's warnings."""
        return dataclasses.replace(
            self,
            image_ids=self.image_ids + other.image_ids,
            image_paths=self.image_paths + other.image_paths,
            captions=self.captions + other.captions,
            warnings=self.warnings + other.warnings,
            sets=self.sets + other.sets,
        )

    def subset(self, indices):
        """The data set of some pictures only.

        Args:
            indices: iterable of int. Positions in the lists, in the order wanted.
        """
        indices = list(indices)
        return dataclasses.replace(
            self,
            image_ids=[self.image_ids[n] for n in indices],
            image_paths=[self.image_paths[n] for n in indices],
            captions=[self.captions[n] for n in indices],
            sets=[self.sets[n] for n in indices],
        )

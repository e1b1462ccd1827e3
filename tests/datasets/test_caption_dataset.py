from captioner.datasets import CaptionDataset


def dataset():
    return CaptionDataset(
        image_ids=[7, 8, 9],
        image_paths=["7.jpg", "8.jpg", "9.jpg"],
        captions=[["one"], ["two", "three"], ["four"]],
        split="val",
        warnings=["a warning"],
    )


def test_references_are_the_captions_by_id():
    assert dataset().references() == {7: ["one"], 8: ["two", "three"], 9: ["four"]}


def test_a_subset_has_the_order_of_its_indices_and_keeps_the_rest():
    part = dataset().subset(n for n in (2, 0))
    assert len(part) == 2
    assert part == CaptionDataset([9, 7], ["9.jpg", "7.jpg"], [["four"], ["one"]], "val",
                                  ["a warning"])  # fmt: skip

import pytest

from captioner.datasets import FORMATS, CaptionDataset, load_dataset
from captioner.errors import CaptionerError
from captioner.training.config import TrainConfig
from tests.datasets import coco_document, touch, write_json

CAPTIONS = {"a.jpg": ["Two dogs."], "b.jpg": ["Un café.", "一只猫"]}


def write_coco(folder):
    return write_json(folder / "captions.json", coco_document(CAPTIONS))


def write_oddly_named_coco(folder):
    return write_json(folder / "pets.json", coco_document(CAPTIONS))


def write_karpathy(folder):
    images = [
        {"filename": file, "sentences": [{"raw": text} for text in texts]}
        for file, texts in CAPTIONS.items()
    ]
    return write_json(folder / "dataset_pets.json", {"images": images})


def write_lines(path, template, header=""):
    lines = [
        template.format(file, n, text)
        for file, texts in CAPTIONS.items()
        for n, text in enumerate(texts)
    ]
    path.write_text("\n".join([*header.splitlines(), *lines]) + "\n", encoding="utf-8")
    return path


def write_token(folder):
    return write_lines(folder / "pets.token.txt", "{}#{}\t{}")


def write_csv(folder):
    return write_lines(folder / "pets.csv", "{},{},{}", "image,number,caption")


def write_kaggle(folder):
    return write_lines(folder / "captions.txt", "{0},{2}", "image,caption")


def write_sidecar(folder):
    for file, texts in CAPTIONS.items():
        (folder / file).with_suffix(".txt").write_text("\n".join(texts), encoding="utf-8")
    return folder


WRITERS = {
    write_coco: "coco",
    write_oddly_named_coco: "coco",
    write_karpathy: "karpathy",
    write_token: "flickr8k",
    write_csv: "csv",
    write_kaggle: "csv",
    write_sidecar: "sidecar",
}


@pytest.mark.parametrize("write", WRITERS)
def test_every_format_is_found_out_and_gives_the_same(tmp_path, write):
    touch(tmp_path, *CAPTIONS)
    path = write(tmp_path)
    ids = [1, 2] if WRITERS[write] == "coco" else ["a.jpg", "b.jpg"]
    expected = CaptionDataset(
        ids, [str(tmp_path / "a.jpg"), str(tmp_path / "b.jpg")], list(CAPTIONS.values())
    )
    assert load_dataset(path) == expected
    assert load_dataset(tmp_path) == expected
    assert load_dataset(tmp_path, format=WRITERS[write]) == expected
    assert load_dataset(path, str(tmp_path), format=WRITERS[write]) == expected


def test_other_files_do_not_confuse(tmp_path):
    touch(tmp_path, *CAPTIONS, "captions_results.json", "licences.csv")
    (tmp_path / "._captions.csv").write_text("image,caption")
    (tmp_path / "captions_results.json").write_text('[{"image_id": 1, "caption": "x"}]')
    write_token(tmp_path)
    assert len(load_dataset(tmp_path)) == 2


def test_two_formats_in_one_folder(tmp_path):
    touch(tmp_path, *CAPTIONS)
    write_coco(tmp_path)
    write_csv(tmp_path)
    with pytest.raises(CaptionerError, match=r"several formats \(captions.json, pets.csv\)"):
        load_dataset(tmp_path)
    assert load_dataset(tmp_path, format="csv").image_ids == ["a.jpg", "b.jpg"]


def test_two_files_of_one_format(tmp_path):
    write_csv(tmp_path)
    write_kaggle(tmp_path)
    with pytest.raises(CaptionerError, match="holds several of format csv; name the annotation"):
        load_dataset(tmp_path)


def test_a_folder_without_the_chosen_format(tmp_path):
    write_csv(tmp_path)
    with pytest.raises(CaptionerError, match="holds no file of format karpathy"):
        load_dataset(tmp_path, format="karpathy")


def test_a_folder_without_captions(tmp_path):
    touch(tmp_path, "a.jpg", "b.jpg")
    with pytest.raises(CaptionerError, match=r"holds no captions: no captions_\*.json"):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "captions_train.json",
            '{"info": {',
            "captions_train.json: line 1, column 11: broken JSON",
        ),
        ("captions_train.json", '{"info": {}}', "captions_train.json: neither COCO captions"),
        ("x.csv", "picture;words\n", "x.csv: line 1: expected the header image,caption"),
        ("x.token.txt", "a.jpg one", "x.token.txt: captions in no known format"),
    ],
)
def test_a_folder_whose_captions_are_broken(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(CaptionerError, match=message):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.json", '[{"image_id": 1}]', "neither COCO captions .* nor Karpathy's"),
        ("x.json", '{"images": [', "x.json: line 1, column 13: broken JSON"),
        ("x.json", "[" * 100000, "x.json: broken JSON"),
        ("x.csv", "a,b\n1,2\n", "line 1: expected the header image,caption, got 'a,b'"),
        ("x.txt", "some text", "x.txt: captions in no known format; expected COCO's or Karpathy's"),
        ("x.csv", "image,caption\n", "x.csv: no picture with a caption"),
    ],
)
def test_files_that_hold_no_captions(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(CaptionerError, match=message):
        load_dataset(tmp_path / name)


def test_a_split_without_captions(tmp_path):
    (tmp_path / "x.csv").write_text("image,caption,split\na.jpg,one,train\nb.jpg,,val\n")
    with pytest.raises(
        CaptionerError, match=r"x.csv: no picture with a caption in val; empty captions"
    ):
        load_dataset(tmp_path / "x.csv", split="val")


def test_all_and_the_first_split_that_there_is(tmp_path):
    rows = "image,caption,split\na.jpg,one,train\nb.jpg,two,dev\n"
    (tmp_path / "x.csv").write_text(rows)
    (tmp_path / "y.csv").write_text("image,caption\na.jpg,one\nb.jpg,two\n")

    def found(name, split):
        dataset = load_dataset(tmp_path / name, split=split, check_images=False)
        return dataset.image_ids, dataset.split, dataset.warnings

    for name in ("x.csv", "y.csv"):
        assert found(name, "all") == found(name, None) == (["a.jpg", "b.jpg"], None, [])
    assert found("x.csv", ("test", "dev")) == (["b.jpg"], "val", [])
    assert found("x.csv", ("train", "val")) == (["a.jpg"], "train", [])
    assert found("y.csv", ("test", "val")) == (["a.jpg", "b.jpg"], None, [])
    with pytest.raises(CaptionerError, match=r"x.csv has no split 'test'; it has train, val$"):
        found("x.csv", ("test", "extra"))


def test_several_folders_of_pictures(tmp_path):
    path = write_coco(tmp_path / "annotations")
    touch(tmp_path, "one/a.jpg", "two/a.jpg", "two/b.jpg")
    folders = [tmp_path / "one", str(tmp_path / "two")]
    paths = [str(tmp_path / "two" / name) for name in CAPTIONS]
    assert load_dataset(path, images=folders).image_paths == paths
    with pytest.raises(CaptionerError, match="three: no such folder of pictures"):
        load_dataset(path, images=[*folders, tmp_path / "three"])


def test_every_format_is_explained():
    for format in FORMATS[1:]:
        assert f"- {format}: " in load_dataset.__doc__
    assert FORMATS[0] == TrainConfig().format == "auto"


def test_wrong_arguments(tmp_path):
    with pytest.raises(CaptionerError, match="nowhere: no such file or folder of captions"):
        load_dataset(tmp_path / "nowhere")
    with pytest.raises(CaptionerError, match="format 'voc': choose one of auto, coco, karpathy"):
        load_dataset(tmp_path, format="voc")
    with pytest.raises(CaptionerError, match="nowhere: no such folder of pictures"):
        load_dataset(write_coco(tmp_path), images=tmp_path / "nowhere")

"""Captioning photos, JPEG to caption, against BLIP and ViT-GPT2 from transformers.

    pip install -r benchmarks/requirements.txt
    python -m benchmarks.transformers_peers --photos flickr8k/images

The two are BLIP-base (384 pixels, as its captioning checkpoint takes them) and ViT-base with GPT-2
(224 pixels). They have random weights, because speed does not depend on the weights. All use a beam
of 3. Random weights never end a caption, so BLIP and ViT-GPT2 stop after the mean length of
Flickr8k's captions, 11 tokens and the end. They take turns, each in a process of its own, on all
cores. Opening the model and the first batch are not counted. The medians are printed.
"""

import argparse
import glob
import os
import time
from statistics import median

from benchmarks.processes import in_a_process_of_its_own

TOKENS, BEAM_SIZE = 12, 3


def ours(paths):
    from captioner.lite_captioner import LiteCaptioner
    from captioner.presets import DEFAULT_PRESET, exported_form

    model = LiteCaptioner(exported_form(DEFAULT_PRESET))
    list(model.generate_all(paths[:32], beam_size=BEAM_SIZE))
    return lambda: sum(1 for _ in model.generate_all(paths, beam_size=BEAM_SIZE))


def blip(paths):
    from transformers import BlipConfig, BlipForConditionalGeneration

    model = BlipForConditionalGeneration(BlipConfig(vision_config={"image_size": 384})).eval()
    return _generating(model, paths, size=384, batch_size=4)


def vit_gpt2(paths):
    from transformers import (
        GPT2Config,
        VisionEncoderDecoderConfig,
        VisionEncoderDecoderModel,
        ViTConfig,
    )

    decoder = GPT2Config(add_cross_attention=True, is_decoder=True)
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(ViTConfig(), decoder)
    config.decoder_start_token_id, config.pad_token_id = 50256, 50256
    model = VisionEncoderDecoderModel(config).eval()
    model.generation_config.decoder_start_token_id = 50256
    model.generation_config.pad_token_id = 50256
    return _generating(model, paths, size=224, batch_size=8)


def _generating(model, paths, size, batch_size):
    """A function that captions the pictures in batches, the fastest way for these models."""
    import numpy as np
    import torch
    from PIL import Image

    def pixels(path):
        with Image.open(path) as image:
            values = np.asarray(image.convert("RGB").resize((size, size)), np.float32)
        return torch.from_numpy(values.transpose(2, 0, 1) / 127.5 - 1)

    def run(paths=paths):
        for start in range(0, len(paths), batch_size):
            batch = torch.stack([pixels(path) for path in paths[start : start + batch_size]])
            with torch.inference_mode():
                model.generate(
                    pixel_values=batch,
                    num_beams=BEAM_SIZE,
                    min_new_tokens=TOKENS,
                    max_new_tokens=TOKENS,
                )
        return len(paths)

    run(paths[:batch_size])
    return run


# How many photos each captions in a round: the others take seconds for one.
CONTESTANTS = {"captioner": (ours, 500), "BLIP-base": (blip, 8), "ViT-GPT2": (vit_gpt2, 16)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photos", required=True, help="folder of at least 500 pictures")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contestant:
        prepare, pictures = CONTESTANTS[options.contestant]
        run = prepare(sorted(glob.glob(os.path.join(options.photos, "*.jpg")))[:pictures])
        start = time.perf_counter()
        print(run() / (time.perf_counter() - start))
        return
    found, module = {name: [] for name in CONTESTANTS}, "benchmarks.transformers_peers"
    for _ in range(options.rounds):
        for name, rates in found.items():
            rates.append(in_a_process_of_its_own(module, name, ["--photos", options.photos]))
    rates = {name: median(each) for name, each in found.items()}
    print("| what | pictures/s | captioner is faster by a factor of |\n|---|---|---|")
    for name, rate in rates.items():
        print(f"| {name} | {rate:.2f} | {rates['captioner'] / rate:.0f} |")


if __name__ == "__main__":
    main()

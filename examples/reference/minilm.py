#!/usr/bin/env python3
"""What the reference implementation makes of the sentence encoder: writes `minilm.json` beside this script.

Needs `pip install torch transformers` and the model, which `examples/data/fetch_minilm.py` fetches.

    python minilm.py [FOLDER OF THE MODEL]

Two models: the real one, and a tiny one of the same architecture whose weights are a formula, so that the test of it
needs no file. Of each: sentence embeddings, and the losses of a fine-tuning without dropout, all in f32 on the CPU.
"""

import json
import math
import sys
from pathlib import Path

import torch
from transformers import AutoTokenizer, BertConfig, BertModel

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "data"
SENTENCES = [
    "The cat sits on the mat.",
    "A cat is sitting on a rug.",
    "Gradients flow backwards through the recorded graph.",
    "Reverse-mode differentiation walks the Wengert list in reverse.",
    "Où est la bibliothèque? It's 3.14 km away, naïvely measured…",
    "ok",
]


def embed(model, ids, mask):
    """Mean of the last layer's vectors over a sentence."""
    hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
    mask = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * mask).sum(1) / mask.sum(1)


def fine_tune(model, width, classes, batches, rate, steps):
    """The losses of the steps. The new layer begins with zeros."""
    model.eval()  # no dropout: the two implementations would draw differently
    head = torch.nn.Linear(width, classes)
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    trained = [*(p for n, p in model.named_parameters() if not n.startswith("pooler")), *head.parameters()]
    optimizer = torch.optim.AdamW(trained, lr=rate, weight_decay=0.01)
    losses = []
    for step in range(steps):
        ids, mask, labels = batches[step % len(batches)]
        loss = torch.nn.functional.cross_entropy(head(embed(model, ids, mask)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, head


def tiny():
    config = BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=32,
        max_position_embeddings=12, layer_norm_eps=1e-12, hidden_act="gelu",
    )
    model = BertModel(config, add_pooling_layer=False).eval()
    for p, (name, weight) in enumerate(sorted(model.named_parameters())):
        values = [0.4 * math.sin(1 + 0.37 * i + 1.7 * p) for i in range(weight.numel())]
        start = 1.0 if name.endswith("LayerNorm.weight") else 0.0
        weight.data = start + torch.tensor(values, dtype=torch.float64).reshape(weight.shape)
        weight.data = weight.data.float()
    lengths = [7, 3, 5, 1]
    ids = torch.tensor([[(5 * i * i + 7 * j) % 49 + 1 if j < n else 0 for j in range(7)] for i, n in enumerate(lengths)])
    mask = torch.tensor([[int(j < n) for j in range(7)] for n in lengths])
    with torch.no_grad():
        embeddings = embed(model, ids, mask)
    losses, _ = fine_tune(model, 16, 3, [(ids, mask, torch.tensor([0, 1, 2, 1]))], 1e-2, 25)
    return {"embeddings": embeddings.tolist(), "losses": losses}


def real(folder):
    tokenizer, model = AutoTokenizer.from_pretrained(folder), BertModel.from_pretrained(folder).eval()

    def tokens(sentences):
        t = tokenizer(sentences, padding=True, truncation=True, max_length=256, return_tensors="pt")
        return t["input_ids"], t["attention_mask"]

    ids, mask = tokens(SENTENCES)
    with torch.no_grad():
        embeddings = torch.nn.functional.normalize(embed(model, ids, mask), dim=1)

    rows = [line.split("\t") for line in (DATA / "intents.tsv").read_text().splitlines()]
    names = sorted({intent for intent, _ in rows})
    train = [row for i, row in enumerate(rows) if i % 4 != 3]
    test = [row for i, row in enumerate(rows) if i % 4 == 3]
    mixed = [row for _, row in sorted(enumerate(train), key=lambda pair: pair[0] * 23 % len(train))]
    label = lambda part: torch.tensor([names.index(intent) for intent, _ in part])
    parts = [mixed[i : i + 17] for i in range(0, len(mixed), 17)]
    batches = [(*tokens([text for _, text in part]), label(part)) for part in parts]
    losses, head = fine_tune(model, 384, len(names), batches, 1e-4, 30)
    with torch.no_grad():
        found = head(embed(model, *tokens([text for _, text in test]))).argmax(1)
    return {
        "sentences": SENTENCES,
        "ids": [row[:n].tolist() for row, n in zip(ids, mask.sum(1))],
        "embeddings": [row[:8].tolist() for row in embeddings],
        "similarities": (embeddings @ embeddings.T).tolist(),
        "losses": losses,
        "right": int((found == label(test)).sum()),
        "tested": len(test),
    }


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else str(DATA / "minilm")
    torch.manual_seed(0)
    result = {"torch": torch.__version__, "tiny": tiny(), "real": real(folder)}
    text = json.dumps(result, indent=1, ensure_ascii=False)
    (HERE / "minilm.json").write_text(text + "\n")
    print(result["real"]["losses"], result["real"]["right"], "of", result["real"]["tested"])
    print(result["tiny"]["losses"])


if __name__ == "__main__":
    main()

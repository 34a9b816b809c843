"""A small GPT that learns to make up names, letter by letter, as one writes it for PyTorch: only the imports differ.

    python gpt.py [--steps N] [--short]
"""

import letters
import wengert as torch
from wengert import nn
from wengert.nn import functional as F


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x):
        batch, time, width = x.shape
        q, k, v = (
            part.view(batch, time, self.heads, width // self.heads).transpose(1, 2)
            for part in self.qkv(x).split(width, dim=2)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(batch, time, width))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    def __init__(self, kinds, context, layers, width, heads):
        super().__init__()
        self.letter = nn.Embedding(kinds, width)
        self.place = nn.Embedding(context, width)
        self.blocks = nn.ModuleList([Block(width, heads) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, kinds, bias=False)

    def forward(self, x):
        x = self.letter(x) + self.place(torch.arange(x.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def loss_of(model, batch):
    x, y = (torch.from_numpy(part) for part in batch)
    return F.cross_entropy(model(x).flatten(0, 1), y.flatten())


def train(model, names, steps, batch, context, learning_rate, see=lambda step, loss: None):
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    losses = []
    for step in range(steps):
        loss = loss_of(model, names.batch(step, batch, context))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
        see(step, losses[-1])
    return losses


def begin(model):
    """Gives the model the first weights that all programs share."""
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    model.load_state_dict({name: torch.from_numpy(value) for name, value in letters.first_weights(shapes)})
    return model


@torch.no_grad()
def sample(model, names, count, temperature=0.8):
    text = torch.full((count, 1), names.letters.index("\n"))
    for _ in range(20):
        scores = model(text)[:, -1] / temperature
        text = torch.cat([text, torch.multinomial(scores.softmax(-1), 1)], dim=1)
    lines = ["".join(names.letters[i] for i in row) for row in text.tolist()]
    return [line.split("\n")[1] for line in lines]


SHORT = {"steps": 40, "batch": 8, "context": 16, "learning_rate": 1e-2}


def models(kinds):
    """The model and its plan, long and short."""
    return {
        "long": (GPT(kinds, 64, 4, 128, 4), {"steps": 800, "batch": 16, "context": 64, "learning_rate": 1e-3}),
        "short": (GPT(kinds, 32, 2, 32, 4), SHORT),
    }


def run(example, models):
    asked = letters.options(None)
    torch.manual_seed(0)
    names = letters.Names()
    model, plan = models(len(names.letters))["short" if asked.short else "long"]
    begin(model)
    plan["steps"] = asked.steps or plan["steps"]
    clock = letters.Clock()

    def see(step, loss):
        clock.step()
        if step % 20 == 0:
            print(f"step {step}: loss {loss:.4f}")

    losses = train(model, names, **plan, see=see)
    last = losses[-50:]
    with torch.no_grad():
        held_out = loss_of(model, names.all_held_out(plan["context"])).item()
    print(f"loss {sum(last) / len(last):.4f}, {held_out:.4f} held out; {clock.milliseconds():.1f} ms a step")
    if not (asked.short or asked.steps):
        theirs = letters.reference(example)
        print(f"PyTorch, from the same weights and data: {theirs['last']:.4f}, and {theirs['held_out']:.4f} held out")
    print(", ".join(sample(model, names, 20)))


if __name__ == "__main__":
    run("gpt", models)

"""A recurrent network that learns a rhyme letter by letter."""

import torch
import torch.nn as nn

text = "the cat sat on the mat and the rat sat on the cat and the bat sat on the rat. " * 2
letters = sorted(set(text))
number = {c: i for i, c in enumerate(letters)}
data = torch.tensor([number[c] for c in text])


class CharModel(nn.Module):
    def __init__(self, n_letters, width=12, hidden=24):
        super().__init__()
        self.embed = nn.Embedding(n_letters, width)
        self.lstm = nn.LSTM(width, hidden, num_layers=2, batch_first=True)
        self.out = nn.Linear(hidden, n_letters)

    def forward(self, x, state=None):
        y, state = self.lstm(self.embed(x), state)
        return self.out(y), state


torch.manual_seed(0)
model = CharModel(len(letters))
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.RMSprop(model.parameters(), lr=0.01)
length = 26

for epoch in range(12):
    state = None
    total = 0
    for start in range(0, len(data) - length - 1, length):
        x = data[start : start + length].unsqueeze(0)
        y = data[start + 1 : start + length + 1].unsqueeze(0)
        logits, state = model(x, state)
        state = tuple(s.detach() for s in state)
        loss = loss_fn(logits.reshape(-1, len(letters)), y.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch}: {total / (len(data) // length):.4f}")

model.eval()
with torch.no_grad():
    state, x = None, torch.tensor([[number["t"]]])
    result = "t"
    for _ in range(20):
        logits, state = model(x, state)
        x = logits[:, -1].argmax(-1, keepdim=True)
        result += letters[x.item()]
print("length", len(result))

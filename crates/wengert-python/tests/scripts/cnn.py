"""Small images of bars, upright or lying, told apart by a convolutional network."""

import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, Dataset


class Bars(Dataset):
    def __init__(self, n, seed):
        rng = np.random.RandomState(seed)
        self.labels = rng.randint(0, 2, n)
        self.images = 0.3 * rng.randn(n, 1, 8, 8).astype(np.float32)
        for image, label, place in zip(self.images, self.labels, rng.randint(1, 7, n)):
            if label:
                image[0, :, place] += 1
            else:
                image[0, place, :] += 1

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return torch.from_numpy(self.images[i]), int(self.labels[i])


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 4, kernel_size=3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 8, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d((2, 2)),
        )
        self.classifier = nn.Linear(8 * 2 * 2, 2)

    def forward(self, x):
        x = self.features(x)
        x = x.view(x.size(0), -1)
        return nn.functional.log_softmax(self.classifier(x), dim=1)


device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
torch.manual_seed(3)
train_loader = DataLoader(Bars(96, 0), batch_size=16, shuffle=True)
test_loader = DataLoader(Bars(48, 1), batch_size=16)
model = ConvNet().to(device)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
scheduler = StepLR(optimizer, step_size=2, gamma=0.5)

for epoch in range(4):
    model.train()
    total = 0.0
    for images, labels in train_loader:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.nll_loss(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    scheduler.step()
    model.eval()
    correct = 0
    with torch.no_grad():
        for images, labels in test_loader:
            prediction = model(images.to(device)).max(1)[1]
            correct += prediction.eq(labels).sum().item()
    print(f"epoch {epoch} lr {scheduler.get_last_lr()[0]:.4f} loss {total / 96:.4f} correct {correct}")

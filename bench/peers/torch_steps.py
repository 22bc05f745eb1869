"""Times PyTorch training steps and predictions of the bench's networks; prints one JSON line.

usage: torch_steps.py NETWORK MODE STEPS      NETWORK: mlp | cnn | deep | wide | rnn | lstm, MODE: train | predict1 | predict64
Thread settings come from the environment (OMP_WAIT_POLICY, OPENBLAS_NUM_THREADS).
"""
import json
import sys
import time

import torch
from torch import nn

torch.manual_seed(1)
network, mode, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])


def mlp(hidden):
    return nn.Sequential(nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 10))


def cnn():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.5), nn.Linear(1600, 10))


def deep():
    def block(inputs, outputs):
        return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs, momentum=0.01, eps=1e-3), nn.ReLU()]
    return nn.Sequential(
        *block(3, 64), *block(64, 64), nn.MaxPool2d(2), *block(64, 128), nn.MaxPool2d(2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))


class Recurrent(nn.Module):
    def __init__(self, cell, features, vocabulary=None):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, features) if vocabulary else nn.Identity()
        self.cell = cell(features, 64, batch_first=True)
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        return self.head(self.cell(self.embedding(x))[0][:, -1])


networks = {
    'mlp': (lambda: mlp(512), (784,), 128),
    'wide': (lambda: mlp(2800), (784,), 128),
    'cnn': (cnn, (1, 28, 28), 64),
    'deep': (deep, (3, 32, 32), 32),
    'rnn': (lambda: Recurrent(nn.RNN, 1), (100, 1), 32),
    'lstm': (lambda: Recurrent(nn.LSTM, 64, 1000), (100,), 32),
}
build, shape, batch = networks[network]
model = build()


def inputs(count):
    return torch.randint(0, 1000, (count, *shape)) if network == 'lstm' else torch.rand(count, *shape)


times = []
if mode == 'train':
    optimizer = torch.optim.Adam(model.parameters(), eps=1e-7)
    loss_of = nn.CrossEntropyLoss()
    x, y = inputs(batch), torch.randint(0, 10, (batch,))
    model.train()

    def step():
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()
else:
    x = inputs(int(mode[len('predict'):]))
    model.eval()

    def step():
        with torch.no_grad():
            return model(x)

for _ in range(max(3, steps // 5)):
    step()
for _ in range(steps):
    start = time.perf_counter()
    step()
    times.append((time.perf_counter() - start) * 1000)
print(json.dumps({
    'milliseconds': times,
    'notes': {
        'parameters': sum(p.numel() for p in model.parameters()),
        'version': torch.__version__,
        'threads': torch.get_num_threads()}}))

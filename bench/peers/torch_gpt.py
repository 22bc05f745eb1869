"""Times PyTorch training steps of a small GPT-2; prints one JSON line.

usage: torch_gpt.py NETWORK MODE STEPS      NETWORK: gpt, MODE: train
Thread settings come from the environment (OMP_WAIT_POLICY, OPENBLAS_NUM_THREADS).
"""
import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(1)
steps = int(sys.argv[3])
LAYERS, WIDTH, HEADS, STEPS, BATCH, VOCABULARY = 4, 128, 4, 64, 16, 65


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.c_attn, self.c_proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.c_fc, self.out = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.register_buffer('closed', torch.ones(STEPS, STEPS, dtype=torch.bool).triu(1))

    def forward(self, x):
        batch, time_, width = x.shape
        q, k, v = (part.view(batch, time_, HEADS, width // HEADS).transpose(1, 2) for part in self.c_attn(self.ln_1(x)).split(width, 2))
        scores = (q @ k.transpose(-2, -1)) * (width // HEADS) ** -0.5
        weights = scores.masked_fill(self.closed[:time_, :time_], float('-inf')).softmax(-1)
        x = x + self.c_proj((weights @ v).transpose(1, 2).reshape(batch, time_, width))
        return x + self.out(F.gelu(self.c_fc(self.ln_2(x)), approximate='tanh'))


class Gpt(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(STEPS, WIDTH)
        self.blocks = nn.ModuleList([Block() for _ in range(LAYERS)])
        self.ln_f = nn.LayerNorm(WIDTH)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                nn.init.normal_(weight, std=0.02)

    def forward(self, tokens):
        x = self.wte(tokens) + self.wpe.weight[:tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        return F.linear(self.ln_f(x), self.wte.weight)


model = Gpt()
optimizer = torch.optim.Adam(model.parameters(), eps=1e-7)
batches = [torch.randint(0, VOCABULARY, (BATCH, STEPS + 1)) for _ in range(8)]


def step(index):
    tokens = batches[index % len(batches)]
    optimizer.zero_grad(set_to_none=True)
    loss = F.cross_entropy(model(tokens[:, :-1]).reshape(-1, VOCABULARY), tokens[:, 1:].reshape(-1))
    loss.backward()
    optimizer.step()
    return loss.item()


for index in range(max(3, steps // 5)):
    step(index)
times = []
for index in range(steps):
    start = time.perf_counter()
    step(index)
    times.append((time.perf_counter() - start) * 1000)
print(json.dumps({
    'milliseconds': times,
    'notes': {
        'parameters': sum(p.numel() for p in model.parameters()),
        'version': torch.__version__,
        'threads': torch.get_num_threads()}}))

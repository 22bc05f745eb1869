"""Times greedy generation of a small GPT-2 with a cache of keys and values in PyTorch; prints one JSON line.

usage: torch_generation.py '{"layers": 4, "width": 128, "heads": 4, "vocabulary": 65, "tokens": 256, "window": 64, "share": 0.2}'
Thread settings come from the environment (OMP_WAIT_POLICY, OPENBLAS_NUM_THREADS).
"""
import json
import sys
import time

import torch
from torch.nn import functional as F

torch.manual_seed(1)
torch.set_grad_enabled(False)
sizes = json.loads(sys.argv[1])
LAYERS, WIDTH, HEADS, VOCABULARY, TOKENS, WINDOW = (sizes[name] for name in ('layers', 'width', 'heads', 'vocabulary', 'tokens', 'window'))
SIZE = WIDTH // HEADS

linear = lambda inside, outside: (torch.randn(outside, inside) * 0.1, torch.zeros(outside))
norm = lambda: (torch.ones(WIDTH), torch.zeros(WIDTH))
wte, wpe = torch.randn(VOCABULARY, WIDTH) * 0.1, torch.randn(TOKENS, WIDTH) * 0.1
blocks = [
    {'ln_1': norm(), 'attn': linear(WIDTH, 3 * WIDTH), 'proj': linear(WIDTH, WIDTH), 'ln_2': norm(), 'fc': linear(WIDTH, 4 * WIDTH), 'out': linear(4 * WIDTH, WIDTH)}
    for _ in range(LAYERS)
]
last = norm()


def generate():
    """The cache is written in place, and only what is filled of it is read."""
    keys = torch.zeros(LAYERS, HEADS, TOKENS, SIZE)
    values = torch.zeros(LAYERS, HEADS, TOKENS, SIZE)
    token, moments = 1, []
    for place in range(TOKENS - 1):
        x = wte[token : token + 1] + wpe[place]
        for layer, block in enumerate(blocks):
            q, k, v = (part.view(HEADS, 1, SIZE) for part in F.linear(F.layer_norm(x, (WIDTH,), *block['ln_1']), *block['attn']).split(WIDTH, 1))
            keys[layer, :, place] = k[:, 0]
            values[layer, :, place] = v[:, 0]
            scores = q @ keys[layer, :, : place + 1].transpose(1, 2) * SIZE**-0.5
            mixed = (scores.softmax(-1) @ values[layer, :, : place + 1]).transpose(0, 1).reshape(1, WIDTH)
            x = x + F.linear(mixed, *block['proj'])
            x = x + F.linear(F.gelu(F.linear(F.layer_norm(x, (WIDTH,), *block['ln_2']), *block['fc']), approximate='tanh'), *block['out'])
        token = int((F.layer_norm(x, (WIDTH,), *last) @ wte.T).argmax())
        moments.append(time.perf_counter())
    return [1000 * (after - before) for before, after in zip(moments, moments[1:])][-WINDOW:]


generate()
times = sorted(generate() + generate() + generate())
print(json.dumps({'milliseconds': times[int(len(times) * sizes['share'])]}))

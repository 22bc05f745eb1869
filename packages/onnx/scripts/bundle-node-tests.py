"""Makes fixtures/node-tests.json.gz: the small ones of ONNX's own backend tests (one node each, with inputs and outputs),
as the Python package `onnx` generates them: pip install onnx==1.23.1 && python3 scripts/bundle-node-tests.py"""
import base64
import gzip
import json
import os
import warnings

import numpy as np
import onnx
from onnx import numpy_helper
import onnx.backend.test.case.node as node_cases

warnings.filterwarnings('ignore')
largest_bytes = 1000
# Attention has many forms, and none is that small.
largest_attention_bytes = 3000


def encoded(message):
    return base64.b64encode(message.SerializeToString(deterministic=True)).decode()


def tensor(array, info):
    proto = array if isinstance(array, onnx.TensorProto) else numpy_helper.from_array(np.asarray(array))
    proto.name = info.name
    return proto


bundle = {}
for case in sorted(node_cases.collect_testcases(None), key=lambda each: each.name):
    graph = case.model.graph
    if any(not info.type.HasField('tensor_type') for info in [*graph.input, *graph.output]):
        continue
    inputs, outputs = case.data_sets[0]
    protos = [[tensor(*pair) for pair in zip(*side)] for side in ((inputs, graph.input), (outputs, graph.output))]
    size = case.model.ByteSize() + sum(proto.ByteSize() for side in protos for proto in side)
    is_attention = 'attention' in case.name or 'rotary' in case.name
    if size < (largest_attention_bytes if is_attention else largest_bytes):
        bundle[case.name] = {
            'model': encoded(case.model),
            'inputs': [encoded(proto) for proto in protos[0]],
            'outputs': [encoded(proto) for proto in protos[1]],
            'relativeTolerance': case.rtol,
            'absoluteTolerance': case.atol,
        }
target = os.path.join(os.path.dirname(__file__), '../fixtures/node-tests.json.gz')
with open(target, 'wb') as file:
    file.write(gzip.compress(json.dumps(bundle).encode(), 9, mtime=0))
print(len(bundle), os.path.getsize(target))

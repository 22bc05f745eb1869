"""Makes fixtures/models/*: small ONNX files in the forms of older opsets and in every storage form, each with inputs and
the outputs that ONNX Runtime gives for them. pip install onnx==1.23.1 onnxruntime && python3 scripts/generate-fixtures.py"""
import json
import os

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

folder = os.path.join(os.path.dirname(__file__), '../fixtures/models')
os.makedirs(folder, exist_ok=True)
random = np.random.default_rng(7)
f32, i64 = TensorProto.FLOAT, TensorProto.INT64


def value(name, shape, dtype=f32):
    return helper.make_tensor_value_info(name, dtype, shape)


def weights(*shape):
    return random.standard_normal(shape).astype(np.float32)


def dump(array):
    numbers = array.astype(np.float64) if array.dtype == np.float16 else array
    return {'dtype': str(array.dtype), 'shape': list(array.shape), 'data': numbers.reshape(-1).tolist()}


def save(name, nodes, inputs, outputs, feeds, opset, initializers=(), ir=None, functions=(), domains=(), edit=None, expected=None):
    ir = ir or {7: 3, 8: 3, 9: 4, 10: 5, 11: 6, 12: 7, 13: 7, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10}[opset]
    graph = helper.make_graph(nodes, name, inputs, outputs, initializer=list(initializers))
    imports = [helper.make_opsetid('', opset), *[helper.make_opsetid(domain, 1) for domain in domains]]
    model = helper.make_model(graph, opset_imports=imports, ir_version=ir, functions=list(functions), producer_name='fixtures')
    if edit:
        edit(model)
    onnx.save(model, f'{folder}/{name}.onnx')
    if expected is None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(f'{folder}/{name}.onnx', options, providers=['CPUExecutionProvider'])
        names = [output.name for output in session.get_outputs()]
        expected = dict(zip(names, session.run(None, feeds)))
    record = {'inputs': {k: dump(v) for k, v in feeds.items()}, 'outputs': {k: dump(v) for k, v in expected.items()}}
    with open(f'{folder}/{name}.json', 'w') as file:
        json.dump(record, file)
        file.write('\n')


def one(name, op, shape, result, opset, inputs=('x',), outputs=('y',), initializers=(), second_type=f32, **attributes):
    """A model of one node on one input."""
    node = helper.make_node(op, list(inputs), list(outputs), name=f'the_{op}', **attributes)
    tensors = [numpy_helper.from_array(array, key) for key, array in initializers]
    extra = [value(key, list(array.shape), helper.np_dtype_to_tensor_dtype(array.dtype)) for key, array in initializers] if opset < 9 else []
    results = [value(outputs[0], result)] + [value(output, None, second_type) for output in outputs[1:]]
    save(name, [node], [value('x', shape), *extra], results, {'x': weights(*[d if isinstance(d, int) else 2 for d in shape])}, opset, tensors)


# Attributes that became inputs, one file a rule.
one('clip-7', 'Clip', [2, 3], [2, 3], 7, min=-0.5, max=0.25)
one('clip-10-upper', 'Clip', [2, 3], [2, 3], 10, max=0.25)
one('pad-7', 'Pad', [2, 3], [5, 6], 7, pads=[1, 0, 2, 3], value=1.5)
one('pad-7-reflect', 'Pad', [2, 3], [2, 6], 7, pads=[0, 1, 0, 2], mode='reflect')
one('pad-7-negative', 'Pad', [4, 4], [3, 4], 7, pads=[-1, 0, 0, 0])
one('slice-9', 'Slice', [4, 5], [3, 2], 9, starts=[1, 0], ends=[9223372036854775807, 2])
one('slice-9-axes', 'Slice', [4, 5, 2], [4, 2, 2], 9, starts=[-3], ends=[-1], axes=[1])
one('split-7', 'Split', [6, 2], [2, 2], 7, outputs=('y', 'z'), axis=0, split=[2, 4])
one('split-12-equal', 'Split', [6, 2], [3, 2], 12, outputs=('y', 'z'), axis=0)
one('split-17-equal', 'Split', [6, 2], [3, 2], 17, outputs=('y', 'z'), axis=0)
one('squeeze-11', 'Squeeze', [1, 3, 1], [3, 1], 11, axes=[0])
one('squeeze-11-all', 'Squeeze', [1, 3, 1], [3], 11)
one('unsqueeze-12', 'Unsqueeze', [3, 2], [1, 3, 2, 1], 12, axes=[0, -1])
one('topk-9', 'TopK', [3, 5], [3, 2], 9, outputs=('y', 'z'), second_type=i64, axis=1, k=2)
one('dropout-7', 'Dropout', [2, 3], [2, 3], 7, ratio=0.3)
one('dropout-10', 'Dropout', [2, 3], [2, 3], 10, ratio=0.3)
for kind in ['L1', 'L2', 'LogSum', 'LogSumExp', 'Max', 'Mean', 'Min', 'Prod', 'SumSquare', 'Sum']:
    name = f'Reduce{kind}'
    if kind == 'LogSum':
        absolute = helper.make_node('Abs', ['x'], ['a'])
        reduce = helper.make_node(name, ['a'], ['y'], axes=[1], keepdims=0)
        save('reducelogsum-11', [absolute, reduce], [value('x', [2, 3])], [value('y', [2])], {'x': weights(2, 3)}, 11)
    else:
        one(f'{name.lower()}-11', name, [2, 3, 4], [2, 1, 4], 11, axes=[1])
one('reducemean-17', 'ReduceMean', [2, 3, 4], [2], 17, axes=[-1, 1], keepdims=0)
one('reducemax-17-all', 'ReduceMax', [2, 3, 4], [1, 1, 1], 17)

# Softmax over the flattened input.
for op in ['Softmax', 'LogSoftmax', 'Hardmax']:
    one(f'{op.lower()}-7', op, [2, 3, 4], [2, 3, 4], 7)
    one(f'{op.lower()}-11-last', op, [2, 3, 4], [2, 3, 4], 11, axis=-1)
one('softmax-9-image', 'Softmax', [2, 5, 1, 1], [2, 5, 1, 1], 9, axis=1)
one('softmax-11-symbolic', 'Softmax', ['batch', 3, 4], ['batch', 3, 4], 11, axis=1)
one('softmax-11-first', 'Softmax', [2, 3], [2, 3], 11, axis=0)

# Normalization.
channels = [('scale', weights(3)), ('bias', weights(3)), ('mean', weights(3)), ('variance', np.abs(weights(3)) + 0.5)]
names = ('x', 'scale', 'bias', 'mean', 'variance')
one('batchnorm-7', 'BatchNormalization', [2, 3, 4, 4], [2, 3, 4, 4], 7, inputs=names, initializers=channels, spatial=1, epsilon=1e-3)
one('batchnorm-9', 'BatchNormalization', [2, 3, 4], [2, 3, 4], 9, inputs=names, initializers=channels)

# Resampling.
one('upsample-7', 'Upsample', [1, 1, 2, 3], [1, 1, 4, 6], 7, mode='nearest', scales=[1.0, 1.0, 2.0, 2.0])
one('upsample-9-linear', 'Upsample', [1, 1, 2, 3], [1, 1, 4, 6], 9, inputs=('x', 's'), initializers=[('s', np.array([1, 1, 2, 2], np.float32))], mode='linear')
one('resize-10', 'Resize', [1, 1, 4, 4], [1, 1, 6, 2], 10, inputs=('x', 's'), initializers=[('s', np.array([1, 1, 1.5, 0.5], np.float32))], mode='nearest')
one('resize-11-sizes', 'Resize', [1, 1, 4, 4], [1, 1, 6, 3], 11, inputs=('x', 'r', 's', 'n'), mode='linear',
    initializers=[('r', np.array([], np.float32)), ('s', np.array([], np.float32)), ('n', np.array([1, 1, 6, 3], np.int64))])
grid = (random.random((1, 3, 3, 2)) * 2 - 1).astype(np.float32)
one('foreign-gridsample-16', 'GridSample', [1, 1, 4, 4], [1, 1, 3, 3], 17, inputs=('x', 'g'), initializers=[('g', grid)], mode='bilinear')
one('scatter-9', 'Scatter', [3, 3], [3, 3], 9, inputs=('x', 'i', 'u'), axis=0, initializers=[('i', np.array([[2, 0, 1]], np.int64)), ('u', weights(1, 3))])

# IR 3: weights are listed as inputs too.
one('gemm-7', 'Gemm', [2, 3], [2, 4], 7, inputs=('x', 'w', 'b'), initializers=[('w', weights(4, 3)), ('b', weights(4))], transB=1)

# Storage forms: every dtype raw and typed, through Cast so that each has a readable result.
stored = {
    'float16': np.array([1.5, -2, 0.25, 65504], np.float16), 'float64': np.array([1e-3, -2, 3, 1e10]),
    'int8': np.array([-128, 127, 0, 1], np.int8), 'uint8': np.array([0, 255, 3, 4], np.uint8),
    'int16': np.array([-32768, 32767, 0, 1], np.int16), 'uint16': np.array([0, 65535, 3, 4], np.uint16),
    'int32': np.array([-2147483648, 2147483647, 0, 1], np.int32), 'uint32': np.array([0, 4294967295, 3, 4], np.uint32),
    'int64': np.array([-9007199254740991, 9007199254740991, 0, -1], np.int64), 'uint64': np.array([0, 9007199254740991, 3, 4], np.uint64),
    'bool': np.array([True, False, True, True]), 'float32': np.array([1.5, -2, 3e30, 1e-30], np.float32),
}
for raw in [True, False]:
    tensors, nodes, results, expected = [], [], [], {}
    for name, array in stored.items():
        dtype = helper.np_dtype_to_tensor_dtype(array.dtype)
        if raw:
            tensor = numpy_helper.from_array(array, name)
        else:
            tensor = helper.make_tensor(name, dtype, array.shape, array)
        tensors.append(tensor)
        nodes.append(helper.make_node('Cast', [name], [f'{name}_out'], to=TensorProto.DOUBLE))
        results.append(value(f'{name}_out', [4], TensorProto.DOUBLE))
        expected[f'{name}_out'] = array.astype(np.float64)
    save(f'stored-{"raw" if raw else "typed"}', nodes, [value('x', [1])], results, {'x': weights(1)}, 21, tensors, expected=expected)

# Functions: nested, with an attribute handed through and one left at its default.
scale = helper.make_function('local', 'Scale', ['a'], ['r'], [
    helper.make_node('Constant', [], ['factor']),
    helper.make_node('Mul', ['a', 'factor'], ['r']),
], [helper.make_opsetid('', 17)], attributes=[], attribute_protos=[helper.make_attribute('by', 2.0)])
reference = scale.node[0].attribute.add()
reference.name, reference.ref_attr_name, reference.type = 'value_float', 'by', onnx.AttributeProto.FLOAT
twice = helper.make_function('local', 'Twice', ['a'], ['r'], [
    helper.make_node('Scale', ['a'], ['inner'], domain='local', by=3.0),
    helper.make_node('Scale', ['inner'], ['r'], domain='local'),
], [helper.make_opsetid('', 17), helper.make_opsetid('local', 1)])
save('functions', [helper.make_node('Twice', ['x'], ['inner'], domain='local', name='call'), helper.make_node('Relu', ['inner'], ['y'])],
     [value('x', [2, 3])], [value('y', [2, 3])], {'x': weights(2, 3)}, 17, functions=[scale, twice], domains=['local'])

# Subgraphs that capture outer values.
branch = lambda op, name: helper.make_graph([helper.make_node(op, ['x', 'w'], [f'{name}_out'])], name, [], [value(f'{name}_out', [2, 3])])
save('if-captures', [
    helper.make_node('ReduceSum', ['x'], ['sum'], keepdims=0), helper.make_node('Greater', ['sum', 'zero'], ['positive']),
    helper.make_node('If', ['positive'], ['y'], then_branch=branch('Add', 'then'), else_branch=branch('Mul', 'else')),
], [value('x', [2, 3])], [value('y', [2, 3])], {'x': weights(2, 3)}, 17,
    [numpy_helper.from_array(weights(2, 3), 'w'), numpy_helper.from_array(np.float32(0), 'zero')])
body = helper.make_graph([
    helper.make_node('Identity', ['condition_in'], ['condition_out']), helper.make_node('Add', ['sum_in', 'step'], ['sum_out']),
    helper.make_node('Mul', ['sum_out', 'sum_out'], ['square']),
], 'body', [value('iteration', [], i64), value('condition_in', [], TensorProto.BOOL), value('sum_in', [2])],
    [value('condition_out', [], TensorProto.BOOL), value('sum_out', [2]), value('square', [2])])
save('loop', [helper.make_node('Loop', ['trips', '', 'x'], ['y', 'squares'], body=body)],
     [value('x', [2])], [value('y', [2]), value('squares', [4, 2])], {'x': weights(2)}, 17,
     [numpy_helper.from_array(np.int64(4), 'trips'), numpy_helper.from_array(weights(2), 'step')])
scan_body = helper.make_graph([helper.make_node('Add', ['state', 'item'], ['next']), helper.make_node('Identity', ['next'], ['copy'])], 'body',
                              [value('state', [2]), value('item', [2])], [value('next', [2]), value('copy', [2])])
save('scan', [helper.make_node('Scan', ['start', 'x'], ['last', 'y'], body=scan_body, num_scan_inputs=1)],
     [value('x', [3, 2])], [value('last', [2]), value('y', [3, 2])], {'x': weights(3, 2)}, 17, [numpy_helper.from_array(weights(2), 'start')])

# An op nobody here knows, with and without declared types behind it.
gelu = helper.make_node('FastGelu', ['h'], ['g'], domain='com.microsoft', name='fast')
around = [helper.make_node('Relu', ['x'], ['h']), gelu, helper.make_node('Neg', ['g'], ['y'])]
declare = lambda model: model.graph.value_info.append(value('g', ['batch', 3]))
save('foreign-declared', around, [value('x', ['batch', 3])], [value('y', ['batch', 3])], {'x': weights(2, 3)}, 17, domains=['com.microsoft'], edit=declare)
save('foreign-undeclared', around, [value('x', ['batch', 3])], [value('y', None)], {'x': weights(2, 3)}, 17, domains=['com.microsoft'])


def reverse(model):
    nodes = list(model.graph.node)[::-1]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


save('unsorted', [helper.make_node('Relu', ['x'], ['h']), helper.make_node('Neg', ['h'], ['y'])],
     [value('x', [2, 3])], [value('y', [2, 3])], {'x': weights(2, 3)}, 17, edit=reverse)


def sparse(model):
    values = numpy_helper.from_array(np.array([2.0, -1.0, 5.0], np.float32), 'w')
    indices = numpy_helper.from_array(np.array([[0, 1], [1, 0], [2, 2]], np.int64), 'w_indices')
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [3, 3]))


save('sparse', [helper.make_node('MatMul', ['x', 'w'], ['y'])], [value('x', [2, 3])], [value('y', [2, 3])], {'x': weights(2, 3)}, 17, edit=sparse)

# Data outside of the file.
outside = helper.make_model(helper.make_graph([helper.make_node('MatMul', ['x', 'w'], ['y'])], 'external', [value('x', [2, 3])], [value('y', [2, 4])],
                            [numpy_helper.from_array(weights(3, 4), 'w')]), opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
location = f'{folder}/external.onnx.data'
if os.path.exists(location):
    os.remove(location)
onnx.save(outside, f'{folder}/external.onnx', save_as_external_data=True, location='external.onnx.data', size_threshold=0)
x = weights(2, 3)
result = onnxruntime.InferenceSession(f'{folder}/external.onnx', providers=['CPUExecutionProvider']).run(None, {'x': x})[0]
with open(f'{folder}/external.json', 'w') as file:
    json.dump({'inputs': {'x': dump(x)}, 'outputs': {'y': dump(result)}}, file)
    file.write('\n')

# Group-wise scale and bias.
one('groupnorm-18', 'GroupNormalization', [2, 6, 3, 3], [2, 6, 3, 3], 18, inputs=('x', 'scale', 'bias'), num_groups=3, epsilon=1e-3,
    initializers=[('scale', weights(3)), ('bias', weights(3))])

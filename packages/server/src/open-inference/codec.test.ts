import {
  allocateData,
  type DType,
  dtypes,
  isModelwrightError,
  Tensor,
  type TensorMap,
  tensor,
} from '@modelwright/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ModelInfo } from '../contract/model-info.js';
import { headerLengthName, parseInference } from './inference-request.js';
import { renderInference } from './inference-response.js';
import { parseObject } from './request-body.js';

const encoder = new TextEncoder();

function infoOf(inputs: TensorMap, outputs: TensorMap = inputs): ModelInfo {
  const declare = (tensors: TensorMap): ModelInfo['inputs'] =>
    Object.entries(tensors).map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  return {
    name: 'm',
    version: '1',
    platform: 'onnx_onnxv1',
    inputs: declare(inputs),
    outputs: declare(outputs),
    maxBatchSize: 0,
    sha256: '',
    abilities: { generates: false, embeds: false, takesRawInputs: false },
    loadedAt: new Date(0),
  };
}

/** Any tensor of `dtype`, with every bit pattern that its elements can have. */
function anyTensor(dtype: DType): fc.Arbitrary<Tensor> {
  const shapes = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 });
  return shapes.chain((shape): fc.Arbitrary<Tensor> => {
    const length = shape.reduce((product, extent) => product * extent, 1);
    if (dtype === 'string') {
      const texts = fc.array(fc.string({ unit: 'grapheme' }), { minLength: length, maxLength: length });
      return texts.map((values) => new Tensor(dtype, shape, values));
    }
    const bytesPerElement = (allocateData(dtype, 0) as Uint8Array).BYTES_PER_ELEMENT;
    const count = length * bytesPerElement;
    return fc.uint8Array({ minLength: count, maxLength: count }).map((bytes) => {
      const data = allocateData(dtype, length) as Uint8Array;
      new Uint8Array(data.buffer).set(bytes);
      const keep = { bool: 1, uint4: 15, int4: 15 }[dtype as 'bool'] ?? 255;
      const lowest = dtype === 'int4' ? -8 : 0;
      if (keep !== 255) data.set(data.map((value) => (value & keep) + lowest));
      return new Tensor(dtype, shape, data as never);
    });
  });
}

/** Sends tensors through a response and reads that as a request. */
async function roundTrip(tensors: TensorMap, isBinary: boolean): Promise<TensorMap> {
  const names = Object.keys(tensors);
  const response = renderInference(
    { inputs: {}, outputs: names.map((name) => ({ name, isBinary })), isSelective: false },
    {
      model: 'm',
      version: '1',
      outputs: tensors,
      timing: { queue: 0, computeInput: 0, computeInfer: 0, computeOutput: 0 },
      batchSize: 1,
    },
  );
  const headerLength = response.headers.get(headerLengthName) ?? undefined;
  const body = new Uint8Array(await response.arrayBuffer());
  const jsonLength = headerLength === undefined ? body.byteLength : Number(headerLength);
  const json = new TextDecoder().decode(body.subarray(0, jsonLength)).replace('"outputs":', '"inputs":');
  const request = new Uint8Array([...encoder.encode(json), ...body.subarray(jsonLength)]);
  const length = headerLength === undefined ? undefined : String(encoder.encode(json).byteLength);
  return parseInference(request, length, infoOf(tensors)).inputs as TensorMap;
}

const bytesOf = ({ data }: Tensor): unknown =>
  Array.isArray(data) ? data : [...new Uint8Array(data.buffer, data.byteOffset, data.byteLength)];

function parse(value: unknown, info: ModelInfo): ReturnType<typeof parseInference> {
  return parseInference(encoder.encode(typeof value === 'string' ? value : JSON.stringify(value)), undefined, info);
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (isModelwrightError(error)) return error.code;
    throw error;
  }
  return 'none';
}

describe('binary tensors', () => {
  it.each(dtypes)('keep every bit of %s', async (dtype) => {
    await fc.assert(
      fc.asyncProperty(anyTensor('uint8'), anyTensor(dtype), async (first, second) => {
        // The first moves the second to any alignment.
        const { a, b } = await roundTrip({ a: first, b: second }, true);
        expect(bytesOf(a as Tensor)).toEqual(bytesOf(first));
        expect(bytesOf(b as Tensor)).toEqual(bytesOf(second));
        expect((b as Tensor).shape).toEqual(second.shape);
      }),
      { numRuns: 20 },
    );
  });

  it('refuse sizes that do not fit before they allocate', () => {
    const info = infoOf({ x: tensor([0, 0]) });
    const open: ModelInfo = { ...info, inputs: [{ name: 'x', dtype: 'string', shape: ['n'] }] };
    const request = (shape: number[], datatype: string, size: number, bytes: number): string => {
      const inputs = [{ name: 'x', shape, datatype, parameters: { binary_data_size: size } }];
      const json = encoder.encode(JSON.stringify({ inputs }));
      const body = new Uint8Array(json.byteLength + bytes);
      body.set(json);
      return codeOf(() => parseInference(body, String(json.byteLength), datatype === 'BYTES' ? open : info));
    };
    expect(request([2], 'FP32', 8, 8)).toBe('none');
    expect(request([2], 'FP32', 4, 4)).toBe('invalid-argument');
    expect(request([2], 'FP32', 8, 9)).toBe('invalid-argument');
    expect(request([2], 'FP32', 800, 8)).toBe('invalid-argument');
    expect(request([2], 'FP32', -1, 8)).toBe('invalid-argument');
    expect(request([2 ** 27], 'BYTES', 4, 4)).toBe('invalid-argument');
    expect(request([2 ** 40], 'BYTES', 4, 4)).toBe('limit-exceeded');
    expect(request([2 ** 40, 0], 'BYTES', 4, 4)).toBe('limit-exceeded');
  });

  it('refuse a header length that is none', () => {
    for (const length of ['-1', '99', '1e1', 'x', '']) {
      expect(codeOf(() => parseInference(encoder.encode('{}'), length, infoOf({})))).toBe('invalid-argument');
    }
  });

  it('take a raw body for the only input', () => {
    const info = { ...infoOf({ x: tensor([0, 0]) }), maxBatchSize: 8 };
    const open: ModelInfo = { ...info, inputs: [{ name: 'x', dtype: 'int16', shape: ['batch', 'length', 2] }] };
    const { inputs, outputs } = parseInference(new Uint8Array([1, 0, 2, 0, 3, 0, 4, 0]), '0', open);
    expect(inputs['x']).toEqual(new Tensor('int16', [1, 2, 2], new Int16Array([1, 2, 3, 4])));
    expect(outputs.every(({ isBinary }) => isBinary)).toBe(true);
    expect(codeOf(() => parseInference(new Uint8Array(7), '0', open))).toBe('invalid-argument');
    const text: ModelInfo = { ...info, inputs: [{ name: 'x', dtype: 'string', shape: [1] }] };
    expect(parseInference(encoder.encode('grüß'), '0', text).inputs['x']?.data).toEqual(['grüß']);
  });
});

describe('JSON tensors', () => {
  it.each(dtypes)('keep every value of %s', async (dtype) => {
    await fc.assert(
      fc.asyncProperty(anyTensor(dtype), async (given) => {
        const { x } = await roundTrip({ x: given }, false);
        const isHalf = dtype === 'float16' || dtype === 'bfloat16';
        const isFloat = isHalf || dtype === 'float32' || dtype === 'float64';
        // NaNs lose their payload, zeros their sign.
        const readable = (t: Tensor): unknown[] => {
          const view = Array.from(t.data as Float32Array);
          if (!isFloat) return view;
          const isNaNBits =
            dtype === 'float16' ? (v: number) => (v & 0x7fff) > 0x7c00 : (v: number) => (v & 0x7fff) > 0x7f80;
          if (isHalf) return view.map((v) => (isNaNBits(v) ? 'NaN' : v === 0x8000 ? 0 : v));
          return view.map((v) => (v === 0 ? 0 : v));
        };
        expect(readable(x as Tensor)).toEqual(readable(given));
      }),
      { numRuns: 20 },
    );
  });

  it('reads 64-bit integers with all their digits, as numbers and as texts', () => {
    const info = infoOf({ x: tensor([0n, 0n, 0n]) });
    const body = `{"inputs":[{"name":"x","shape":[3],"datatype":"INT64","data":[-9223372036854775808, "9223372036854775807", 7]}]}`;
    expect(parse(body, info).inputs['x']?.data).toEqual(new BigInt64Array([-(2n ** 63n), 2n ** 63n - 1n, 7n]));
    for (const wrong of ['9223372036854775808', '1.5', '9007199254740993.5', '"1e3"', 'true', 'null', '[1]']) {
      expect(
        codeOf(() => parse(body.replace('-9223372036854775808', wrong), info)),
        wrong,
      ).not.toBe('none');
    }
  });

  it('does not take digits in texts and fractions for integers', () => {
    const info = infoOf({ x: tensor('a'), y: tensor([0, 0, 0]) });
    const text = 'id "12345678901234567890" \\ 9999999999999999999';
    const x = { name: 'x', shape: [], datatype: 'BYTES', data: [text] };
    const y = `{"name":"y","shape":[3],"datatype":"FP32","data":[0.12345678901234567890, 12345678901234567890, 1e-5]}`;
    const { inputs } = parse(`{"inputs":[${JSON.stringify(x)},${y}]}`, info);
    expect(inputs['x']?.data).toEqual([text]);
    expect(inputs['y']?.data).toEqual(new Float32Array([0.12345678901234568, Number('12345678901234567890'), 1e-5]));
    const number = `{"inputs":[{"name":"x","shape":[],"datatype":"BYTES","data":[12345678901234567890]}]}`;
    expect(codeOf(() => parse(number, info))).toBe('invalid-argument');
  });

  it('keeps characters of two halves where they stand first', () => {
    const data = ['\u{10000}', '\u{10ffff}9', '🙂'];
    const body = { inputs: [{ name: 'x', shape: [3], datatype: 'BYTES', data }] };
    expect(parse(body, infoOf({ x: tensor(data) })).inputs['x']?.data).toEqual(data);
  });

  it('takes nested and flat data and refuses ragged ones', () => {
    const info = infoOf({
      x: tensor([
        [1, 2, 3],
        [4, 5, 6],
      ]),
    });
    const request = (data: unknown): unknown => ({ inputs: [{ name: 'x', shape: [2, 3], datatype: 'FP32', data }] });
    const expected = new Float32Array([1, 2, 3, 4, 5, 6]);
    expect(
      parse(
        request([
          [1, 2, 3],
          [4, 5, 6],
        ]),
        info,
      ).inputs['x']?.data,
    ).toEqual(expected);
    expect(parse(request([1, 2, 3, 4, 5, 6]), info).inputs['x']?.data).toEqual(expected);
    for (const data of [
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      [[1, 2, 3], 4],
      [1, 2, 3],
      [],
      'x',
      undefined,
      [
        [
          [1, 2, 3],
          [4, 5, 6],
        ],
      ],
    ]) {
      expect(codeOf(() => parse(request(data), info))).toBe('invalid-argument');
    }
  });

  it('survives nesting without end', () => {
    const info = infoOf({ x: tensor([1]) });
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    const body = `{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":${deep}}]}`;
    expect(codeOf(() => parse(body, info))).toBe('invalid-argument');
  });
});

describe('parseObject', () => {
  it('refuses millions of lists before it makes them', () => {
    expect(codeOf(() => parseObject(encoder.encode(`{"x":[${'[],'.repeat(2 ** 21)}0]}`)))).toBe('limit-exceeded');
    expect(codeOf(() => parseObject(encoder.encode(`{"x":[${'[],'.repeat(2 ** 16)}0]}`)))).toBe('none');
  });
});

describe('parseInference', () => {
  const info = infoOf({ x: tensor([[1, 2]]) }, { y: tensor([1]), z: tensor([1]) });
  const x = { name: 'x', shape: [1, 2], datatype: 'FP32', data: [1, 2] };

  it('reads id, schedule and outputs', () => {
    const parsed = parse(
      {
        id: 'a',
        inputs: [x],
        outputs: [
          { name: 'z', parameters: { classification: 2 } },
          { name: 'y', parameters: { binary_data: false } },
        ],
        parameters: { priority: 2, timeout: 1500, binary_data_output: true },
      },
      info,
    );
    expect(parsed).toMatchObject({ id: 'a', priority: 2, timeoutMilliseconds: 1.5, isSelective: true });
    expect(parsed.outputs).toEqual([
      { name: 'z', isBinary: true, classification: 2 },
      { name: 'y', isBinary: false },
    ]);
  });

  it.each([
    ['no inputs', {}, 'invalid-argument'],
    ['an unknown input', { inputs: [{ ...x, name: 'w' }] }, 'invalid-argument'],
    ['an input twice', { inputs: [x, x] }, 'invalid-argument'],
    ['another dtype', { inputs: [{ ...x, datatype: 'INT32' }] }, 'dtype-mismatch'],
    ['an unknown dtype', { inputs: [{ ...x, datatype: 'COMPLEX' }] }, 'unsupported-dtype'],
    ['another shape', { inputs: [{ ...x, shape: [2, 1] }] }, 'shape-mismatch'],
    ['a shape that is none', { inputs: [{ ...x, shape: [1.5, -1] }] }, 'invalid-argument'],
    ['an unknown output', { inputs: [x], outputs: [{ name: 'w' }] }, 'invalid-argument'],
    ['an output twice', { inputs: [x], outputs: [{ name: 'y' }, { name: 'y' }] }, 'invalid-argument'],
    ['a sequence', { inputs: [x], parameters: { sequence_id: 3 } }, 'invalid-argument'],
    ['an id that is none', { id: {}, inputs: [x] }, 'invalid-argument'],
    ['null', 'null', 'invalid-argument'],
    ['no JSON', '{"inputs":', 'invalid-argument'],
  ])('refuses %s', (_, body, code) => {
    expect(codeOf(() => parse(body, info))).toBe(code);
  });
});

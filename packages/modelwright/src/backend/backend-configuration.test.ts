import { describe, expect, test } from 'vitest';
import { parseBackendConfiguration, toBackendConfiguration } from './backend-configuration.js';

test.each([
  ['onnxruntime', { name: 'onnxruntime' }],
  ['onnxruntime:webgpu', { name: 'onnxruntime', device: 'webgpu' }],
  ['@scope/backend', { name: '@scope/backend' }],
  ['@scope/backend:cuda', { name: '@scope/backend', device: 'cuda' }],
  ['./my-backend.mjs', { name: './my-backend.mjs' }],
  ['./my-backend.mjs:gpu', { name: './my-backend.mjs', device: 'gpu' }],
  ['C:\\backends\\mine.js', { name: 'C:\\backends\\mine.js' }],
])('%s', (text, expected) => {
  expect(parseBackendConfiguration(text)).toEqual(expected);
});

test.each(['', ':cpu', 'onnxruntime:', '  '])("'%s' is refused, with its source", (text) => {
  const parse = (): unknown => parseBackendConfiguration(text, 'MODELWRIGHT_BACKEND');
  expect(parse).toThrow(
    expect.objectContaining({
      code: 'invalid-configuration',
      message: expect.stringContaining('MODELWRIGHT_BACKEND is'),
    }),
  );
});

describe('objects', () => {
  test('further fields are options of the backend', () => {
    const given = { name: 'onnxruntime', device: 'cpu', threads: 4 };
    expect(toBackendConfiguration(given, 'x')).toEqual(given);
  });

  test('the device may stand in the name; its own field wins', () => {
    expect(toBackendConfiguration({ name: 'a:cpu' }, 'x')).toEqual({ name: 'a', device: 'cpu' });
    expect(toBackendConfiguration({ name: 'a:cpu', device: 'gpu' }, 'x')).toEqual({ name: 'a', device: 'gpu' });
  });

  test.each([[7], [null], [{}], [{ name: 7 }], [['onnxruntime']]])('%j is refused', (given) => {
    expect(() => toBackendConfiguration(given, 'x')).toThrow(
      expect.objectContaining({ code: 'invalid-configuration' }),
    );
  });
});

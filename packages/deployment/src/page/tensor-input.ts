/// <reference lib="dom" />
import { ModelwrightError, type Tensor, tensor } from '@modelwright/core';
import type { TensorInfo } from '../bundle/manifest.js';
import { element } from './elements.js';
import type { InputView } from './input-view.js';

/** Numbers as JSON, nested as the shape is; begun with zeros where the shape is small. */
export function tensorInput(info: TensorInfo, onChange: () => void): InputView {
  const area = element('textarea', { id: `input-${info.name}`, rows: 5, spellcheck: false });
  area.value = exampleOf(info.shape);
  area.addEventListener('change', onChange);
  const shape = info.shape.join(' × ') || 'one number';
  return {
    element: element('label', { className: 'numbers' }, `${info.name}: ${info.dtype}, ${shape}`, area),
    value: async () => (area.value.trim() === '' ? undefined : { kind: 'tensor', value: readTensor(area.value, info) }),
  };
}

const mostShown = 64;

function exampleOf(shape: TensorInfo['shape']): string {
  const extents = shape.map((extent) => (typeof extent === 'number' ? extent : 1));
  if (extents.reduce((product, extent) => product * extent, 1) > mostShown) return '';
  const nested = extents.reduceRight<unknown>((inner, extent) => Array.from({ length: extent }, () => inner), 0);
  return JSON.stringify(nested);
}

function readTensor(text: string, { name, dtype }: TensorInfo): Tensor {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new ModelwrightError('invalid-argument', `input '${name}' is not JSON`, { input: name, cause });
  }
  return tensor(parsed as never, { dtype });
}

import { type Node, reshapeTensor, type Tensor, type Value } from '@modelwright/core';
import { type AffineNode, affineOf } from './affine-node.js';
import type { GraphEditor } from './graph-editor.js';
import { become, type Rewrite } from './rewrite.js';

/** Ops that keep images in the layout that runtimes convolve them in. */
const imageOps = new Set(['Conv', 'MaxPool', 'AveragePool', 'GlobalAveragePool', 'Concat', 'Relu', 'Clip', 'Add']);

/**
 * `x · s + t` with a number for each channel of an image as a convolution of each channel by itself with one weight: one op instead
 * of two, in the layout that convolutions around it work in.
 */
export const scaleByConvolution: Rewrite = {
  ops: ['Add'],
  apply(node, editor, model) {
    const shift = affineOf(editor, node);
    const scale = shift === undefined ? undefined : affineOf(editor, editor.producerOf(shift.input));
    if (shift === undefined || scale?.node.op !== 'Mul' || editor.soleReaderOf(scale.output) === undefined)
      return undefined;
    const channels = scale.input.shape[1];
    if (!isImage(scale.input) || !isPerChannel(scale, channels) || !isPerChannel(shift, channels)) return undefined;
    if (!isAmongImages(editor, scale, shift)) return undefined;
    const count = channels as number;
    const kernel = model.derive(editor, scale.constant, reshapeTensor(scale.tensor, [count, 1, 1, 1]));
    const bias = model.derive(editor, shift.constant, reshapeTensor(shift.tensor, [count]));
    const ones = [1, 1];
    become(editor, node, {
      op: 'Conv',
      inputs: [scale.input, kernel, bias],
      attributes: {
        auto_pad: 'NOTSET',
        group: count,
        kernel_shape: ones,
        strides: ones,
        dilations: ones,
        pads: [0, 0, 0, 0],
      },
    });
    return 'Mul and Add of channels as Conv';
  },
};

function isImage({ dtype, shape }: Value): boolean {
  return dtype === 'float32' && shape.length === 4 && typeof shape[1] === 'number';
}

function isPerChannel({ tensor }: { readonly tensor: Tensor }, channels: unknown): boolean {
  return tensor.elementCount === channels && tensor.rank >= 3 && tensor.shape.at(-3) === channels;
}

function isAmongImages(editor: GraphEditor, { input }: AffineNode, { output }: AffineNode): boolean {
  const isImageOp = (node: Node | undefined): boolean => node?.domain === '' && imageOps.has(node.op);
  return isImageOp(editor.producerOf(input)) && editor.readersOf(output).every(isImageOp);
}

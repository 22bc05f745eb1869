import type { Node, Value } from '@modelwright/core';
import type { GroupMode } from './channel-labels.js';
import {
  inputOf,
  type LinkContext,
  type LinkRule,
  linkBroadcast,
  outputOf,
  pinNode,
  uniteAcrossGroups,
  uniteGroups,
} from './link-context.js';

/** `x [batch, in, …] ∗ w [out, in/groups, …]` or, transposed, `w [in, out/groups, …]`. */
const linkConvolution: LinkRule = (node, context) => {
  const { labels } = context;
  const [x, w, y] = [inputOf(node, 0), inputOf(node, 1), outputOf(node)];
  const bias = node.inputs[2];
  const groups = (node.attributes['group'] as number | undefined) ?? 1;
  const reason = `${node.op} '${node.name}'`;
  labels.linkAxis(x, 0, y);
  for (let axis = 2; axis < x.shape.length; axis++) for (const value of [x, w, y]) labels.pinAxis(value, axis, reason);
  if (bias !== undefined) labels.linkAxis(bias, 0, y, 1);
  // [axis of w that counts all channels of its side, axis that counts those of one group]
  const [into, out] = node.op === 'Conv' ? [1, 0] : [0, 1];
  const [xs, ys] = [labels.of(x, 1), labels.of(y, 1)];
  labels.produced.push({ node, input: 1, axis: out });
  if (groups === 1) {
    labels.link(xs, labels.of(w, into));
    labels.link(ys, labels.of(w, out));
    labels.contracted.push({ node, input: 1, axis: into });
    return;
  }
  const [whole, part] = node.op === 'Conv' ? [ys, xs] : [xs, ys];
  const mode = modeOf(groups, Math.min(xs.length, ys.length) / groups);
  labels.groupModes.set(node, mode);
  labels.link(labels.of(w, 0), whole);
  const inGroup = labels.of(w, 1);
  if (mode === 'whole') {
    labels.pin(inGroup, reason);
    for (const channels of [xs, ys]) uniteGroups({ labels, channels, groups });
    for (let group = 0; group < groups; group++) {
      labels.unite(xs[(group * xs.length) / groups] as number, ys[(group * ys.length) / groups] as number);
    }
    return;
  }
  for (const channels of [xs, ys]) uniteAcrossGroups({ labels, channels, groups });
  labels.link(inGroup, part.subarray(0, part.length / groups));
  labels.contracted.push({ node, input: 1, axis: into });
};

/** Whichever leaves more to choose from. */
export const modeOf = (groups: number, groupLength: number): GroupMode => (groups >= groupLength ? 'whole' : 'each');

/** `y [m, n] = a [m, k] · b [k, n] + c`, with either matrix transposed. */
const linkGemm: LinkRule = (node, context) => {
  const { labels } = context;
  const [a, b, y] = [inputOf(node, 0), inputOf(node, 1), outputOf(node)];
  const [rows, columns] = [node.attributes['transA'] === 1 ? 1 : 0, node.attributes['transB'] === 1 ? 0 : 1];
  labels.linkAxis(a, rows, y, 0);
  labels.linkAxis(a, 1 - rows, b, 1 - columns);
  labels.linkAxis(b, columns, y, 1);
  const [, , c] = node.inputs;
  if (c !== undefined) linkBroadcast(context, { x: c, y });
  sumOver(context, node, [1 - rows, 1 - columns]);
  labels.produced.push({ node, input: 0, axis: rows }, { node, input: 1, axis: columns });
};

/** `y […, m, n] = a […, m, k] · b […, k, n]`. */
const linkMatMul: LinkRule = (node, context) => {
  const { labels } = context;
  const [a, b, y] = [inputOf(node, 0), inputOf(node, 1), outputOf(node)];
  const [left, right] = [a.shape.length, b.shape.length];
  if (left < 2 || right < 2) {
    pinNode(node, context);
    return;
  }
  for (const x of [a, b]) {
    linkBroadcast(context, { x, y, leaveLast: 2 });
  }
  labels.linkAxis(a, left - 2, y, y.shape.length - 2);
  labels.linkAxis(a, left - 1, b, right - 2);
  labels.linkAxis(b, right - 1, y, y.shape.length - 1);
  sumOver(context, node, [left - 1, right - 2]);
  labels.produced.push({ node, input: 0, axis: left - 2 }, { node, input: 1, axis: right - 1 });
};

/** Notes the axes summed over; a weight is where they are zeroed, if there is one. */
function sumOver({ graph, labels }: LinkContext, node: Node, [a, b]: readonly [number, number]): void {
  const isHeld = (index: number): boolean => graph.constants.has(inputOf(node, index));
  if (isHeld(1) || !isHeld(0)) labels.contracted.push({ node, input: 1, axis: b });
  if (isHeld(0)) labels.contracted.push({ node, input: 0, axis: a });
}

/** Equal letters go together; one that is summed over in a single factor has to stay. */
const linkEinsum: LinkRule = (node, context) => {
  const { labels } = context;
  const equation = String(node.attributes['equation']).replaceAll(' ', '');
  const [left = '', right] = equation.split('->');
  if (right === undefined || equation.includes('...')) {
    pinNode(node, context);
    return;
  }
  const terms = left.split(',');
  const places = new Map<string, { readonly value: Value; readonly axis: number }>();
  const visit = (letters: string, value: Value): void => {
    [...letters].forEach((letter, axis) => {
      const first = places.get(letter);
      if (first === undefined) places.set(letter, { value, axis });
      else labels.linkAxis(first.value, first.axis, value, axis);
    });
  };
  terms.forEach((term, index) => {
    visit(term, inputOf(node, index));
  });
  visit(right, outputOf(node));
  terms.forEach((term, input) => {
    [...term].forEach((letter, axis) => {
      const holders = terms.filter((each) => each.includes(letter)).length;
      if (right.includes(letter)) labels.produced.push({ node, input, axis });
      else if (holders < 2) labels.pinAxis(inputOf(node, input), axis, `${node.op} '${node.name}'`);
      else if (context.graph.constants.has(inputOf(node, input)) || terms.lastIndexOf(term) === input)
        labels.contracted.push({ node, input, axis });
    });
  });
};

/** A unit goes with its rows of all gates in `W`, `R` and `B`, its column of `R` and its state. */
const linkRecurrent: LinkRule = (node, { labels }) => {
  const [x, w, r] = [inputOf(node, 0), inputOf(node, 1), inputOf(node, 2)];
  const reason = `${node.op} '${node.name}'`;
  const units = labels.of(r, 2);
  const linkUnits = (value: Value | undefined, axis: number): void => {
    if (value === undefined) return;
    const positions = labels.of(value, axis);
    if (positions.length % units.length !== 0) labels.pin(units, reason);
    positions.forEach((label, index) => {
      labels.unite(label, units[index % units.length] as number);
    });
  };
  const [, , , bias, , ...states] = node.inputs;
  linkUnits(w, 1);
  linkUnits(r, 1);
  linkUnits(bias, 1);
  for (const value of [...states, ...node.outputs]) linkUnits(value, (value?.shape.length ?? 1) - 1);
  labels.linkAxis(x, 2, w, 2);
  for (const axis of [0, 1]) labels.pinAxis(x, axis, reason);
  for (const value of [w, r, bias]) if (value !== undefined) labels.pinAxis(value, 0, reason);
  for (const value of [...states, ...node.outputs])
    value?.shape.slice(0, -1).forEach((_, axis) => {
      labels.pinAxis(value, axis, reason);
    });
  labels.contracted.push({ node, input: 1, axis: 2 }, { node, input: 2, axis: 2 });
  labels.produced.push({ node, input: 1, axis: 1 }, { node, input: 2, axis: 1 });
};

/** Ops that multiply by weights. */
export const productRules: { readonly [op: string]: LinkRule } = {
  Conv: linkConvolution,
  ConvTranspose: linkConvolution,
  Gemm: linkGemm,
  MatMul: linkMatMul,
  Einsum: linkEinsum,
  RNN: linkRecurrent,
  LSTM: linkRecurrent,
  GRU: linkRecurrent,
};

type Node =
  | { readonly kind: 'load'; readonly array: number }
  | { readonly kind: 'scalar'; readonly index: number }
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'operation'; readonly operation: string; readonly operands: readonly number[] };

const nodes: Node[] = [];
const add = (node: Node): number => nodes.push(node) - 1;
const load = (array: number): number => add({ kind: 'load', array });
const constant = (value: number): number => add({ kind: 'constant', value });
const apply = (operation: string, ...operands: readonly number[]): number =>
  add({ kind: 'operation', operation, operands });

const [weight, gradient, first, second] = [load(0), load(1), load(2), load(3)] as const;
const stepSize = add({ kind: 'scalar', index: 0 });
const nextFirst = apply('add', apply('multiply', first, constant(0.9)), apply('multiply', gradient, constant(0.1)));
const squared = apply('multiply', gradient, gradient);
const nextSecond = apply(
  'add',
  apply('multiply', second, constant(0.999)),
  apply('multiply', squared, constant(0.001)),
);
const slope = apply('divide', nextFirst, apply('add', apply('squareRoot', nextSecond), constant(1e-7)));
const next = apply('subtract', weight, apply('multiply', slope, stepSize));

/** Adam over arrays of weights, gradients, first and second moments; the scalar is the bias-corrected step size. */
export const adamKernel: object = {
  arrayCount: 4,
  scalarCount: 1,
  nodes,
  stores: [
    { array: 0, node: next },
    { array: 2, node: nextFirst },
    { array: 3, node: nextSecond },
  ],
};

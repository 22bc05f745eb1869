import type { OpName } from '@modelwright/core';
import { activationLowerings, comparisonLowerings, elementwiseLowerings } from './elementwise.js';
import { imageLowerings } from './image.js';
import { indexingLowerings } from './indexing.js';
import { linearAlgebraLowerings } from './linear-algebra.js';
import type { Lowering } from './lowering.js';
import { movementLowerings } from './movement.js';
import {
  attentionLowerings,
  creationLowerings,
  lossLowerings,
  normalizationLowerings,
  quantizationLowerings,
  randomLowerings,
} from './others.js';
import { reductionLowerings } from './reduction.js';

/** How each op of core reaches the kernels of tfjs. */
export const loweringTable: { readonly [N in OpName]: Lowering<N> } = {
  ...elementwiseLowerings,
  ...comparisonLowerings,
  ...activationLowerings,
  ...reductionLowerings,
  ...linearAlgebraLowerings,
  ...imageLowerings,
  ...normalizationLowerings,
  ...attentionLowerings,
  ...lossLowerings,
  ...movementLowerings,
  ...indexingLowerings,
  ...creationLowerings,
  ...randomLowerings,
  ...quantizationLowerings,
  If: { kind: 'control-flow' },
  Loop: { kind: 'control-flow' },
  Scan: { kind: 'control-flow' },
  RNN: 'decompose',
  GRU: 'decompose',
  LSTM: 'decompose',
};

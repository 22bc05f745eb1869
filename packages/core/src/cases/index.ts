import { activationCases } from './activation.js';
import { attentionCases } from './attention.js';
import type { OpCase } from './case.js';
import { comparisonCases } from './comparison.js';
import { controlFlowCases } from './control-flow.js';
import { convolutionCases } from './convolution.js';
import { creationCases } from './creation.js';
import { elementwiseCases } from './elementwise.js';
import { indexingCases } from './indexing.js';
import { linearAlgebraCases } from './linear-algebra.js';
import { lossCases } from './loss.js';
import { modeCases } from './mode.js';
import { movementCases } from './movement.js';
import { normalizationCases } from './normalization.js';
import { poolingCases } from './pooling.js';
import { quantizationCases } from './quantization.js';
import { randomCases } from './random.js';
import { recurrentCases } from './recurrent.js';
import { reductionCases } from './reduction.js';
import { resizingCases } from './resizing.js';

export * from './case.js';
export * from './case-data.js';
export * from './case-graph.js';
export * from './compare-tensors.js';
export * from './gradient-check.js';

/** Every case of every family. */
export const opCases: readonly OpCase[] = [
  ...elementwiseCases,
  ...activationCases,
  ...comparisonCases,
  ...reductionCases,
  ...linearAlgebraCases,
  ...lossCases,
  ...convolutionCases,
  ...poolingCases,
  ...normalizationCases,
  ...attentionCases,
  ...resizingCases,
  ...quantizationCases,
  ...movementCases,
  ...indexingCases,
  ...creationCases,
  ...randomCases,
  ...controlFlowCases,
  ...recurrentCases,
  ...modeCases,
];

import type { CaseTolerance } from '@modelwright/core/cases';
import { knownLimits } from '../known-limits.js';

const noNaN = 'WGSL lets shaders assume that there are no NaN and no infinities';

const lateNodes =
  'on a GPU without float16 its nodes go to the CPU by name, and the runtime writes this op out as nodes without one';

/** What the WebGPU provider does not compute as the reference does (seen on SwiftShader), by id of core's op case. */
export const webgpuLimits: { readonly [id: string]: string } = {
  // Left to the CPU as a whole, but for two that are written out here.
  ...Object.fromEntries(
    Object.entries(knownLimits).filter(([id]) => id.endsWith('/float64') && !/\/(Softsign|Celu)\//.test(id)),
  ),
  'activation/Gelu/float16': lateNodes,
  'activation/Mish/float16': lateNodes,
  'reduction/ReduceL1/float16': lateNodes,
  'reduction/ReduceLogSum/float16': lateNodes,
  'normalization/Softmax/float16': lateNodes,
  'attention/Attention/float16': lateNodes,
  'pooling/LpPool/2d ceil, a window would start in the end padding gradient':
    'the shape of the pooling is inferred with a window more than it computes',
  'elementwise/Sin/special': noNaN,
  'elementwise/Cos/special': noNaN,
  'elementwise/Tan/special': noNaN,
  'elementwise/Sign/special': noNaN,
  'elementwise/Exp/special': noNaN,
  'elementwise/Log/special': noNaN,
  'elementwise/Cosh/special': noNaN,
  'elementwise/Asinh/special': noNaN,
  'elementwise/Acosh/special': noNaN,
  'elementwise/Atanh/special': noNaN,
  'elementwise/Pow/special': noNaN,
  'elementwise/Clip/special': noNaN,
  'activation/Relu/special': noNaN,
  'activation/Sigmoid/special': noNaN,
  'activation/Softplus/special': noNaN,
  'activation/Elu/special': noNaN,
  'activation/Selu/special': noNaN,
  'activation/HardSigmoid/special': noNaN,
  'reduction/ReduceLogSum/NaN': noNaN,
  'reduction/ReduceLogSum/infinite': noNaN,
  'reduction/ReduceLogSumExp/over nothing': noNaN,
  // What is left to the CPU provider has its limits.
  'elementwise/Pow/int64': cpuLimit('elementwise/Pow/int64'),
  'reduction/ReduceMean/over nothing': cpuLimit('reduction/ReduceMean/over nothing'),
  'reduction/ArgMax/NaN': cpuLimit('reduction/ArgMax/NaN'),
  'reduction/ArgMin/NaN': cpuLimit('reduction/ArgMin/NaN'),
  'reduction/TopK/NaN': cpuLimit('reduction/TopK/NaN'),
  'linear-algebra/Einsum/...ij,...jk->...ik [2,1,3,2][3,2,2]': cpuLimit(
    'linear-algebra/Einsum/...ij,...jk->...ik [2,1,3,2][3,2,2]',
  ),
  'pooling/MaxPool/negative infinity': cpuLimit('pooling/MaxPool/negative infinity'),
  'pooling/MaxUnpool/output shape': cpuLimit('pooling/MaxUnpool/output shape'),
  'normalization/LRN/[1,6,3] size 4': cpuLimit('normalization/LRN/[1,6,3] size 4'),
  'normalization/LRN/[2,3] size 5': cpuLimit('normalization/LRN/[2,3] size 5'),
  'normalization/LRN/[1,4,2,1,2] size 1': cpuLimit('normalization/LRN/[1,4,2,1,2] size 1'),
  'resizing/Pad/scalar': cpuLimit('resizing/Pad/scalar'),
  'resizing/Resize/linear 1d': cpuLimit('resizing/Resize/linear 1d'),
  'resizing/Resize/crop to the same extent': cpuLimit('resizing/Resize/crop to the same extent'),
  'quantization/MatMulInteger/zero point a row': cpuLimit('quantization/MatMulInteger/zero point a row'),
  'quantization/ConvInteger/zero point a filter': cpuLimit('quantization/ConvInteger/zero point a filter'),
  'linear-algebra/Einsum/...ij,...jk->...ik [2,1,3,2][3,2,2] gradient': cpuLimit(
    'linear-algebra/Einsum/...ij,...jk->...ik [2,1,3,2][3,2,2]',
  ),
  'pooling/MaxUnpool/output shape gradient': cpuLimit('pooling/MaxUnpool/output shape'),
  'normalization/LRN/[1,6,3] size 4 gradient': cpuLimit('normalization/LRN/[1,6,3] size 4'),
  'normalization/LRN/[2,3] size 5 gradient': cpuLimit('normalization/LRN/[2,3] size 5'),
  'normalization/LRN/[1,4,2,1,2] size 1 gradient': cpuLimit('normalization/LRN/[1,4,2,1,2] size 1'),
  'resizing/Resize/linear 1d gradient': cpuLimit('resizing/Resize/linear 1d'),
};

function cpuLimit(id: string): string {
  return knownLimits[id] ?? 'the CPU provider, to which this is left, refuses it';
}

const trigonometry = {
  absolute: 1e-3,
  relative: 5e-3,
  reason: 'WGSL asks of sin and cos an absolute error of 2⁻¹¹ only',
};
const rounding = { absolute: 2e-4, reason: 'variances and exponentials are rounded more often on the GPU' };

/** Cases whose results are further off than the rule allows. */
export const webgpuTolerances: { readonly [id: string]: CaseTolerance } = {
  'elementwise/Sin/odd': trigonometry,
  'elementwise/Sin/four axes': trigonometry,
  'elementwise/Sin/large': trigonometry,
  'elementwise/Cos/odd': trigonometry,
  'elementwise/Cos/four axes': trigonometry,
  'elementwise/Cos/large': trigonometry,
  'elementwise/Tan/odd': trigonometry,
  'elementwise/Tan/scalar': trigonometry,
  'elementwise/Tan/four axes': trigonometry,
  'elementwise/Tan/large': trigonometry,
  'elementwise/Acos/odd': trigonometry,
  'elementwise/Acos/scalar': trigonometry,
  'elementwise/Acos/four axes': trigonometry,
  'elementwise/Acos/large': trigonometry,
  'elementwise/Acos/special': trigonometry,
  'elementwise/Sin/odd gradient': trigonometry,
  'elementwise/Sin/four axes gradient': trigonometry,
  'elementwise/Cos/odd gradient': trigonometry,
  'elementwise/Cos/four axes gradient': trigonometry,
  'elementwise/Tan/odd gradient': trigonometry,
  'elementwise/Tan/scalar gradient': trigonometry,
  'elementwise/Tan/four axes gradient': trigonometry,
  'elementwise/Acos/odd gradient': trigonometry,
  'elementwise/Acos/scalar gradient': trigonometry,
  'elementwise/Acos/four axes gradient': trigonometry,
  'activation/Mish/large': rounding,
  'normalization/InstanceNormalization/[2,4,3]': rounding,
  'normalization/InstanceNormalization/[2,4,3] gradient': rounding,
};

import { ModelwrightError } from '@modelwright/core';
import { edgeTarget } from './edge/edge-target.js';
import { electronTarget } from './electron/electron.js';
import { kserveTarget } from './kserve/kserve.js';
import { kubernetesTarget } from './kubernetes/kubernetes.js';
import { nodeServiceTarget } from './node-service/node-service-target.js';
import { onnxTarget } from './onnx.js';
import { reactNativeTarget } from './react-native/react-native.js';
import type { Target } from './target.js';
import { tfjsTarget } from './tfjs/tfjs-target.js';
import { tritonTarget } from './triton/triton.js';
import { webTarget } from './web/web-target.js';

/** Everything a model can be deployed as. */
export const targets: readonly Target[] = [
  onnxTarget,
  webTarget,
  nodeServiceTarget,
  edgeTarget,
  tritonTarget,
  kserveTarget,
  kubernetesTarget,
  tfjsTarget,
  electronTarget,
  reactNativeTarget,
];

/**
 * A target by its name.
 *
 * @throws {@link ModelwrightError} `invalid-argument` naming those there are.
 */
export function targetNamed(name: string): Target {
  const target = targets.find((each) => each.name === name);
  if (target !== undefined) return target;
  const allowed = targets.map((each) => each.name);
  throw new ModelwrightError('invalid-argument', `there is no target '${name}'; there are: ${allowed.join(', ')}`, {
    given: name,
    allowed,
  });
}

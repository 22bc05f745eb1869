import { cancelTransposes, GraphBuilder, type LayerInfo, Model, ModelwrightError } from '@modelwright/core';
import { foldNormalization } from '../graph/fold-batch-normalization.js';
import { WorkingModel } from '../graph/working-model.js';
import { affineAsConvolution } from '../quantize/static/affine-convolutions.js';
import { planQuantization } from '../quantize/static/plan.js';
import { withGraph } from '../with-graph.js';
import { AwareRewriter } from './aware-rewriter.js';
import { type QuantizationAwareOptions, resolveOptions } from './options.js';
import { Rounding, stepsName } from './rounding.js';
import { awareSelection } from './selection.js';
import { skeletonOf } from './skeleton.js';

/**
 * Makes a model ready for quantization-aware training: the result computes in floats what the integers will compute, with weights and
 * activations rounded as they will be and normalization folded into the layers before it, and gradients go straight through the rounding.
 * Train it with any trainer, as any model; then {@link exportQuantized} makes the integer model of it.
 *
 * Ranges of activations, the running statistics and the count of steps are parameters of the model: they are saved with it, and
 * evaluation during training shows what the integer model will reach. Normalization that follows no layer directly (but an activation, say)
 * is folded at once, with the statistics that it has: train such models first. Zeros of weights stay zeros, and extensions of the trainer (masks,
 * shared centroids) act on weights before they are rounded. Of recurrent layers, weights alone are rounded.
 *
 * @throws {@link ModelwrightError} `invalid-argument` for options that make no sense or names that mean no layer, `invalid-model` if
 *   nothing can be quantized or the model has been made ready before.
 * @see Jacob et al., arXiv:1712.05877; Krishnamoorthi, arXiv:1806.08342; Esser et al., arXiv:1902.08153.
 * @example
 * const aware = quantizationAware(model, { freezeStatisticsAfter: 800, freezeRangesAfter: 800 });
 * const trainer = await createTrainer(aware, { backend, optimizer: adam({ learningRate: 1e-4 }), loss });
 * await trainer.fit(data, { epochs: 2 });
 * await saveModel(exportQuantized(trainer.model), 'int8.onnx');
 */
export function quantizationAware(model: Model, options: QuantizationAwareOptions = {}): Model {
  if (model.parameters.some(({ name }) => name === stepsName)) {
    throw new ModelwrightError('invalid-model', `model '${model.name}' trains with rounding already`);
  }
  const resolved = resolveOptions(options);
  const tidy = readied(model);
  const skeleton = skeletonOf(tidy.graph);
  const { planned, recurrent } = awareSelection(tidy.graph, options);
  const plan = planQuantization(skeleton.graph, planned);
  if (plan.weights.size === 0 && recurrent.size === 0) {
    const reasons = plan.left.map(({ name, reason }) => `${name}: ${reason}`).join('; ') || 'no layer has weights';
    throw new ModelwrightError('invalid-model', `model '${model.name}' has nothing to quantize (${reasons})`);
  }
  const builder = new GraphBuilder(tidy.graph.name);
  const rounding = new Rounding(builder, resolved);
  new AwareRewriter({ model: tidy, builder, rounding, skeleton, plan, recurrent }).run();
  return withParameters(withGraph(tidy, builder.build()), rounding);
}

/**
 * The model without layout changes between layers, which would hide what follows what, and with normalization only where training can
 * fold it into the layer before it. Elsewhere, after an activation, it is folded for good, with the statistics that it has.
 */
function readied(model: Model): Model {
  const working = new WorkingModel(model);
  working.run(cancelTransposes);
  const kept = new Set([...skeletonOf(working.graph).normalized.keys()].map(({ name }) => name));
  const folded = foldNormalization(working, ({ name }) => !kept.has(name));
  const finished = working.finish();
  return folded === undefined ? finished : withGraph(finished, affineAsConvolution(finished.graph));
}

/** The model with what rounding keeps beside the weights, as a layer of its own. */
function withParameters(model: Model, { parameters }: Rounding): Model {
  const { name, graph, states, losses, outputMasks, metadata } = model;
  const layer: LayerInfo = {
    name: 'quantization',
    kind: 'quantization',
    outputShape: [],
    parameters: parameters.map((each) => each.name),
    inputs: [],
  };
  const layers = parameters.length === 0 ? model.layers : [...model.layers, layer];
  return new Model({
    ...{ name, graph, layers, states, losses, outputMasks, metadata },
    parameters: [...model.parameters, ...parameters],
  });
}

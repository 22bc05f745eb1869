/** {@link perceptronByHand} as a peer. */
import { readRequest, report, timeRuns } from '../measurement.js';
import { networks } from '../networks.js';
import { perceptronByHand } from './perceptron-by-hand.js';

const request = readRequest();
const network = networks[request.network];
if (network === undefined) throw new TypeError(`no network '${request.network}'`);
const perceptron = await perceptronByHand(network);
report({
  milliseconds: await timeRuns(request.steps, perceptron.train),
  notes: { engine: perceptron.engine, loss: perceptron.loss() },
});
process.exit(0);

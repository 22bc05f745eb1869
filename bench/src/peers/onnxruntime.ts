/** ONNX Runtime's own JS API on the file that Modelwright writes. */
import { writeOnnx } from '@modelwright/onnx';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { readRequest, report, timeRuns } from '../measurement.js';
import { buildModel, networks, samplesOf } from '../networks.js';

const request = readRequest();
const network = networks[request.network];
if (network === undefined) throw new TypeError(`no network '${request.network}'`);
const batchSize = Number(request.mode.slice('predict'.length));
const session = await InferenceSession.create(writeOnnx(buildModel(network)).bytes);
const { x } = samplesOf(network, batchSize);
const shape = [batchSize, ...network.inputShape];
const input =
  network.vocabulary === undefined ? new Tensor('float32', x, shape) : new Tensor('int32', Int32Array.from(x), shape);
const feeds = { [session.inputNames[0] ?? '']: input };
report({ milliseconds: await timeRuns(request.steps, () => session.run(feeds)) });

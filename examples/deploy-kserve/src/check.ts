/** Reads what Kubernetes would be given, and serves the repositories as KServe's runtime would. */
import { readFile } from 'node:fs/promises';
import { askOverHttp, checkAnswers, models } from '@modelwright/example-deploy-models';
import { serve } from '@modelwright/server/node';
import { loadBackend } from 'modelwright';
import { parse } from 'yaml';

interface InferenceService {
  readonly apiVersion: string;
  readonly kind: string;
  readonly spec: { readonly predictor: { readonly model: { readonly runtime: string; readonly storageUri: string } } };
}

for (const { name } of models) {
  const service = parse(await readFile(`output/${name}/kserve/inference-service.yaml`, 'utf8')) as InferenceService;
  const { runtime, storageUri } = service.spec.predictor.model;
  console.log(`${name}: ${service.kind} of ${service.apiVersion}, ${runtime} with ${storageUri}`);
}
const backend = await loadBackend('onnxruntime');
const server = await serve({ models: 'output', backend, port: 0 });
await checkAnswers(askOverHttp(() => server.url));
await server.close();
await backend.dispose();

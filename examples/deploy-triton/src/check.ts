/** Reads the repository as Triton would, with the server that reads Triton's repositories, and asks about the samples. */
import { askOverHttp, checkAnswers } from '@modelwright/example-deploy-models';
import { serve } from '@modelwright/server/node';
import { loadBackend } from 'modelwright';

const backend = await loadBackend('onnxruntime');
const server = await serve({ models: 'output', backend, port: 0 });
for (const { name, version, state, reason } of server.hub.overview()) console.log(name, version, state, reason);
await checkAnswers(askOverHttp(() => server.url));
await server.close();
await backend.dispose();

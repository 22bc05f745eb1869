// Run by the lifecycle test in a folder without onnxruntime-node: prints how opening each engine fails.
import { createBackend } from '@modelwright/backend-onnxruntime';

for (const engine of ['auto', 'native', 'binding']) {
  const error = await createBackend({ engine }).catch((reason) => reason);
  console.log(JSON.stringify({ engine, code: error.code, hint: error.details?.hint, message: error.message }));
}

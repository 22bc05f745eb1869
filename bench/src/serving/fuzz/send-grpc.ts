import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import type { GrpcRequest } from './grpc-requests.js';
import type { Outcome } from './send-http.js';

const unknown = 2;
const internal = 13;
const asBytes = (bytes: Buffer): Buffer => bytes;

/** Makes calls with messages of any bytes. */
export class GrpcSender {
  readonly #client: Client;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure());
  }

  send({ path, message }: GrpcRequest): Promise<Outcome> {
    return new Promise((resolve) => {
      const deadline = Date.now() + 20_000;
      this.#client.makeUnaryRequest(path, asBytes, asBytes, Buffer.from(message), { deadline }, (error) => {
        resolve(judge(error));
      });
    });
  }

  close(): void {
    this.#client.close();
  }
}

/** Only a model that failed on its inputs is internal; nothing is unknown. */
function judge(error: ServiceError | null): Outcome {
  if (error === null) return { status: 'grpc 0' };
  const status = `grpc ${error.code}`;
  const isModelFailure = error.details.startsWith('The model failed');
  const isWrong = error.code === unknown || (error.code === internal && !isModelFailure);
  return isWrong ? { status, wrong: error.details } : { status };
}

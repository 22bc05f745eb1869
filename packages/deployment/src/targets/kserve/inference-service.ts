import { kubernetesName } from '../kubernetes/kubernetes-name.js';
import type { Resources } from '../kubernetes/resource-options.js';
import { labelsOf } from '../kubernetes/workload.js';
import type { ManifestDraft } from '../target.js';

/** How KServe is to run a model. */
export interface KServeSettings {
  /** Where the repository is stored that holds the model's folder: `s3://…`, `gs://…`, `pvc://claim/path`, … */
  readonly storageUri: string;
  readonly runtime: string;
  readonly replicas: { readonly least: number; readonly most: number };
  readonly resources: Resources;
}

/** The `InferenceService` of a model. */
export function inferenceService(manifest: ManifestDraft, settings: KServeSettings): object {
  const { storageUri, runtime, replicas, resources } = settings;
  return {
    apiVersion: 'serving.kserve.io/v1beta1',
    kind: 'InferenceService',
    metadata: { name: kubernetesName(manifest.name), labels: labelsOf(manifest) },
    spec: {
      predictor: {
        minReplicas: replicas.least,
        maxReplicas: replicas.most,
        scaleMetric: 'concurrency',
        scaleTarget: 10,
        model: {
          modelFormat: { name: 'onnx', version: '1' },
          protocolVersion: 'v2',
          runtime,
          storageUri,
          resources,
        },
      },
    },
  };
}

/** The `ServingRuntime` that runs models in Modelwright's own server, as target `node-service` builds its image. */
export function servingRuntime(image: string): object {
  const variables = {
    MODELS: '/mnt/models',
    HOST: '0.0.0.0',
    PORT: '8080',
    GRPC_PORT: '9000',
    KEYS_FILE: '/run/secrets/modelwright/keys.json',
  };
  return {
    apiVersion: 'serving.kserve.io/v1alpha1',
    kind: 'ServingRuntime',
    metadata: { name: ownRuntime },
    spec: {
      supportedModelFormats: [{ name: 'onnx', version: '1', autoSelect: false }],
      protocolVersions: ['v2', 'grpc-v2'],
      containers: [
        {
          name: 'kserve-container',
          image,
          env: Object.entries(variables).map(([name, value]) => ({ name, value })),
          ports: [{ name: 'http1', containerPort: 8080, protocol: 'TCP' }],
          readinessProbe: { httpGet: { path: '/readyz', port: 8080 }, periodSeconds: 5 },
          livenessProbe: { httpGet: { path: '/livez', port: 8080 }, periodSeconds: 10 },
          securityContext: {
            runAsNonRoot: true,
            runAsUser: 1000,
            allowPrivilegeEscalation: false,
            capabilities: { drop: ['ALL'] },
          },
          volumeMounts: [{ name: 'keys', mountPath: '/run/secrets/modelwright', readOnly: true }],
        },
      ],
      // The server takes nobody from outside without a key.
      volumes: [{ name: 'keys', secret: { secretName: `${ownRuntime}-keys` } }],
    },
  };
}

/** Name of our runtime. */
export const ownRuntime = 'modelwright';

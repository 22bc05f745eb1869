import type { ManifestDraft } from '../target.js';
import { kubernetesName, labelValue } from './kubernetes-name.js';
import type { Resources } from './resource-options.js';

/** How a service runs on Kubernetes. */
export interface WorkloadPlan {
  readonly manifest: ManifestDraft;
  readonly image: string;
  readonly namespace: string | undefined;
  readonly replicas: { readonly least: number; readonly most: number };
  readonly resources: Resources;
  /** Requests that wait in one pod before there shall be more. */
  readonly pendingRequests: number;
}

const [httpPort, grpcPort] = [8000, 8001];
/** Said "not ready" for so long before it stops, so that no balancer sends it more. */
const retireSeconds = 5;
const drainSeconds = 30;

/** Labels that say what runs and who made it. */
export function labelsOf({ name, version }: ManifestDraft): Readonly<Record<string, string>> {
  return {
    'app.kubernetes.io/name': kubernetesName(name),
    'app.kubernetes.io/version': labelValue(version),
    'app.kubernetes.io/component': 'model',
    'app.kubernetes.io/managed-by': 'modelwright',
  };
}

/** Labels that never change: what a service and a deployment find their pods by. */
export function selectorOf({ name }: ManifestDraft): Readonly<Record<string, string>> {
  return { 'app.kubernetes.io/name': kubernetesName(name), 'app.kubernetes.io/component': 'model' };
}

function metadata({ manifest, namespace }: WorkloadPlan): object {
  return {
    name: kubernetesName(manifest.name),
    ...(namespace === undefined ? {} : { namespace }),
    labels: labelsOf(manifest),
  };
}

/** Copies of the server, replaced one by one and only by ones that are ready. */
export function deploymentOf(plan: WorkloadPlan): object {
  const { manifest, replicas } = plan;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: metadata(plan),
    spec: {
      replicas: replicas.least,
      selector: { matchLabels: selectorOf(manifest) },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: {
        metadata: {
          labels: labelsOf(manifest),
        },
        spec: podOf(plan),
      },
    },
  };
}

function podOf(plan: WorkloadPlan): object {
  const name = kubernetesName(plan.manifest.name);
  return {
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: retireSeconds + drainSeconds + 10,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 1000,
      runAsGroup: 1000,
      fsGroup: 1000,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: 'kubernetes.io/hostname',
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: { matchLabels: selectorOf(plan.manifest) },
      },
    ],
    containers: [containerOf(plan)],
    volumes: [
      { name: 'keys', secret: { secretName: `${name}-keys`, defaultMode: 0o440 } },
      { name: 'temporary', emptyDir: {} },
    ],
  };
}

function containerOf({ image, resources }: WorkloadPlan): object {
  const variables = {
    HOST: '0.0.0.0',
    PORT: String(httpPort),
    GRPC_PORT: String(grpcPort),
    KEYS_FILE: '/run/secrets/modelwright/keys.json',
    RETIRE_MILLISECONDS: String(retireSeconds * 1000),
    DRAIN_MILLISECONDS: String(drainSeconds * 1000),
  };
  const probe = (path: string, more: object): object => ({
    httpGet: { path, port: 'http' },
    timeoutSeconds: 3,
    ...more,
  });
  return {
    name: 'server',
    image,
    env: Object.entries(variables).map(([name, value]) => ({ name, value })),
    ports: [
      { name: 'http', containerPort: httpPort, protocol: 'TCP' },
      { name: 'grpc', containerPort: grpcPort, protocol: 'TCP' },
    ],
    // Models are loaded and proven before the first request; large ones take their time.
    startupProbe: probe('/startupz', { periodSeconds: 2, failureThreshold: 150 }),
    readinessProbe: probe('/readyz', { periodSeconds: 5, failureThreshold: 2 }),
    livenessProbe: probe('/livez', { periodSeconds: 10, failureThreshold: 6 }),
    resources,
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [
      { name: 'keys', mountPath: '/run/secrets/modelwright', readOnly: true },
      { name: 'temporary', mountPath: '/tmp' },
    ],
  };
}

/** One address for all pods. */
export function serviceOf(plan: WorkloadPlan): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadata(plan),
    spec: {
      type: 'ClusterIP',
      selector: selectorOf(plan.manifest),
      ports: [
        { name: 'http', port: 80, targetPort: 'http', protocol: 'TCP', appProtocol: 'http' },
        { name: 'grpc', port: grpcPort, targetPort: 'grpc', protocol: 'TCP', appProtocol: 'kubernetes.io/h2c' },
      ],
    },
  };
}

/** The metric that says how many wait; in Triton's name for it, which dashboards and adapters know. */
export const pendingMetric = 'nv_inference_pending_request_count';

/** More pods while requests wait or processors are busy; fewer only after five quiet minutes. */
export function autoscalerOf(plan: WorkloadPlan): object {
  const { manifest, replicas, pendingRequests } = plan;
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: metadata(plan),
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: kubernetesName(manifest.name) },
      minReplicas: Math.max(1, replicas.least),
      maxReplicas: replicas.most,
      metrics: [
        {
          type: 'Pods',
          pods: {
            metric: { name: pendingMetric },
            target: { type: 'AverageValue', averageValue: String(pendingRequests) },
          },
        },
        { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 75 } } },
      ],
      behavior: { scaleDown: { stabilizationWindowSeconds: 300 }, scaleUp: { stabilizationWindowSeconds: 0 } },
    },
  };
}

/** Nodes may be emptied, but not of all copies at once. */
export function disruptionBudgetOf(plan: WorkloadPlan): object {
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: metadata(plan),
    spec: { maxUnavailable: 1, selector: { matchLabels: selectorOf(plan.manifest) } },
  };
}

/** In: its two ports. Out: nothing, since a model needs nobody. */
export function networkPolicyOf(plan: WorkloadPlan): object {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: metadata(plan),
    spec: {
      podSelector: { matchLabels: selectorOf(plan.manifest) },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ ports: [httpPort, grpcPort].map((port) => ({ port, protocol: 'TCP' })) }],
      egress: [],
    },
  };
}

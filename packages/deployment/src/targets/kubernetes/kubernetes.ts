import { stringify } from 'yaml';
import { nodeServiceTarget } from '../node-service/node-service-target.js';
import { serviceName } from '../node-service/service-files.js';
import { countOption, textOption, wrongOption } from '../options.js';
import { sizeOfModel } from '../size-of-model.js';
import type { BundleFile, ManifestDraft, Target, TargetBuild, TargetContext } from '../target.js';
import { kubernetesName } from './kubernetes-name.js';
import { replicasFrom, resourcesFrom, scalingOptions } from './resource-options.js';
import {
  autoscalerOf,
  deploymentOf,
  disruptionBudgetOf,
  networkPolicyOf,
  pendingMetric,
  serviceOf,
  type WorkloadPlan,
} from './workload.js';

/** The service of target `node-service` with all that Kubernetes wants to run it. */
export const kubernetesTarget: Target = {
  name: 'kubernetes',
  description: 'the Node service with Deployment, Service, autoscaler and probes for Kubernetes',
  options: {
    image: 'the image as it will be called (default <model>-service:<version>)',
    namespace: 'where it runs (default that of kubectl)',
    'pending-requests': 'requests that wait in a pod before there are more pods (default 10)',
    ...scalingOptions,
    ...nodeServiceTarget.options,
  },
  build,
  nextSteps: (folder, manifest) => {
    const image = `${serviceName(manifest)}:${manifest.version}`;
    return [
      `docker build -t ${image} ${folder}`,
      `modelwright keys create --name first --file keys.json`,
      `kubectl create secret generic ${kubernetesName(manifest.name)}-keys --from-file=keys.json`,
      `kubectl apply -k ${folder}/kubernetes`,
    ];
  },
};

async function build(context: TargetContext): Promise<TargetBuild> {
  const { manifest, options } = context;
  const own = new Set(Object.keys(nodeServiceTarget.options));
  const serviceOptions = Object.fromEntries(Object.entries(options).filter(([name]) => own.has(name)));
  const built = await nodeServiceTarget.build({ ...context, options: serviceOptions });
  const service: TargetBuild = 'files' in built ? built : { files: built, manifest };
  const plan: WorkloadPlan = {
    manifest,
    image: imageFrom(options) ?? `${serviceName(manifest)}:${manifest.version}`,
    namespace: namespaceFrom(options),
    replicas: replicasFrom(options, 2),
    resources: resourcesFrom(options, sizeOfModel(context)),
    pendingRequests: countOption(options, 'pending-requests', { least: 1 }) ?? 10,
  };
  return { ...service, files: [...service.files, ...kubernetesFiles(plan)] };
}

function kubernetesFiles(plan: WorkloadPlan): readonly BundleFile[] {
  const resources: Readonly<Record<string, object>> = {
    deployment: deploymentOf(plan),
    service: serviceOf(plan),
    'horizontal-pod-autoscaler': autoscalerOf(plan),
    'pod-disruption-budget': disruptionBudgetOf(plan),
    'network-policy': networkPolicyOf(plan),
  };
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: Object.keys(resources).map((name) => `${name}.yaml`),
  };
  const inFolder = (name: string, content: string): BundleFile => ({ path: `kubernetes/${name}`, content });
  return [
    ...Object.entries(resources).map(([name, resource]) => inFolder(`${name}.yaml`, stringify(resource))),
    inFolder('kustomization.yaml', stringify(kustomization)),
    inFolder('README.md', readme(plan)),
  ];
}

function imageFrom(options: TargetContext['options']): string | undefined {
  const image = textOption(options, 'image');
  if (image === undefined || /^[\w][\w./:@-]*$/.test(image)) return image;
  throw wrongOption('image', image, 'the name of an image');
}

function namespaceFrom(options: TargetContext['options']): string | undefined {
  const namespace = textOption(options, 'namespace');
  if (namespace === undefined || /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(namespace)) return namespace;
  throw wrongOption('namespace', namespace, 'lower-case letters, digits and -');
}

function readme({ manifest, image }: { readonly manifest: ManifestDraft; readonly image: string }): string {
  const name = kubernetesName(manifest.name);
  return `# ${manifest.name} on Kubernetes

    docker build -t ${image} ..                                       and push it to where the cluster finds it
    modelwright keys create --name first --file keys.json             prints the key once, keeps its hash
    modelwright keys create --name prometheus --role viewer --file keys.json
    kubectl create secret generic ${name}-keys --from-file=keys.json
    kubectl apply -k .
    kubectl port-forward service/${name} 8000:80

- \`deployment.yaml\`: pods without root, with a read-only file system and no service account; \`/startupz\`, \`/readyz\` and \`/livez\` are
  probed. A pod is ready when its model gave the golden answers; a model that was changed on the way never is.
- \`horizontal-pod-autoscaler.yaml\`: more pods while \`${pendingMetric}\` shows requests that wait, or processors are busy. The cluster
  reads that metric through an adapter: for prometheus-adapter, the rule below. Without one it goes by the processors alone, and takes
  no pods away.
- \`network-policy.yaml\`: pods take requests on their two ports and talk to nobody.

Prometheus asks \`/metrics\` with the key that was made for it:

    scrape_configs:
      - job_name: ${name}
        authorization: { credentials_file: /etc/prometheus/modelwright.key }
        kubernetes_sd_configs: [{ role: pod }]
        relabel_configs:
          - { source_labels: [__meta_kubernetes_pod_label_app_kubernetes_io_name], regex: ${name}, action: keep }
          - { source_labels: [__meta_kubernetes_pod_container_port_name], regex: http, action: keep }
          - { source_labels: [__meta_kubernetes_namespace], target_label: namespace }
          - { source_labels: [__meta_kubernetes_pod_name], target_label: pod }

and the adapter makes of them what the autoscaler asks for:

    rules:
      - seriesQuery: '${pendingMetric}{namespace!="",pod!=""}'
        resources: { overrides: { namespace: { resource: namespace }, pod: { resource: pod } } }
        metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)'
`;
}

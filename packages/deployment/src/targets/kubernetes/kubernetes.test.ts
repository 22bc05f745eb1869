import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createReferenceBackend } from '@modelwright/core';
import { Deployment as DeploymentResource } from 'kubernetes-models/apps/v1/Deployment';
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1/PodDisruptionBudget';
import { Service } from 'kubernetes-models/v1/Service';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Deployment, deploy } from '../../deploy/deploy.js';
import { brighterHalf } from '../small-models.cases.js';
import { kubernetesName, labelValue } from './kubernetes-name.js';

const backend = createReferenceBackend();
const { model, processing } = brighterHalf();
const project = fileURLToPath(new URL('../../../../modelwright', import.meta.url));

let deployment: Deployment;
beforeAll(async () => {
  const options = { image: 'models/halves:7', 'max-replicas': '5', namespace: 'models', memory: '1Gi', project };
  deployment = await deploy(model, { target: 'kubernetes', backend, processing, version: '7', options });
});

const textOf = (path: string, { files } = deployment): string =>
  String(files.find((file) => file.path === path)?.content);
const resource = (name: string, from = deployment) => parse(textOf(`kubernetes/${name}.yaml`, from));

/** Checks a resource by the schemas of Kubernetes itself, as `kubernetes-models` has them. */
const checked = {
  deployment: (data: never) => new DeploymentResource(data).validate(),
  service: (data: never) => new Service(data).validate(),
  'horizontal-pod-autoscaler': (data: never) => new HorizontalPodAutoscaler(data).validate(),
  'pod-disruption-budget': (data: never) => new PodDisruptionBudget(data).validate(),
  'network-policy': (data: never) => new NetworkPolicy(data).validate(),
} as const;

describe('the kubernetes target', () => {
  it.each(Object.entries(checked))('writes a %s that its schema takes', (name, check) => {
    const data = resource(name);
    check(data as never);
    expect(data.metadata).toMatchObject({ name: 'brighter-half', namespace: 'models' });
    // The schemas would say so if something were wrong.
    expect(() => check({ ...data, spec: 'nothing' } as never)).toThrow();
  });

  it('uses no field that Kubernetes does not have', () => {
    const types = fileURLToPath(new URL('../../../node_modules/kubernetes-models/', import.meta.url));
    const kinds = ['v1', 'apps/v1', 'autoscaling/v2', 'policy/v1', 'networking.k8s.io/v1'];
    const sources = kinds.flatMap((kind) =>
      readdirSync(join(types, kind))
        .filter((file) => file.endsWith('.d.ts'))
        .map((file) => readFileSync(join(types, kind, file), 'utf8')),
    );
    const known = new Set(sources.flatMap((text) => [...text.matchAll(/^\s+"?(\w+)"?\??:/gm)].map(([, name]) => name)));
    const texts = ['labels', 'matchLabels', 'annotations', 'requests', 'limits', 'selector'];
    const fieldsOf = (value: unknown): string[] => {
      if (Array.isArray(value)) return value.flatMap(fieldsOf);
      if (typeof value !== 'object' || value === null) return [];
      const isText = (name: string, each: unknown): boolean =>
        texts.includes(name) && Object.values(each as object).every((text) => typeof text === 'string');
      return Object.entries(value).flatMap(([name, each]) => [name, ...(isText(name, each) ? [] : fieldsOf(each))]);
    };
    // What all kinds share stands in another package.
    for (const shared of ['labels', 'annotations', 'matchLabels']) known.add(shared);
    const used = Object.keys(checked).flatMap((name) => fieldsOf({ ...resource(name), metadata: {} }));
    expect(used.filter((name) => !known.has(name))).toEqual([]);
    expect(known.has('readinesProbe')).toBe(false);
  });

  it('lists every resource, and selects by labels that its pods have', () => {
    expect(resource('kustomization').resources).toEqual(Object.keys(checked).map((name) => `${name}.yaml`));
    const { spec } = resource('deployment');
    expect(spec.template.metadata.labels).toMatchObject(spec.selector.matchLabels);
    for (const selector of [resource('service').spec.selector, resource('network-policy').spec.podSelector.matchLabels])
      expect(selector).toEqual(spec.selector.matchLabels);
    expect(resource('horizontal-pod-autoscaler').spec.scaleTargetRef.name).toBe(resource('deployment').metadata.name);
  });

  it('runs the image of the service it brings along, with the variables and ports that the service reads', () => {
    const [container] = resource('deployment').spec.template.spec.containers;
    expect(container).toMatchObject({ image: 'models/halves:7', resources: { limits: { memory: '1Gi' } } });
    const server = textOf('server.js');
    for (const { name } of container.env) expect(server).toContain(`env.${name}`);
    const ports = new Map(container.env.map(({ name, value }: { name: string; value: string }) => [name, value]));
    expect(container.ports.map(({ containerPort }: { containerPort: number }) => String(containerPort))).toEqual([
      ports.get('PORT'),
      ports.get('GRPC_PORT'),
    ]);
    expect(textOf('Dockerfile')).toContain('CMD ["node", "server.js"]');
    expect(textOf('models/brighter-half/7/manifest.json')).toContain('"sha256"');
  });

  it('refuses options that Kubernetes would', async () => {
    const refused = async (options: Readonly<Record<string, string>>) =>
      deploy(model, { target: 'kubernetes', backend, processing, options: { project, ...options } });
    await expect(refused({ image: 'no image' })).rejects.toThrow(/the name of an image/);
    await expect(refused({ memory: 'much' })).rejects.toThrow(/a quantity as Kubernetes has them/);
    await expect(refused({ 'min-replicas': '9', 'max-replicas': '3' })).rejects.toThrow(/from min-replicas \(9\)/);
    await expect(refused({ namespace: 'Über' })).rejects.toMatchObject({ code: 'invalid-configuration' });
  });
});

it('makes names that Kubernetes takes of any', () => {
  for (const name of ['Brighter Half', '7 digits!', 'ÄÖÜ', '', `${'x'.repeat(80)}-`, 'a.b_c'])
    expect(kubernetesName(name)).toMatch(/^[a-z]([a-z0-9-]{0,51}[a-z0-9])?$/);
  expect(labelValue('.v 1+2-')).toBe('v-1-2');
});

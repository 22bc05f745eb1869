import type { Layer } from '../layer.js';
import type { Application, SymbolicTensor } from '../symbolic-tensor.js';

/** What stands behind some outputs, in order. */
export interface LayerOrder {
  /** Each after those it reads. */
  readonly applications: readonly Application[];
  /** As Keras lists them, and with them their weights: by distance from the outputs, the farthest first. */
  readonly layers: readonly Layer[];
}

/** Finds all uses of layers that `outputs` need. */
export function orderLayers(outputs: readonly SymbolicTensor[]): LayerOrder {
  const applications: Application[] = [];
  // Order in which a walk from the outputs meets the layers: settles ties, as in Keras.
  const met = new Map<Layer, number>();
  const seen = new Set<Application>();
  const visit = (application: Application | undefined): void => {
    if (application === undefined || seen.has(application)) return;
    seen.add(application);
    if (!met.has(application.layer)) met.set(application.layer, met.size);
    for (const input of application.inputs) visit(applicationOf(input));
    applications.push(application);
  };
  for (const output of outputs) visit(applicationOf(output));
  const depths = layerDepths(applications);
  const layers = [...met.keys()].sort(
    (a, b) => (depths.get(b) as number) - (depths.get(a) as number) || (met.get(a) as number) - (met.get(b) as number),
  );
  return { applications, layers };
}

/** Longest way from each layer to an output. */
function layerDepths(applications: readonly Application[]): ReadonlyMap<Layer, number> {
  const byApplication = new Map<Application, number>();
  const byLayer = new Map<Layer, number>();
  for (const application of [...applications].reverse()) {
    const depth = Math.max(byApplication.get(application) ?? 0, byLayer.get(application.layer) ?? 0);
    byLayer.set(application.layer, depth);
    for (const input of application.inputs) {
      const inner = applicationOf(input);
      if (inner !== undefined) byApplication.set(inner, Math.max(byApplication.get(inner) ?? 0, depth + 1));
    }
  }
  return byLayer;
}

function applicationOf({ origin }: SymbolicTensor): Application | undefined {
  return 'application' in origin ? origin.application : undefined;
}

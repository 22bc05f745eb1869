/** A name as Kubernetes takes it: lower-case letters, digits and `-`, at most 53 characters so that suffixes fit. */
export function kubernetesName(name: string): string {
  const cleaned = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, 53)
    .replace(/-+$/, '');
  return cleaned || 'model';
}

/** A value as labels take it. */
export function labelValue(value: string): string {
  return value
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .slice(0, 63)
    .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
}

/** Where the code of a thread or process lies: beside this file, built or as source. */
export function hostEntry(path: string, base: string): URL {
  const isSource = base.endsWith('.ts');
  return new URL(`${path}${isSource ? '.ts' : '.js'}`, base);
}

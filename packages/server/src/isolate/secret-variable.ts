/** Whether a variable of the environment looks like a secret, by its name; a model's process gets none. */
export function isSecretVariable(name: string): boolean {
  return /(^|_)(key|secret|token|password|passwd|credentials?|passphrase)(_|$)/i.test(name);
}

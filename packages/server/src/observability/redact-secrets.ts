const patterns: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  // The id of a key is no secret, and tells whose it is.
  [/\b(mw_[0-9a-f]{12})_[A-Za-z0-9_-]{20,}/g, '$1_[redacted]'],
  [/\b(Bearer|Basic)( +|%20)[A-Za-z0-9._~+/=-]{8,}/gi, '$1 [redacted]'],
  [/\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*/g, '[redacted]'],
  [/-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?(-----END \1-----|(?="|$))/gs, '[redacted]'],
  [/\bsk-[A-Za-z0-9_-]{16,}/g, '[redacted]'],
];

/** A text without what looks like a credential: keys, bearer tokens, JSON web tokens, private keys. */
export function redactSecrets(text: string): string {
  let redacted = text;
  for (const [pattern, replacement] of patterns) redacted = redacted.replace(pattern, replacement);
  return redacted;
}

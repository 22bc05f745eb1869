import { isModelwrightError, ModelwrightError } from '@modelwright/core';
import { fromBase64, fromHex, sha256Hex, toBase64 } from './pem.js';
import { fingerprintOf, type Signer, type Verifier } from './signing-key.js';

/** One file of a signed model. */
export interface SignedResource {
  /** Relative to the model, with `/`. */
  readonly name: string;
  readonly algorithm: string;
  /** Hexadecimal. */
  readonly digest: string;
}

/** How files became resources. */
export interface Serialization {
  readonly method: string;
  readonly hash_type: string;
  readonly allow_symlinks: boolean;
  readonly ignore_paths?: readonly string[];
}

/** What a signature vouches for. */
export interface SignedModel {
  readonly name: string;
  readonly resources: readonly SignedResource[];
  readonly serialization: Serialization;
}

const mediaType = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const payloadType = 'application/vnd.in-toto+json';
const statementType = 'https://in-toto.io/Statement/v1';
const predicateType = 'https://model_signing/signature/v1.0';

/**
 * Signs the hashes of a model's files: a Sigstore bundle around a DSSE envelope around an in-toto statement, which other tools of
 * OpenSSF model signing verify.
 *
 * @returns the text of the `.sig` file.
 * @throws {@link ModelwrightError} `invalid-argument` without resources.
 * @see OpenSSF Model Signing 1.0, §6.
 */
export async function signResources(model: SignedModel, signer: Signer): Promise<string> {
  if (model.resources.length === 0) {
    throw new ModelwrightError('invalid-argument', `model '${model.name}' has no file to sign`, { given: model.name });
  }
  const resources = [...model.resources].sort(byCodePoint);
  const statement = {
    _type: statementType,
    subject: [{ name: model.name, digest: { sha256: await rootDigestOf(resources) } }],
    predicateType,
    predicate: { resources, serialization: model.serialization },
  };
  const payload = new TextEncoder().encode(JSON.stringify(statement));
  const signature = await signer.sign(preAuthenticationEncoding(payload));
  const bundle = {
    mediaType,
    verificationMaterial: { publicKey: { hint: await fingerprintOf(signer.publicKeyPem) }, tlogEntries: [] },
    dsseEnvelope: {
      payload: toBase64(payload),
      payloadType,
      signatures: [{ sig: toBase64(signature), keyid: '' }],
    },
  };
  return `${JSON.stringify(bundle, undefined, 2)}\n`;
}

/**
 * Verifies a signature and gives what it vouches for; whether the files are those is the caller's to check.
 *
 * @param signatureText - Content of the `.sig` file.
 * @param verifiers - Keys that are trusted; one of them must have signed.
 * @throws {@link ModelwrightError} `integrity-violation` if none has, or the text is no such signature.
 * @see OpenSSF Model Signing 1.0, §8.
 */
export async function verifySignature(signatureText: string, verifiers: readonly Verifier[]): Promise<SignedModel> {
  const { payload, signature, hint } = parseBundle(signatureText);
  const verifier = verifiers.find(({ fingerprint }) => hint === undefined || fingerprint === hint);
  if (verifier === undefined) {
    throw violation(`it was signed with the key ${short(hint)}, which is not among those trusted here`);
  }
  const candidates = hint === undefined ? verifiers : [verifier];
  const message = preAuthenticationEncoding(payload);
  const verdicts = await Promise.all(candidates.map((each) => each.verify(signature, message)));
  if (!verdicts.includes(true)) throw violation('what was signed is not what stands there');
  return readStatement(payload);
}

function parseBundle(text: string): {
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
  readonly hint: string | undefined;
} {
  try {
    const bundle = JSON.parse(text);
    if (!String(bundle.mediaType).startsWith('application/vnd.dev.sigstore.bundle'))
      throw violation('it is no Sigstore bundle');
    const { payload, payloadType: type, signatures } = bundle.dsseEnvelope;
    if (type !== payloadType) throw violation(`it holds '${type}', not an in-toto statement`);
    if (signatures.length !== 1) throw violation(`it has ${signatures.length} signatures, not one`);
    const material = bundle.verificationMaterial;
    if (material.publicKey === undefined) {
      throw violation(
        'it was made with a certificate or without a key of its own; only signatures by keys are verified here',
      );
    }
    const hint: unknown = material.publicKey.hint;
    return {
      payload: fromBase64(payload),
      signature: fromBase64(signatures[0].sig),
      hint: typeof hint === 'string' && hint !== '' ? hint : undefined,
    };
  } catch (cause) {
    if (isModelwrightError(cause, 'integrity-violation')) throw cause;
    throw violation('it cannot be read as a Sigstore bundle', cause);
  }
}

function readStatement(payload: Uint8Array): SignedModel {
  const statement = JSON.parse(new TextDecoder().decode(payload));
  if (statement._type !== statementType || statement.predicateType !== predicateType) {
    throw violation(`it is a statement of the kind '${statement.predicateType}', not about a model`);
  }
  const { resources, serialization } = statement.predicate ?? {};
  if (!Array.isArray(resources) || resources.length === 0 || typeof serialization !== 'object') {
    throw violation('its statement names no files');
  }
  if (serialization.method !== 'files' || serialization.hash_type !== 'sha256') {
    throw violation(
      `its files are hashed by '${serialization.method}' with '${serialization.hash_type}'; 'files' with 'sha256' is what can be verified`,
    );
  }
  for (const { name, digest } of resources) {
    if (typeof name !== 'string' || !/^[0-9a-f]{64}$/.test(digest) || isOutside(name)) {
      throw violation(`its statement names '${name}', which is no file of a model`);
    }
  }
  return { name: String(statement.subject?.[0]?.name), resources, serialization };
}

/** SHA-256 over the digests of all files in order. */
async function rootDigestOf(resources: readonly SignedResource[]): Promise<string> {
  return sha256Hex(Uint8Array.from(resources.flatMap(({ digest }) => [...fromHex(digest)])));
}

/** What is really signed. @see DSSE 1.0, protocol. */
function preAuthenticationEncoding(payload: Uint8Array): Uint8Array {
  const head = new TextEncoder().encode(`DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `);
  const message = new Uint8Array(head.length + payload.length);
  message.set(head);
  message.set(payload, head.length);
  return message;
}

function byCodePoint({ name: a }: SignedResource, { name: b }: SignedResource): number {
  const [left, right] = [[...a], [...b]];
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    const difference = (left[at] as string).codePointAt(0)! - (right[at] as string).codePointAt(0)!;
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

const isOutside = (name: string): boolean => name.startsWith('/') || name.split('/').includes('..');

const short = (hint: string | undefined): string => (hint === undefined ? 'without a name' : `${hint.slice(0, 16)}…`);

function violation(reason: string, cause?: unknown): ModelwrightError {
  return new ModelwrightError(
    'integrity-violation',
    `the signature is not valid: ${reason}`,
    cause === undefined ? {} : { cause },
  );
}

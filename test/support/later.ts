import { jsonBytes, type SignedKind, signedBytes } from '../../src/vault/format/signed-json.ts';
import { publicKeyOf, sign } from '../../src/vault/format/signing.ts';

/** An object as a later program would store it: soundly signed, whatever its fields are. */
export function later(kind: SignedKind, value: object, key: string): Uint8Array {
  const { signature: _, ...whole } = {
    ...(value as { signature?: string }),
    algorithm: 'ed25519',
    writer: publicKeyOf(key),
  };
  return jsonBytes({ ...whole, signature: sign(signedBytes(kind, whole), key) });
}

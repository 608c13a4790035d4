import { identityInvalid } from './errors.ts';

const SIGNS = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
const PREFIX = 'age-secret-key-';
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
const CHECK_SIGNS = 6;
const SECRET_SIZE = 32;

/** The 32 bytes of an `AGE-SECRET-KEY-1…` identity. @throws `identity-invalid` */
export function secretOf(identity: string): Uint8Array {
  const text = identity.toLowerCase();
  const values = [...text.slice(PREFIX.length + 1)].map((sign) => SIGNS.indexOf(sign));
  const isSound = text.startsWith(`${PREFIX}1`) && !values.includes(-1) && checksum(values) === 1;
  const bytes = isSound ? regroup(values.slice(0, -CHECK_SIGNS), 5, 8) : [];
  if (bytes.length !== SECRET_SIZE)
    throw identityInvalid({ why: 'only AGE-SECRET-KEY-1… identities have secret bytes' });
  return Uint8Array.from(bytes);
}

/** The reverse of `secretOf`. */
export function identityOf(secret: Uint8Array): string {
  const values = regroup([...secret], 8, 5);
  const check = checksum([...values, ...Array<number>(CHECK_SIGNS).fill(0)]) ^ 1;
  const signs = [...values, ...Array.from({ length: CHECK_SIGNS }, (_, at) => (check >>> (5 * (5 - at))) & 31)];
  return `${PREFIX}1${signs.map((value) => SIGNS[value]).join('')}`.toUpperCase();
}

/** Bech32's (BIP 173), over the prefix and these values. */
function checksum(values: readonly number[]): number {
  const codes = [...PREFIX].map((sign) => sign.charCodeAt(0));
  let sum = 1;
  for (const value of [...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31), ...values]) {
    const top = sum >>> 25;
    sum = ((sum & 0x1ffffff) << 5) ^ value;
    for (const [bit, term] of GENERATOR.entries()) if ((top >>> bit) & 1) sum ^= term;
  }
  return sum >>> 0;
}

/** Bits in groups of another size: into larger ones what is left over is dropped, into smaller ones filled up with zeros. */
function regroup(values: readonly number[], from: number, to: number): number[] {
  const groups: number[] = [];
  let waiting = 0;
  let bits = 0;
  for (const value of values) {
    waiting = ((waiting << from) | value) & 0xfff;
    for (bits += from; bits >= to; bits -= to) groups.push((waiting >>> (bits - to)) & ((1 << to) - 1));
  }
  if (to < from && bits > 0) groups.push((waiting << (to - bits)) & ((1 << to) - 1));
  return groups;
}

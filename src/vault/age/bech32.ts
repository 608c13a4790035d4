/** Bech32 (BIP 173), as age writes keys: a prefix, `1`, and bytes in groups of five bits with a checksum. In lower case. */

const SIGNS = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
const CHECK_SIGNS = 6;

/** The text as ASCII, so that a secret need not become a string. */
export function bech32(prefix: string, bytes: Uint8Array): Buffer {
  const values = regroup(bytes, 8, 5);
  const check = checksum(prefix, [...values, ...Array<number>(CHECK_SIGNS).fill(0)]) ^ 1;
  for (let at = 0; at < CHECK_SIGNS; at++) values.push((check >>> (5 * (5 - at))) & 31);
  const text = Buffer.from([...prefix, '1'].map(codeOf).concat(values.map((value) => SIGNS.charCodeAt(value))));
  values.fill(0);
  return text;
}

/** The bytes of `text` with this prefix; undefined when it is mistyped, or says them otherwise than `bech32` does. */
export function bytesOfBech32(prefix: string, text: string): Uint8Array | undefined {
  if (!text.startsWith(`${prefix}1`)) return undefined;
  const values = [...text.slice(prefix.length + 1)].map((sign) => SIGNS.indexOf(sign));
  if (values.includes(-1) || checksum(prefix, values) !== 1) return undefined;
  const bytes = Uint8Array.from(regroup(values.slice(0, -CHECK_SIGNS), 5, 8));
  return bech32(prefix, bytes).toString('latin1') === text ? bytes : undefined;
}

function codeOf(sign: string): number {
  return sign.charCodeAt(0);
}

function checksum(prefix: string, values: readonly number[]): number {
  const codes = [...prefix].map(codeOf);
  let sum = 1;
  for (const value of [...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31), ...values]) {
    const top = sum >>> 25;
    sum = ((sum & 0x1ffffff) << 5) ^ value;
    for (const [bit, term] of GENERATOR.entries()) if ((top >>> bit) & 1) sum ^= term;
  }
  return sum >>> 0;
}

/** Bits in groups of another size: into larger ones what is left over is dropped, into smaller ones filled up with zeros. */
function regroup(values: Iterable<number>, from: number, to: number): number[] {
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

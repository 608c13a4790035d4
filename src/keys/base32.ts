/** Crockford's signs: no I, L, O or U. */
const SIGNS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** `bytes`: a multiple of five, so that no bits are left over. */
export function writeBase32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let waiting = 0;
  for (const byte of bytes) {
    waiting = (waiting << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += SIGNS[(waiting >>> (bits - 5)) & 31];
  }
  return text;
}

/** I and L count as 1, O as 0, in either case. Throws RangeError at another sign. */
export function readBase32(text: string): Buffer {
  const bytes: number[] = [];
  let bits = 0;
  let waiting = 0;
  for (const written of text.toUpperCase()) {
    const value = SIGNS.indexOf(written === 'O' ? '0' : /[IL]/.test(written) ? '1' : written);
    if (value < 0) throw new RangeError('not a sign of base32');
    waiting = ((waiting << 5) | value) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((waiting >>> bits) & 255);
  }
  return Buffer.from(bytes);
}

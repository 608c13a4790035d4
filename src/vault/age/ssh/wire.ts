/** Reads the fields of SSH's binary formats (RFC 4251 §5). Throws RangeError past the end. */
export interface WireReader {
  /** A string: 4 bytes of length, then the bytes. */
  bytes(): Buffer;
  uint32(): number;
  readonly rest: Buffer;
}

export function wireReader(buffer: Buffer): WireReader {
  let at = 0;
  const take = (size: number) => {
    if (size > buffer.length - at) throw new RangeError('it ends too early');
    at += size;
    return buffer.subarray(at - size, at);
  };
  const uint32 = () => take(4).readUInt32BE();
  return {
    bytes: () => take(uint32()),
    uint32,
    get rest() {
      return buffer.subarray(at);
    },
  };
}

/** Each part as an SSH string. */
export function wire(...parts: readonly Uint8Array[]): Buffer {
  const size = (part: Uint8Array) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    return length;
  };
  return Buffer.concat(parts.flatMap((part) => [size(part), part]));
}

/** A positive whole number as SSH writes it: big-endian, no needless zeros, a zero before a high bit. */
export function mpint(bytes: Uint8Array): Buffer {
  let start = 0;
  while (start < bytes.length && bytes[start] === 0) start++;
  const trimmed = Buffer.from(bytes.subarray(start));
  return trimmed.length > 0 && trimmed[0]! >= 0x80 ? Buffer.concat([Buffer.alloc(1), trimmed]) : trimmed;
}

/** One field of a multipart/form-data body. `fileName` is set for a file. */
export interface Part {
  readonly name: string;
  readonly fileName?: string;
  readonly bytes: Buffer;
}

/** Reads a whole multipart body (RFC 7578). Throws when it is not one. */
export function parseMultipart(contentType: string | undefined, body: Buffer): Part[] {
  const boundary = /^multipart\/form-data\s*;.*\bboundary=(?:"([^"]+)"|([^\s;]+))/i.exec(contentType ?? '');
  const name = boundary?.[1] ?? boundary?.[2];
  if (!name) throw new Error('not multipart/form-data');

  // Every delimiter but the first follows a line break; adding one in front makes them all alike.
  const bytes = Buffer.concat([Buffer.from('\r\n'), body]);
  const delimiter = Buffer.from(`\r\n--${name}`);
  const parts: Part[] = [];
  let at = bytes.indexOf(delimiter);
  while (at >= 0) {
    const start = at + delimiter.length;
    if (bytes.toString('latin1', start, start + 2) === '--') return parts;
    const end = bytes.indexOf(delimiter, start);
    const head = bytes.indexOf('\r\n\r\n', start);
    if (end < 0 || head < 0 || head > end) break;
    parts.push(readPart(bytes.toString('utf8', start, head), bytes.subarray(head + 4, end)));
    at = end;
  }
  throw new Error('the multipart body ends too early');
}

function readPart(headers: string, bytes: Buffer): Part {
  const disposition = /^content-disposition:(.*)$/im.exec(headers)?.[1] ?? '';
  const name = /;\s*name="([^"]*)"/i.exec(disposition)?.[1];
  const fileName = /;\s*filename="([^"]*)"/i.exec(disposition)?.[1];
  if (name === undefined) throw new Error('a part without a name');
  return fileName === undefined ? { name, bytes } : { name, fileName, bytes };
}

import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** What a store says that lies. The rest is the true store's. */
export type Lie =
  /** The objects whose keys fit were stored by so many milliseconds earlier. */
  | { readonly kind: 'clock'; readonly keys: RegExp; readonly earlierMs: number }
  /** A listing below a prefix that fits never ends; `again` gives the same page each time. */
  | { readonly kind: 'endless'; readonly prefix: RegExp; readonly again?: boolean }
  /** An object that never ends. Of which size it says it is: none when absent. */
  | { readonly kind: 'giant'; readonly keys: RegExp; readonly sizeBytes?: number }
  /** A listing of one page of that size, in which nothing that is opened is closed. */
  | { readonly kind: 'page'; readonly prefix: RegExp; readonly sizeBytes: number };

export interface LyingBucket extends AsyncDisposable {
  readonly endpoint: string;
  tell(lie: Lie): void;
  /** Requests that were answered, true or not. */
  requests(): number;
  /** Bytes of lies that were taken. */
  lied(): number;
  /** A liar that is heard out stops at last, so that no test goes on for ever: then it was believed for too long. */
  heardOut(): boolean;
}

/** Past what the product may listen to in one listing. */
const mostPages = 300;
const mostLiedBytes = 6e9;

/** Stands before an S3 store and lies. The `Host` of a request, which is signed, passes through. */
export async function lyingBucket(target: string): Promise<LyingBucket> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  const lies: Lie[] = [];
  let [requests, liedBytes, exhausted] = [0, 0, false];
  /** Of the newest listing below each prefix, how many were taken. */
  const pages = new Map<string, number>();

  const server = createServer((incoming, outgoing) => {
    requests++;
    answer(incoming, outgoing).catch(() => outgoing.destroy());
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });

  async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(incoming.url ?? '/', 'http://localhost');
    const key = decodeURIComponent(pathname).split('/').slice(2).join('/');
    const prefix = searchParams.get('prefix');
    const listed = incoming.method === 'GET' && key === '' && prefix !== null ? prefix : undefined;
    for (const lie of lies) {
      if (lie.kind === 'endless' && listed !== undefined && lie.prefix.test(listed)) {
        const isFirst = !searchParams.has('continuation-token') && !searchParams.has('key-marker');
        if (isFirst) pages.delete(listed);
        return endlessPage(outgoing, listed, searchParams.has('versions'), lie.again === true);
      }
      if (lie.kind === 'page' && listed !== undefined && lie.prefix.test(listed))
        return giantPage(outgoing, lie.sizeBytes);
      if (lie.kind === 'giant' && incoming.method === 'GET' && key !== '' && lie.keys.test(key)) {
        return giantObject(outgoing, lie.sizeBytes);
      }
    }
    const body = await buffer(incoming);
    const { method, url, headers } = incoming;
    const upstream = httpRequest({ hostname, port, method, path: url, headers });
    upstream.end(body);
    const [response] = (await once(upstream, 'response')) as [IncomingMessage];
    const said = await buffer(response);
    const told = listed === undefined ? said : Buffer.from(redated(said.toString(), lies));
    // The length is told in place of the pieces: a client takes no answer that has both.
    const { 'transfer-encoding': _, ...answered } = response.headers;
    if (method !== 'HEAD') answered['content-length'] = String(told.length);
    outgoing.writeHead(response.statusCode ?? 500, answered);
    outgoing.end(told);
  }

  function endlessPage(outgoing: ServerResponse, prefix: string, versions: boolean, again: boolean): void {
    const taken = pages.get(prefix) ?? 0;
    const page = again ? 0 : taken;
    const isLast = taken + 1 >= mostPages;
    pages.set(prefix, taken + 1);
    exhausted ||= isLast;
    const names = Array.from({ length: 1000 }, (_, n) => `${prefix}e${String(page * 1000 + n).padStart(12, '0')}`);
    const about = `<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"0"</ETag><Size>1</Size>`;
    const items = names.map((name) =>
      versions
        ? `<Version><Key>${name}</Key><VersionId>v</VersionId><IsLatest>true</IsLatest>${about}</Version>`
        : `<Contents><Key>${name}</Key>${about}</Contents>`,
    );
    const next = versions
      ? `<NextKeyMarker>${names.at(-1)}</NextKeyMarker><NextVersionIdMarker>v</NextVersionIdMarker>`
      : `<NextContinuationToken>${names.at(-1)}</NextContinuationToken>`;
    const top = versions ? 'ListVersionsResult' : 'ListBucketResult';
    sendXml(outgoing, `<${top}><IsTruncated>${!isLast}</IsTruncated>${isLast ? '' : next}${items.join('')}</${top}>`);
  }

  function giantPage(outgoing: ServerResponse, sizeBytes: number): void {
    const line = '<Version><Key>a</Key>';
    sendXml(outgoing, `<ListVersionsResult>${line.repeat(Math.ceil(sizeBytes / line.length))}</ListVersionsResult>`);
  }

  function sendXml(outgoing: ServerResponse, text: string): void {
    const body = Buffer.from(`<?xml version="1.0" encoding="UTF-8"?>${text}`);
    liedBytes += body.length;
    outgoing.writeHead(200, { 'content-type': 'application/xml', 'content-length': body.length });
    outgoing.end(body);
  }

  async function giantObject(outgoing: ServerResponse, sizeBytes: number | undefined): Promise<void> {
    const length = sizeBytes === undefined ? {} : { 'content-length': sizeBytes };
    outgoing.writeHead(200, { etag: '"0"', 'last-modified': new Date(0).toUTCString(), ...length });
    const piece = Buffer.alloc(1 << 20);
    for (let sent = 0; sent < (sizeBytes ?? Number.POSITIVE_INFINITY) && !outgoing.destroyed; sent += piece.length) {
      if (liedBytes > mostLiedBytes) {
        exhausted = true;
        break;
      }
      liedBytes += piece.length;
      if (!outgoing.write(piece)) await Promise.race([once(outgoing, 'drain'), once(outgoing, 'close')]);
    }
    outgoing.end();
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tell: (lie) => void lies.push(lie),
    requests: () => requests,
    lied: () => liedBytes,
    heardOut: () => exhausted,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

/** The listing with other times. */
function redated(xml: string, lies: readonly Lie[]): string {
  return xml.replaceAll(
    /<Key>([^<]*)<\/Key>(.*?)<LastModified>([^<]*)<\/LastModified>/gs,
    (whole, key, between, time) => {
      const lie = lies.find((one) => one.kind === 'clock' && one.keys.test(key));
      if (lie?.kind !== 'clock') return whole;
      const told = new Date(Date.parse(time) - lie.earlierMs).toISOString();
      return `<Key>${key}</Key>${between}<LastModified>${told}</LastModified>`;
    },
  );
}

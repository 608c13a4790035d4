import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { onTestFinished } from 'vitest';

export interface ProxyFault {
  readonly method?: 'GET' | 'PUT' | 'HEAD' | 'DELETE' | 'POST';
  /** Of path and query. */
  readonly path?: RegExp;
  /** Which of the requests that fit is hit, from 1; every one when absent. */
  readonly nth?: number;
  /**
   * Before the store hears of it: `reset` cuts the connection, `hang` never answers, `refuse` answers with `status` and `code`,
   * `page` answers 200 with a page of some other server, `garble-upload` changes a byte on the way there, `cut-upload` takes half.
   * After the store did it: `swallow` cuts the connection, `silence` never answers, `truncate` cuts the answer's body midway,
   * `shorten` sends half a body and says so, `garble` changes a byte of it, `stall` stops midway and keeps the connection.
   */
  readonly kind:
    | 'reset'
    | 'hang'
    | 'refuse'
    | 'page'
    | 'garble-upload'
    | 'cut-upload'
    | 'swallow'
    | 'silence'
    | 'truncate'
    | 'shorten'
    | 'garble'
    | 'stall';
  readonly status?: number;
  readonly code?: string;
}

export interface FaultProxy {
  readonly endpoint: string;
  /** Faults from now on, in place of those before. */
  play(script: readonly ProxyFault[]): void;
  /** Faults that no request has met yet: a test whose script was not played to the end proves nothing. */
  unreached(): readonly ProxyFault[];
  /** `PUT /bucket/key`, without the query, since the last `play`. */
  readonly requests: readonly string[];
  /** Connections that are open now. */
  connections(): number;
}

export interface ProxyOptions {
  /** Added before each request is passed on, as a long way would. */
  readonly latencyMs?: number;
}

/** Stands before a server until the running test ends. The `Host` of a request, which is signed, passes through. */
export async function faultProxy(target: string, { latencyMs = 0 }: ProxyOptions = {}): Promise<FaultProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let script: readonly ProxyFault[] = [];
  let fitting = new Map<ProxyFault, number>();
  const met = new Set<ProxyFault>();
  const requests: string[] = [];

  const meet = ({ method, url = '' }: IncomingMessage): ProxyFault | undefined => {
    let hit: ProxyFault | undefined;
    for (const fault of script) {
      if ((fault.method ?? method) !== method || fault.path?.test(url) === false) continue;
      const count = (fitting.get(fault) ?? 0) + 1;
      fitting.set(fault, count);
      if (fault.nth === undefined || fault.nth === count) hit ??= fault;
    }
    if (hit !== undefined) met.add(hit);
    return hit;
  };

  const server = createServer((incoming, outgoing) => {
    requests.push(`${incoming.method} ${incoming.url?.split('?')[0]}`);
    pass(incoming, outgoing, meet(incoming)).catch(() => outgoing.destroy());
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });

  async function pass(incoming: IncomingMessage, outgoing: ServerResponse, fault: ProxyFault | undefined) {
    if (fault?.kind === 'reset') {
      incoming.socket.resetAndDestroy();
      return;
    }
    if (fault?.kind === 'cut-upload') {
      await once(incoming, 'data');
      incoming.socket.resetAndDestroy();
      return;
    }
    const sent = await buffer(incoming);
    if (latencyMs > 0) await wait(latencyMs);
    if (fault?.kind === 'hang') return;
    if (fault?.kind === 'refuse') {
      const { status = 503, code = 'SlowDown' } = fault;
      outgoing.writeHead(status, { 'content-type': 'application/xml' });
      outgoing.end(incoming.method === 'HEAD' ? '' : `<?xml version="1.0"?><Error><Code>${code}</Code></Error>`);
      return;
    }
    if (fault?.kind === 'page') {
      outgoing.writeHead(200, { 'content-type': 'text/html' });
      outgoing.end('<html><body>Sign in to this network</body></html>');
      return;
    }
    const upstream = httpRequest({
      hostname,
      port,
      method: incoming.method,
      path: incoming.url,
      headers: incoming.headers,
    });
    upstream.end(fault?.kind === 'garble-upload' ? garbled(sent) : sent);
    const [answer] = (await once(upstream, 'response')) as [IncomingMessage];
    const body = await buffer(answer);
    if (fault?.kind === 'swallow') incoming.socket.resetAndDestroy();
    else if (fault?.kind !== 'silence') respond(outgoing, answer, body, fault);
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    play(faults) {
      script = faults;
      fitting = new Map();
      met.clear();
      requests.length = 0;
    },
    unreached: () => script.filter((fault) => !met.has(fault)),
    requests,
    connections: () => sockets.size,
  };
}

function respond(outgoing: ServerResponse, answer: IncomingMessage, body: Buffer, fault: ProxyFault | undefined): void {
  const half = body.length >> 1;
  const headers = { ...answer.headers };
  if (fault?.kind === 'shorten') headers['content-length'] = String(half);
  outgoing.writeHead(answer.statusCode ?? 500, headers);
  switch (fault?.kind) {
    case 'truncate':
      outgoing.write(body.subarray(0, half), () => outgoing.socket?.destroy());
      return;
    case 'stall':
      outgoing.write(body.subarray(0, half));
      return;
    case 'shorten':
      outgoing.end(body.subarray(0, half));
      return;
    case 'garble':
      outgoing.end(garbled(body));
      return;
    default:
      outgoing.end(body);
  }
}

function garbled(body: Buffer): Buffer {
  const copy = Buffer.from(body);
  const middle = copy.length >> 1;
  if (copy[middle] !== undefined) copy[middle] ^= 0x10;
  return copy;
}

/**
 * Runs a command in a network namespace that was just made, and lets one thing through: the port of the bucket, by a socket of
 * the file system, which namespaces of the network do not part. The argument is an `OneWay` in JSON; the command follows. The
 * first line it prints is an `Outlook` in JSON.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { probe } from '../../src/sandbox/inside/probe.ts';
import { loopbackUp } from '../../src/sandbox/namespaces.ts';
import type { Probed, ProbeTarget } from '../../src/sandbox/protocol.ts';
import { forward } from '../support/forward.ts';

export interface OneWay {
  /** The bucket's, on loopback: the same inside as outside. */
  readonly port: number;
  /** Leads to it from everywhere. */
  readonly socket: string;
  /** Of the host: what nothing inside should reach. */
  readonly others: readonly ProbeTarget[];
}

/** What can be seen from inside. */
export interface Outlook {
  readonly interfaces: readonly string[];
  readonly bucket: Probed;
  readonly others: readonly Probed[];
}

const [given = '', program = '', ...words] = process.argv.slice(2);
const { port, socket, others } = JSON.parse(given) as OneWay;
execFileSync('/bin/sh', ['-c', loopbackUp]);
await using _way = await forward({ host: '127.0.0.1', port }, { path: socket });
const [bucket, ...rest] = await probe({
  targets: [{ kind: 'tcp', host: '127.0.0.1', port }, ...others],
  timeoutMs: 5000,
});
const outlook: Outlook = { interfaces: Object.keys(networkInterfaces()), bucket: bucket!, others: rest };
console.log(JSON.stringify(outlook));
const child = spawn(program, words, { stdio: 'inherit' });
process.once('SIGTERM', () => child.kill());
const [code] = (await once(child, 'close')) as [number | null];
process.exitCode = code ?? 1;

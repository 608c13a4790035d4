import { lookup } from 'node:dns/promises';
import { hostname, networkInterfaces } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { thisMachine } from '../../core/three-two-one.ts';

/** A name server that does not answer must not hold up what only wants to say where copies lie. */
const patienceMs = 1500;

/** `this machine` when `host` leads here, else the host's name. */
export async function machineOf(host: string): Promise<string> {
  return (await leadsHere(host)) ? thisMachine : host;
}

async function leadsHere(host: string): Promise<boolean> {
  if (host === 'localhost' || host.endsWith('.localhost') || host === hostname().toLowerCase()) return true;
  const own = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => plain(address)));
  const late = new AbortController();
  const found = lookup(host, { all: true }).then(
    (all) => all.map(({ address }) => plain(address)),
    () => [],
  );
  const addresses = await Promise.race([
    found,
    wait(patienceMs, [] as string[], { signal: late.signal }).catch(() => [] as string[]),
  ]);
  late.abort();
  return addresses.some((address) => own.includes(address) || isLoopback(address));
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

/** Without the zone, and an IPv4 address as such. */
function plain(address: string): string {
  return address
    .toLowerCase()
    .replace(/%.*$/, '')
    .replace(/^::ffff:(?=\d+\.)/, '');
}

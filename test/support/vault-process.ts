import { text } from 'node:stream/consumers';
import { systemClock } from '../../src/core/clock.ts';
import { startRun } from '../../src/core/run.ts';
import type { Destination } from '../../src/destinations/destination.ts';
import { type Fault, withFaults } from '../../src/destinations/wrap/fault.ts';
import { admit } from '../../src/operations/keys/admit.ts';
import { prune } from '../../src/operations/prune.ts';
import { withAged } from './aged.ts';
import { type SystemBase, systemOver } from './system.ts';

/** What one process does: a backup, a prune or `keys admit` of the system on its standard input, with faults over each destination. */
export interface VaultWork {
  readonly base: SystemBase;
  readonly work: 'backup' | 'prune' | 'admit';
  readonly faults: readonly Fault[];
  /** Stops itself (SIGSTOP) before the first object that it stores or removes under a key that begins so. */
  readonly stopBefore?: string;
  /** Keys of what is seen as stored four days earlier. */
  readonly aged?: readonly string[];
}

const { base, work, faults, stopBefore, aged = [] } = JSON.parse(await text(process.stdin)) as VaultWork;
let stopped = false;

function stopOnce(key: string): void {
  if (stopped || stopBefore === undefined || !key.startsWith(stopBefore)) return;
  stopped = true;
  process.kill(process.pid, 'SIGSTOP');
}

function wrap(destination: Destination): Destination {
  const faulty = withFaults(withAged(destination, new Set(aged)), faults);
  return {
    ...faulty,
    async put(key, body, options) {
      stopOnce(key);
      return faulty.put(key, body, options);
    },
    async delete(key, version) {
      stopOnce(key);
      return faulty.delete(key, version);
    },
  };
}

process.stdout.write('begins\n');
const system = systemOver(base);
if (work === 'backup') {
  await system.backUp({ wrap });
} else if (work === 'admit') {
  using open = system.open({ wrap });
  await admit(open, await open.vault(() => {}), [base.identity], startRun({ clock: systemClock }));
} else {
  using open = system.open({ wrap });
  const request = { dryRun: false, allowLarge: true, allowFlood: true, allowMissing: false, retire: [] };
  await prune(open, request, startRun({ clock: systemClock }));
}
process.stdout.write('done\n');

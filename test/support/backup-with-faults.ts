import { text } from 'node:stream/consumers';
import { type Fault, withFaults } from '../../src/destinations/wrap/fault.ts';
import { type SystemBase, systemOver } from './system.ts';

/** A program for kill tests: backs up the system on its standard input, with faults over each destination. */
interface Given {
  readonly base: SystemBase;
  /** A pattern of keys is no JSON: its source is. */
  readonly script: ReadonlyArray<Omit<Fault, 'key'> & { readonly key?: string }>;
}

const { base, script } = JSON.parse(await text(process.stdin)) as Given;
const faults = script.map(
  ({ key, ...fault }): Fault => ({ ...fault, ...(key !== undefined && { key: new RegExp(key) }) }),
);
process.stdout.write('begins\n');
await systemOver(base).backUp({ wrap: (destination) => withFaults(destination, faults) });
process.stdout.write('done\n');

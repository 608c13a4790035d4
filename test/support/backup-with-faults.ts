import { text } from 'node:stream/consumers';
import { type Fault, withFaults } from '../../src/destinations/wrap/fault.ts';
import { type SystemBase, systemOver } from './system.ts';

/** A program for kill tests: backs up the system on its standard input, with faults over each destination. */
const { base, faults } = JSON.parse(await text(process.stdin)) as { base: SystemBase; faults: Fault[] };
process.stdout.write('begins\n');
await systemOver(base).backUp({ wrap: (destination) => withFaults(destination, faults) });
process.stdout.write('done\n');

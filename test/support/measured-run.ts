import { text } from 'node:stream/consumers';
import { type SystemBase, systemOver } from './system.ts';

/** A program for memory tests: backs up or restores, and prints the most memory that it held, in MiB. */
const { base, action } = JSON.parse(await text(process.stdin)) as { base: SystemBase; action: 'backup' | 'restore' };
const system = systemOver(base);
if (action === 'backup') await system.backUp();
else await system.restore();
process.stdout.write(String(process.resourceUsage().maxRSS / 1024));

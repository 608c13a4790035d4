import { existsSync } from 'node:fs';
import type { Catalog } from '../catalog/catalog.ts';
import { sentenceOf } from '../core/errors.ts';
import { inState } from '../host/state-names.ts';
import { takeStatus } from '../operations/status/take-status.ts';
import type { OpenSystem } from '../operations/system.ts';
import { tellPassedOver } from '../vault/index.ts';
import { defineCommand } from './command.ts';
import { exitCodes } from './exit.ts';
import { statusText } from './status-text.ts';

export const status = defineCommand({
  description: `Opens with the one answer: how much would be lost, how long until it is back, and when that was last proved.
Needs no key. Exit code 1 when something is not as it should be.`,
  options: {},
  async run({ system, run, out }) {
    const open = await system();
    const found = await takeStatus(
      open,
      knownCatalog(open, (text) => out.note(text)),
    );
    for (const { passedOver } of found.datasets) tellPassedOver(passedOver, run);
    out.answer(found, statusText);
    return found.ok ? exitCodes.ok : exitCodes.no;
  },
});

/** A catalog that is not there yet, or out of this user's reach, takes nothing from the answer. */
function knownCatalog(system: OpenSystem, note: (text: string) => void): Catalog | undefined {
  if (!existsSync(inState(system.config.stateDir, 'catalog'))) return undefined;
  try {
    const catalog = system.catalog();
    if (catalog.recovered) note(catalog.recovered.message);
    return catalog;
  } catch (error) {
    note(sentenceOf(error));
    return undefined;
  }
}

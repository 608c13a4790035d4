import { verifyStoredLedger } from '../operations/audit/verify-stored.ts';
import { defineCommand, many } from './command.ts';
import { noteDamage } from './damage-note.ts';
import { exitCodes } from './exit.ts';
import { ledgerVerdict } from './ledger-verdict.ts';

export const evidenceVerify = defineCommand({
  description: `Checks every signature of the ledger and that no entry is missing from a writer's chain. Needs no key and nothing but a
destination. 'lifeboat audit verify' is the same, and also takes a copied folder.`,
  options: { writer: many('<public key>', 'a writer that is expected; entries by any other are named') },
  async run({ options, system, out }) {
    const verified = await verifyStoredLedger(await system(), options.writer, noteDamage(out));
    out.answer(verified, ledgerVerdict);
    return verified.ok ? exitCodes.ok : exitCodes.no;
  },
});

import { auditVerifyJob } from '../jobs/audit.ts';
import { defineCommand, many } from './command.ts';
import { exitCodes } from './exit.ts';
import { ledgerVerdict } from './ledger-verdict.ts';

export const evidenceVerify = defineCommand({
  description: `Checks every signature of the ledger and that no entry is missing from a writer's chain. Needs no key and nothing but a
destination. 'lifeboat audit verify' is the same, and also takes a copied folder.`,
  options: { writer: many('<public key>', 'a writer that is expected; entries by any other are named') },
  async run({ options, job, out }) {
    const { document, answer } = await job(auditVerifyJob, { writers: options.writer });
    out.answer(document, ledgerVerdict);
    return exitCodes[answer];
  },
});

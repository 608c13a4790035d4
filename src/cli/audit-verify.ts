import { auditVerifyJob } from '../jobs/audit.ts';
import { verifyFolder } from '../ledger/verify.ts';
import { defineCommand, many } from './command.ts';
import { exitCodes } from './exit.ts';
import { ledgerVerdict } from './ledger-verdict.ts';

export const auditVerify = defineCommand({
  words: '[folder]',
  description: `Checks every signature of the audit log and that no entry is missing from a writer's chain: in the vault, or in a folder that
was copied from it, without any network, key or configuration. Exit code 1 when it does not hold.

  lifeboat audit verify
  lifeboat audit verify /mnt/auditor/ledger --writer 6Gh2FaEveRgGHt034bw42G3PCL/gbOI2clLE9ra62LU=`,
  options: { writer: many('<public key>', 'a writer that is expected; entries by any other are named') },
  async run({ words, options, job, out }) {
    const [folder] = words;
    const { writer: writers } = options;
    const verified =
      folder === undefined
        ? (await job(auditVerifyJob, { writers })).document
        : await verifyFolder(folder, writers.length > 0 ? { writers } : {});
    out.answer(verified, ledgerVerdict);
    return verified.ok ? exitCodes.ok : exitCodes.no;
  },
});

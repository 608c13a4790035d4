import { z } from 'zod';
import { inState } from '../host/state-names.ts';
import type { VerifiedLedger } from '../ledger/verify.ts';
import { readAuditLog } from '../operations/audit/audit-log.ts';
import { verifyStoredLedger } from '../operations/audit/verify-stored.ts';
import { ledgerKinds } from '../operations/note-in-ledger.ts';
import { publicKeyIn } from '../vault/writer/index.ts';
import { defineJob, okOrNo } from './job.ts';
import * as shapes from './shapes.ts';

const { object, list, names, count } = shapes;

/** How many entries are told when no moment is given. */
export const newestEntries = 100;

const entry = {
  algorithm: z.literal('ed25519'),
  vault: z.string(),
  id: z.string(),
  kind: z.string(),
  time: shapes.time,
  previous: z.string().nullable(),
  sequence: count,
  writer: z.string().describe('the public key that signed it'),
  body: z.record(z.string(), z.unknown()).readonly().describe('by its kind'),
};

/** An entry of the ledger as it is stored. */
export const storedEntry = object({ ...entry, format: z.literal(1), sealed: z.string().nullable() });

const document = object({
  entries: list(
    object({
      ...entry,
      who: object({ host: z.string(), user: z.string() }).nullable().describe('null without a key that opens it'),
      known: z.boolean().describe('signed by somebody whom this machine knows'),
    }),
  ).describe('newest first'),
  more: z.boolean().describe('there are older ones'),
  troubles: names,
  here: z.string().nullable().describe('the public key that this host signs with'),
});

export type AuditDocument = z.infer<typeof document>;

/** What happened to the vault. */
export const auditJob = defineJob({
  name: 'audit',
  request: object({
    kinds: list(z.enum(ledgerKinds)).describe('all when empty'),
    sinceMs: shapes.momentMs.exactOptional().describe(`nothing older; the newest ${newestEntries} when absent`),
  }),
  document,
  keys: () => 'given',
  async run({ system, identities, run }, request) {
    const vault = await shapes.readableVault(system, run);
    const { stateDir } = system.config;
    const { destinations, trust } = vault;
    const log = await readAuditLog({ destinations, stateDir, trust, most: newestEntries, identities, ...request });
    const here = publicKeyIn(inState(stateDir, 'writerKeys'), vault.id) ?? null;
    return { document: { ...log, here }, answer: okOrNo(log.troubles.length === 0) };
  },
});

const signed = list(object({ writer: z.string(), entries: count, newest: z.string() }));

const verified: z.ZodType<VerifiedLedger> = object({
  ok: z.boolean(),
  entries: count,
  writers: signed,
  strangers: signed.describe('not known: they say nothing for the ledger, and nothing against it'),
  problems: list(
    object({
      key: z.string(),
      code: z.enum(['damaged', 'gap', 'fork', 'order', 'stranger', 'other-vault']),
      message: z.string(),
      missing: z.string().exactOptional().describe('of a gap: the hash of the entry that is not there'),
    }),
  ),
  under: list(object({ writer: z.string(), through: count, gone: count, time: shapes.time, by: z.string() })).describe(
    'chains whose first entries are under a checkpoint',
  ),
  troubles: names.describe('copies that could not be read or are damaged'),
});

/** Whether the ledger holds: its signatures, and each writer's chain. */
export const auditVerifyJob = defineJob({
  name: 'audit-verify',
  request: object({ writers: names.describe('who is expected; those whom this machine knows when empty') }),
  document: verified,
  async run({ system, run }, { writers }) {
    const verified = await verifyStoredLedger(system, writers, shapes.damageTo(run));
    return { document: verified, answer: okOrNo(verified.ok) };
  },
});

import { z } from 'zod';
import type { DrillDetails } from '../core/evidence.ts';
import { type EvidenceList, listEvidence, type ShownEvidence, showEvidence } from '../operations/drill/evidence.ts';
import { hearingOf } from '../operations/hearing.ts';
import { storedEntry } from './audit.ts';
import { defineJob, okOrNo } from './job.ts';
import * as shapes from './shapes.ts';

const { object, list, names, count, time } = shapes;

const evidenceList: z.ZodType<EvidenceList> = object({
  entries: list(
    object({
      id: z.string(),
      time,
      kind: z.string().describe('drill or restore'),
      verdict: z.string(),
      datasets: names,
      checks: count,
      passed: count,
      rtoMs: z.number().nullable(),
    }),
  ).describe('newest first'),
  doubtful: list(
    object({
      ...{ id: z.string(), time, kind: z.string(), writer: z.string() },
      why: z.enum(['stranger', 'ahead', 'shapeless']),
    }),
  ).describe('a few of what is not believed: it proves nothing'),
  doubtfulCount: count,
  troubles: names,
});

/** What drills and restores have proved, and what not. */
export const evidenceListJob = defineJob({
  name: 'evidence-list',
  request: object({}),
  document: evidenceList,
  async run({ system, run }) {
    const vault = await shapes.readableVault(system, run);
    const found = await listEvidence(vault.destinations, await hearingOf(system, vault), system.config.stateDir);
    return { document: found, answer: okOrNo(found.troubles.length === 0) };
  },
});

/** What is sealed in an entry differs by its kind and version: it is told as it is. */
const details = z.custom<DrillDetails>((value) => typeof value === 'object' && value !== null);

const shown: z.ZodType<ShownEvidence> = object({
  record: storedEntry,
  standing: z.enum(['believed', 'stranger', 'ahead']),
  details: details.nullable().describe('what is sealed; null without a key'),
});

/** One entry of the ledger. */
export const evidenceShowJob = defineJob({
  name: 'evidence-show',
  request: object({ id: z.string().describe("of an entry or a drill, or 'latest'") }),
  document: shown,
  keys: () => 'given',
  async run({ system, identities, run }, { id }) {
    const vault = await shapes.readableVault(system, run);
    const hearing = await hearingOf(system, vault);
    return { document: await showEvidence(vault.destinations, id, hearing, identities), answer: 'ok' };
  },
});

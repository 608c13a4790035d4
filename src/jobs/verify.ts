import { z } from 'zod';
import { countOf } from '../core/size.ts';
import type { KeyBody } from '../ledger/bodies.ts';
import { endorseWriters } from '../operations/endorse.ts';
import { keysUsed, noteIfPossible } from '../operations/note-in-ledger.ts';
import { type VerifyOutcome, verify } from '../operations/verify.ts';
import { noteWrongPacks } from '../operations/wrong-packs.ts';
import { packWrong, pointWrong } from '../vault/index.ts';
import { defineJob, okOrNo } from './job.ts';
import { beginning } from './noted.ts';
import * as shapes from './shapes.ts';

const { object, list, names, count } = shapes;

const part = object({ part: z.number().int().positive(), parts: z.number().int().positive() });

const request = object({
  all: z.boolean().describe('read everything'),
  part: part.exactOptional().describe('read this part; the next in turn when absent'),
  deep: z.boolean().exactOptional().describe('with keys: compare each file too'),
});

const document = object({
  sound: z.boolean(),
  part: z.union([part, z.literal('all')]),
  objects: count,
  objectsRead: count,
  objectsClosed: count.describe('of them, those that none of the given keys opens: only their bytes were compared'),
  bytesRead: count,
  leaving: count.describe('restore points that a prune has withdrawn: what they alone need is not missed'),
  findings: list(
    object({
      destination: z.string(),
      key: z.string(),
      kind: z.enum(['missing', 'damaged', 'hidden', 'overwritten', 'unknown', 'unreachable']),
      why: z.string(),
      healed: z.boolean(),
      restorePoints: list(shapes.pointId).describe('what cannot be restored from there because of it'),
    }),
  ),
  wrong: list(shapes.told.extend({ pack: z.string(), restorePoints: list(shapes.pointId) })).describe(
    'packs that were stored wrong: no copy heals them',
  ),
  spoiled: list(shapes.told.extend({ restorePoint: shapes.pointId, files: names })).describe(
    'restore points of which something does not come back as it was recorded',
  ),
  suspect: list(shapes.suspect),
  doubtful: list(shapes.suspect).describe('kept and not believed, and what strangers signed'),
  unreachable: list(shapes.unreachable),
});

export type VerifyDocument = z.infer<typeof document>;

/** Compares what is stored with what the records say, and heals it. It is in the ledger where a key was used in it. */
export const verifyJob = defineJob({
  name: 'verify',
  request,
  document,
  keys: ({ deep }) => (deep === true ? 'needed' : 'given'),
  recorded: () => ({ operation: 'verify' }),
  async run({ system, identities, run }, request) {
    const started = beginning(system);
    const outcome = await verify(system, { ...request, identities }, run);
    await noteWrongPacks(system, outcome.vault, outcome.wrong, run);
    const used = keysUsed(identities);
    if (used.length > 0) {
      const body: KeyBody = { ...started, action: 'used', by: 'verify', keys: used };
      await noteIfPossible(system, outcome.vault, { kind: 'key', body }, run);
      await endorseWriters(system, outcome.vault, { identities }, run);
    }
    return { document: documentOf(outcome), answer: okOrNo(outcome.sound) };
  },
});

function documentOf(outcome: VerifyOutcome): VerifyDocument {
  const { sound, part, objects, objectsRead, objectsClosed, bytesRead, leaving, unreachable } = outcome;
  const keyAndWhy = ({ key, why }: VerifyOutcome['suspect'][number]) => ({ key, why });
  return {
    ...{ sound, part, objects, objectsRead, objectsClosed, bytesRead, leaving },
    findings: outcome.findings.map(({ destination, key, kind, why, healed, restorePoints }) => ({
      ...{ destination, key, kind, why, healed },
      restorePoints: restorePoints.map(shapes.pointIdOf),
    })),
    wrong: outcome.wrong.map(({ pack, why, restorePoints }) => ({
      ...shapes.toldOf(packWrong({ pack, why })),
      pack,
      restorePoints: restorePoints.map(shapes.pointIdOf),
    })),
    spoiled: outcome.spoiled.map(spoiledOf),
    suspect: outcome.suspect.map(keyAndWhy),
    doubtful: outcome.doubtful.map(keyAndWhy),
    unreachable,
  };
}

function spoiledOf({ point, files, count, why }: VerifyOutcome['spoiled'][number]): VerifyDocument['spoiled'][number] {
  const others = count > 1 ? ` and ${countOf(count - 1, 'other file')}` : '';
  const what = files[0] === undefined ? 'its list of files' : `${files[0]}${others}`;
  const { dataset, id } = point.record;
  const error = pointWrong({ point: `${dataset} ${id}`, what, why });
  return { ...shapes.toldOf(error), restorePoint: shapes.pointIdOf(point), files: [...files] };
}

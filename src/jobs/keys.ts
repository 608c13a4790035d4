import { z } from 'zod';
import { type Admission, admit } from '../operations/keys/admit.ts';
import { type Coverage, checkKeys, coverage, type KeyCheck } from '../operations/keys/check-keys.ts';
import { type Rotation, rotate } from '../operations/keys/rotate.ts';
import { defineJob, okOrNo } from './job.ts';
import * as shapes from './shapes.ts';

const { object, list, names, count, time } = shapes;

const keyCheck: z.ZodType<KeyCheck> = object({
  recipient: z.string(),
  inConfiguration: z.boolean().describe('new backups are made for it'),
  opens: list(
    object({
      dataset: z.string(),
      time,
      opened: z.boolean().describe('all of the newest restore point, at every destination that holds it'),
      why: z.string().nullable(),
      destinations: list(object({ destination: z.string(), opened: z.boolean(), why: z.string().nullable() })),
      opensPoints: count,
      points: count,
      since: time.nullable(),
    }),
  ),
});

const covered: z.ZodType<Coverage> = object({
  recipient: z.string(),
  datasets: list(
    object({
      dataset: z.string(),
      time,
      madeFor: z.boolean().nullable().describe('null where nobody who is known says so'),
      since: time.nullable(),
    }),
  ),
});

/** Tries private keys on what is stored; without one, whom it was made for. */
export const keysCheckJob = defineJob({
  name: 'keys-check',
  request: object({}),
  document: z.union([
    object({ good: z.boolean(), keys: list(keyCheck) }),
    object({ good: z.boolean(), recipients: list(covered) }),
  ]),
  keys: () => 'given',
  async run({ system, identities, run }) {
    const vault = await shapes.readableVault(system, run);
    if (identities.length === 0) {
      const recipients = await coverage(system, vault);
      const good = recipients.every(({ datasets }) => datasets.every(({ madeFor }) => madeFor === true));
      return { document: { good, recipients }, answer: okOrNo(good) };
    }
    const checks = await checkKeys(system, vault, identities, run);
    const good = checks.every(({ opens }) => opens.length > 0 && opens.every(({ opened }) => opened));
    return { document: { good, keys: checks }, answer: okOrNo(good) };
  },
});

const admission: z.ZodType<Admission> = object({
  epochs: count,
  admitted: list(object({ recipient: z.string(), epochs: count })),
  closed: count.describe('epochs that a recipient lacks and the given keys do not open'),
  behind: list(shapes.unreachable),
});

/** Lets every recipient open what was stored before it was added. */
export const keysAdmitJob = defineJob({
  name: 'keys-admit',
  request: object({}),
  document: admission,
  keys: () => 'needed',
  async run({ system, identities, run }) {
    const admitted = await admit(system, await shapes.readableVault(system, run), identities, run);
    return { document: admitted, answer: okOrNo(admitted.closed + admitted.behind.length === 0) };
  },
});

const rotation: z.ZodType<Rotation> = object({
  recipients: names,
  added: names,
  removed: names,
  written: z.boolean(),
  left: object({
    points: count.describe('restore points that were made before: no added key opens them'),
    newest: time,
    datasets: list(object({ dataset: z.string(), points: count, until: time.nullable() })),
    stillOpens: list(object({ recipient: z.string(), packs: count, sizeBytes: count, unknown: count })).describe(
      'of the newest restore points, for each removed recipient',
    ),
    sentAgainBytes: count,
  })
    .nullable()
    .describe('what the change does not change; null before the first backup'),
});

/** Changes the recipients of new backups in the configuration. */
export const keysRotateJob = defineJob({
  name: 'keys-rotate',
  request: object({
    add: names,
    remove: names,
    comment: z.string().exactOptional().describe('written beside what is added'),
    dryRun: z.boolean(),
  }),
  document: rotation,
  async run({ system, run }, request) {
    return { document: await rotate(system, request, run), answer: 'ok' };
  },
});

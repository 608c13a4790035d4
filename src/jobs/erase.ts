import { z } from 'zod';
import { erase } from '../operations/erase.ts';
import { noSuchDataset } from '../operations/errors.ts';
import { defineJob } from './job.ts';
import * as shapes from './shapes.ts';

const { object, list, names } = shapes;

/** Says that restore points go before their time. */
export const eraseJob = defineJob({
  name: 'erase',
  request: object({
    dataset: z.string(),
    paths: names.describe('every restore point that holds one of them, or anything below it; takes a key'),
    points: names.describe('these restore points'),
    reason: z.string().trim().min(1).describe('sealed to the keys of the vault'),
  }),
  document: object({
    dataset: z.string(),
    restorePoints: list(object({ id: z.string(), time: shapes.time })),
  }),
  keys: ({ paths }) => (paths.length > 0 ? 'needed' : undefined),
  async run({ system, identities, run }, request) {
    const { dataset } = request;
    const known = Object.keys(system.config.datasets);
    if (!known.includes(dataset)) throw noSuchDataset({ dataset, known });
    const vault = await shapes.readableVault(system, run);
    const { points } = await erase(system, vault, { ...request, identities }, run);
    const restorePoints = points.map(({ record }) => ({ id: record.id, time: record.time }));
    return { document: { dataset, restorePoints }, answer: 'ok' };
  },
});

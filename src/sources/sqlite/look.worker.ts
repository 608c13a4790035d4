import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { definitionsOf } from './definitions.ts';
import { factsOf } from './facts.ts';
import { checkIntegrity, foreignKeysOf } from './integrity.ts';
import type { Look, Looked } from './look.ts';
import { openCopy } from './open.ts';
import { expectationsOf } from './row-checksums.ts';

const look = workerData as Look;
using database = look.isCopy ? openCopy(look.path) : new DatabaseSync(look.path, { readOnly: true, timeout: 10_000 });
database.exec('PRAGMA trusted_schema = OFF');
// One snapshot for all that is asked.
database.exec('BEGIN');
const looked: Looked = {
  integrity: [checkIntegrity(database, look.integrity)],
  ...(look.data && {
    data: {
      facts: factsOf(database, look.path),
      foreignKeys: foreignKeysOf(database),
      definitions: definitionsOf(database),
      ...expectationsOf(database),
    },
  }),
};
parentPort?.postMessage(looked);
